// One case: expected error or expected numbers. Many: a walk.
#include "engine/check/check_case.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "engine/check/limits.h"
#include "engine/check/name_case.h"
#include "engine/check/probabilities_note.h"
#include "engine/check/separate.h"
#include "engine/naming/forms.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> axes_of(const std::string& gold, Layout layout, const std::vector<int64_t>& shape, Over over) {
  if (gold == "d_weight") return {"class", "dimension"};
  if (gold == "d_bias") return {"class"};
  if (shape.size() == 1) return {over == Over::batch ? "step" : "sentence"};
  if (shape.empty()) return {};
  std::vector<std::string> axes = layout == Layout::batch ? std::vector<std::string>{"sentence", "step"}
                                                          : std::vector<std::string>{"step", "sentence"};
  if (shape.size() == 3) axes.emplace_back(gold == "d_hidden" ? "dimension" : "class");
  return axes;
}

void expect_error(const LossCase& c, const CheckOptions& options, CaseReport& report) {
  const Expectation& e = c.config->expect();
  try {
    run_case(c, options.dtype.value_or(c.dtype()), options.device);
    report.lines.push_back(fmt::format("expected the error {}, got a value", e.error));
  } catch (const LossError& error) {
    const std::string got = str(error.loss_code), text = error.what();
    if (got == e.error && text.find(e.message) != std::string::npos) return;
    const std::string want = e.message.empty() ? "" : fmt::format(" '{}'", e.message);
    report.lines.push_back(fmt::format("expected the error {}{}, got {}: {}", e.error, want, got, text));
  }
}

// What a peer is said to give must really be another answer, or the note about it is out of date.
void expect_peer_to_differ(const LossCase& c, const CaseRun& run, CaseReport& report) {
  for (const Values& peer : c.peer)
    if (const Values* got = run.find(peer.name);
        got && compare(*got, peer, limits_of(c, run, peer), run.dtype, true).passed())
      report.lines.push_back(fmt::format("peer.{} is what comes out here too; peer_differs says otherwise", peer.name));
}

// Numbers that are bfloat16 all of them, in a case that does not say so.
bool looks_like_bf16(const LossCase& c) {
  if (c.dtype() != DType::f32 || c.config->tolerance.limit_class()) return false;
  size_t told = 0;
  for (const Values& v : c.gold)
    for (const double x : v.numbers) {
      const auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
      if (!std::isfinite(x)) continue;
      if (static_cast<double>(static_cast<float>(x)) != x || (bits & 0xffff) != 0) return false;
      told += x != std::round(x);
    }
  return told > 1;
}

void add_notes(const LossCase& c, const CaseRun& run, const CheckOptions& options, CaseReport& report) {
  if (std::string note = probabilities_note(c, run); !note.empty()) report.notes.push_back(std::move(note));
  if (!report.lines.empty() && looks_like_bf16(c))
    report.notes.emplace_back(
        "every recorded number is a bfloat16: tolerance: {class: bf16} gives the limits of that arithmetic");
  if (!report.lines.empty()) return;
  const LossOptions& o = run.inputs.options;
  const std::string name = c.config->loss.preset().value_or(form_of(o));
  if (std::string note = separation_note(run.inputs.loss, o, name, options.verbose ? 100 : 5); !note.empty())
    report.notes.push_back(std::move(note));
}

// The answer of a case that failed, and where the lines that name it belong.
struct Unexplained {
  CaseAnswer answer;
  size_t place = 0;
};

std::optional<Unexplained> expect_values(const LossCase& c, const CheckOptions& options, CaseReport& report) {
  if (c.gold.empty())
    refuse("{}: error: there is no gold; `seqgrad record --bless` would write it", shown_path(c.where));
  const CaseRun run = [&] {
    try {
      return run_case(c, options.dtype.value_or(c.dtype()), options.device);
    } catch (const LossError& e) {
      report.lines.push_back(fmt::format("expected a value, got {}: {}", str(e.loss_code), e.what()));
      return CaseRun{};
    }
  }();
  if (!report.lines.empty()) return std::nullopt;
  for (const Values& want : c.gold) {
    Limits limits = limits_of(c, run, want);
    if (options.ulps) limits = {{0.0}, 0, false, options.ulps, ""};
    const auto axes = axes_of(want.name, c.layout, want.shape, run.inputs.options.over);
    report.comparisons.push_back(compare(run.of(want.name), want, limits, run.dtype, c.config->nan() == "equal", axes));
    if (const Comparison& last = report.comparisons.back(); !last.passed()) report.lines.push_back(last.line);
  }
  std::optional<Unexplained> out;
  if (auto answer = answer_to_explain(c, run, report.comparisons)) out = {std::move(*answer), report.lines.size()};
  const size_t differences = report.lines.size();
  expect_peer_to_differ(c, run, report);
  add_notes(c, run, options, report);
  if (differences == 0) return out;
  for (const std::string& note : report.notes) report.lines.push_back("note: " + note);
  report.notes.clear();
  return out;
}

std::optional<Unexplained> compare_case(const LossCase& c, const CheckOptions& options, CaseReport& report) {
  if (c.config->expect().error.empty()) return expect_values(c, options, report);
  expect_error(c, options, report);
  return std::nullopt;
}

// What failed, explained together: reports[i] belongs to found[i].
void explain_failures(const std::vector<CaseReport*>& reports, const std::vector<Unexplained>& found, bool verbose) {
  std::vector<CaseAnswer> answers;
  for (const Unexplained& u : found) answers.push_back(u.answer);
  const std::vector<std::vector<std::string>> lines = explain_answers(answers, verbose);
  for (size_t i = 0; i < found.size(); ++i) {
    std::vector<std::string>& to = reports[i]->lines;
    to.insert(to.begin() + static_cast<std::ptrdiff_t>(found[i].place), lines[i].begin(), lines[i].end());
  }
}

void check_alone(const LossCase& c, const CheckOptions& options, CaseReport& report) {
  if (auto left = compare_case(c, options, report)) explain_failures({&report}, {std::move(*left)}, options.verbose);
}

LossCase read(const std::string& path, const CheckOptions& options) {
  return options.loss.empty() ? read_case(path) : read_case_with_loss(path, options.loss);
}

void walk(const std::string& path, std::vector<std::string>& out) {
  if (is_case(path)) {
    out.push_back(path);
    return;
  }
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (error && error != std::errc::no_such_file_or_directory) out.push_back(path);
    return;
  }
  std::vector<std::string> inside;
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;
    if (!entry->is_symlink(unknown) || !entry->is_directory(unknown))
      inside.push_back(entry->path().string());  // no cycles
  }
  if (error) inside.push_back(path);
  std::sort(inside.begin(), inside.end());
  for (const std::string& p : inside) p == path ? out.push_back(p) : walk(p, out);
}

template <class F>
CaseReport timed(const std::string& path, const F& run) {
  CaseReport report;
  report.path = path;
  const auto begin = std::chrono::steady_clock::now();
  try {
    run(report);
    if (!report.lines.empty()) report.verdict = Verdict::differs;
  } catch (const InputError& e) {
    report.verdict = Verdict::unreadable;
    report.lines = {e.what()};
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace

CaseReport check_case(const LossCase& c, const CheckOptions& options) {
  return timed(c.path, [&](CaseReport& report) { check_alone(c, options, report); });
}

CaseReport check_case(const std::string& path, const CheckOptions& options) {
  return timed(path, [&](CaseReport& report) { check_alone(read(path, options), options, report); });
}

std::vector<CaseReport> check_together(const std::vector<std::string>& paths, const CheckOptions& options) {
  std::vector<CaseReport> out;
  std::vector<size_t> failed;
  std::vector<Unexplained> found;
  for (const std::string& path : paths) {
    std::optional<Unexplained> left;
    out.push_back(timed(path, [&](CaseReport& report) { left = compare_case(read(path, options), options, report); }));
    if (left) failed.push_back(out.size() - 1), found.push_back(std::move(*left));
  }
  std::vector<CaseReport*> reports;
  for (const size_t i : failed) reports.push_back(&out[i]);
  if (!found.empty()) explain_failures(reports, found, options.verbose);
  return out;
}

std::vector<std::string> find_cases(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) refuse("{}: cannot be read ({})", shown_path(path), std::strerror(ENOENT));
    if (fs::is_directory(status))
      walk(path, out);
    else
      out.push_back(path);
  }
  return out;
}

std::string tally(const std::vector<CaseReport>& reports) {
  const auto count = [&](Verdict v) {
    return std::count_if(reports.begin(), reports.end(), [&](const CaseReport& r) { return r.verdict == v; });
  };
  const auto differs = count(Verdict::differs), unreadable = count(Verdict::unreadable);
  return fmt::format("{} case{}: {} as expected{}{}", reports.size(), reports.size() == 1 ? "" : "s",
                     count(Verdict::as_expected), differs ? fmt::format(", {} not", differs) : "",
                     unreadable ? fmt::format(", {} unreadable", unreadable) : "");
}

ExitCode exit_code(const std::vector<CaseReport>& reports) {
  ExitCode code = reports.empty() ? ExitCode::refused : ExitCode::done;
  for (const CaseReport& r : reports) {
    if (r.verdict == Verdict::unreadable) return ExitCode::refused;
    if (r.verdict == Verdict::differs) code = ExitCode::no;
  }
  return code;
}

CaseReport check_files(const std::string& a, const std::string& b, const Limits& limits) {
  return timed(a + " " + b, [&](CaseReport& report) {
    const SafetensorsFile left = read_safetensors(a), right = read_safetensors(b);
    if (left.tensors.empty() && right.tensors.empty()) refuse("{}: error: there is no tensor", shown_path(a));
    for (const NamedArray& want : right.tensors)
      if (!left.find(want.name))
        report.lines.push_back(fmt::format("{} is only in {}", shown(want.name), shown_path(b)));
    for (const NamedArray& got : left.tensors) {
      const NamedArray* want = right.find(got.name);
      if (!want) {
        report.lines.push_back(fmt::format("{} is only in {}", shown(got.name), shown_path(a)));
        continue;
      }
      const std::string name = shown(got.name);
      const bool whole = !is_floating(got.dtype) || !is_floating(want->dtype);  // then equal or not
      if (whole && got.dtype != want->dtype)
        report.lines.push_back(fmt::format("{} is {} and {}", name, name_of(got.dtype), name_of(want->dtype)));
      Limits own = limits;
      if (!is_floating(got.dtype)) own = {};
      if (got.dtype != want->dtype) own.exact = false;
      const DType dtype = got.dtype == DType::f64 && want->dtype == DType::f64 ? DType::f64 : DType::f32;
      report.comparisons.push_back(compare({name, got.shape, to_doubles(got)}, {name, want->shape, to_doubles(*want)},
                                           own, dtype, true, {}, {"first", "second"}));
      if (!report.comparisons.back().passed())
        report.lines.push_back(report.comparisons.back().line);
      else if (whole && got.dtype == want->dtype && got.bytes != want->bytes)
        report.lines.push_back(fmt::format("{} differs in whole numbers beyond 2^53", name));
    }
  });
}

}  // namespace seqgrad
