// `seqgrad loss`: the right loss and gradient for a person's own tensors, in float64; and what loss a number is.
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "engine/check/gold_gradients.h"
#include "engine/check/name_case.h"
#include "engine/check/probabilities_note.h"
#include "engine/check/run_case.h"
#include "engine/check/separate.h"
#include "engine/io/json_text.h"
#include "engine/io/output.h"

namespace seqgrad {
namespace {

struct Options {
  std::vector<std::string> paths;
  std::string preset, out, which;
  bool json = false, verbose = false;
};

nlohmann::ordered_json nested(const Values& v, size_t depth, size_t& at) {
  const auto number = [](double x) {
    return std::isfinite(x) ? nlohmann::ordered_json(x)
                            : nlohmann::ordered_json(std::isnan(x) ? "nan"
                                                     : x > 0       ? "inf"
                                                                   : "-inf");
  };
  if (depth == v.shape.size()) return number(v.numbers[at++]);
  auto list = nlohmann::ordered_json::array();
  for (int64_t i = 0; i < v.shape[depth]; ++i) list.push_back(nested(v, depth + 1, at));
  return list;
}

// A row a line, the last dimension beside each other.
void print(const Values& v) {
  constexpr size_t most = 2000;
  fmt::print("{}", v.name);
  if (v.shape.empty()) {
    fmt::print(" {:.12g}\n", v.numbers[0]);
    return;
  }
  fmt::print(" [{}]\n", fmt::join(v.shape, ","));
  const auto width = static_cast<size_t>(v.shape.back());
  for (size_t i = 0; i < v.numbers.size() && i < most; ++i)
    fmt::print("{}{:.9g}{}", i % width == 0 ? "  " : " ", v.numbers[i], i % width + 1 == width ? "\n" : "");
  if (v.numbers.size() > most) fmt::print("  … {} more; --out F.safetensors has them\n", v.numbers.size() - most);
}

void say_probabilities(const LossCase& c, const CaseRun& run) {
  if (const std::string text = probabilities_note(c, run); !text.empty()) note("note: " + text);
}

// What gives the gold of all cases at once. One that its own loss refuses is no evidence of another.
int say_which_gold(const Options& o) {
  std::vector<LossCase> cases;
  for (const std::string& path : o.paths) {
    cases.push_back(read_case(path));
    try {
      say_probabilities(cases.back(), run_case(cases.back(), DType::f64, Device::cpu));
    } catch (const LossError& e) {
      refuse(e.loss_code, "{}: {}", shown_path(path), e.what());
    }
  }
  const Naming found = name_cases(cases);
  if (o.json) {
    auto json = nlohmann::ordered_json::object();
    json["cases"] = cases.size();
    for (const LossHypothesis& h : found.fits)
      json["fits"].push_back({{"ids", h.ids}, {"sentence", h.sentence}, {"names", h.names}, {"constant", h.constant}});
    for (const Nearest& n : found.nearest)
      json["nearest"].push_back(
          {{"least", n.least}, {"most", n.most}, {"sentence", n.hypothesis.sentence}, {"names", n.hypothesis.names}});
    fmt::print("{}\n", printed_json(json, 2));
  } else {
    for (const std::string& line : lines_of(found, cases.size(), o.verbose ? 100 : 5)) print_text(line + "\n");
  }
  for (const LossCase& c : cases)
    if (const std::string text = found.fits.empty() ? "" : gold_gradients_note(c); !text.empty()) note("note: " + text);
  return static_cast<int>(found.fits.empty() ? ExitCode::no : ExitCode::done);
}

int say_which(const LossCase& c, const Options& o) {
  const Asked asked = asked_value(o.which);
  const CaseInputs in = inputs_of(c);
  say_probabilities(c, run_case(c, DType::f64, Device::cpu));
  const Which found = which(c, in, asked.value, asked.tolerance);
  // What else would look the same on this batch, of the first explanation that needs no change.
  const bool has_plain = !found.matches.empty() && found.matches[0].change.empty() && found.matches[0].is_form;
  const WhichMatch* first = has_plain ? &found.matches[0] : nullptr;
  if (o.json) {
    auto json = nlohmann::ordered_json::object();
    json["value"] = o.which;
    for (const WhichMatch& f : found.matches)
      json["matches"].push_back(
          {{"names", f.names}, {"change", f.change}, {"divisor", f.divisor}, {"counts", f.words}});
    for (const auto& [ratio, f] : found.misses)
      json["nearest"].push_back({{"ratio", ratio}, {"value", f.value[0]}, {"names", f.names}, {"divisor", f.divisor}});
    if (first) json["not_separated"] = not_separated(in.loss, first->options);
    fmt::print("{}\n", printed_json(json, 2));
  } else {
    const size_t most = o.verbose ? 100 : 5;
    for (const std::string& line : lines_of(found, o.which, most)) print_text(line + "\n");
    if (const std::string note = first ? separation_note(in.loss, first->options, first->names[0], most) : "";
        !note.empty())
      fmt::print("note: {}\n", note);
  }
  return static_cast<int>(found.matches.empty() ? ExitCode::no : ExitCode::done);
}

int loss(const Options& o) {
  if (!o.which.empty() && !o.preset.empty())
    refuse("loss: --preset goes without --which, which looks for the reduction");
  if (!o.which.empty() && !o.out.empty()) refuse("loss: --out goes without --which, which writes no numbers");
  if (o.which == "gold") return say_which_gold(o);
  if (o.paths.size() > 1) refuse("several cases go with --which gold, which looks for what fits them all");
  const LossCase c = o.preset.empty() ? read_case(o.paths[0]) : read_case_with_preset(o.paths[0], o.preset);
  if (!o.which.empty()) return say_which(c, o);
  if (!o.out.empty()) check_named_output(o.out);
  const CaseRun run = run_case(c, DType::f64, Device::cpu);
  for (const LossWarning& w : run.rows.warnings) note("warning: " + w.text);
  for (const LossWarning& w : run.loss.warnings) note("warning: " + w.text);
  say_probabilities(c, run);
  if (!o.out.empty()) {
    std::vector<NamedArray> tensors;
    for (const Values& v : run.values) tensors.push_back(named_array(v.name, v.shape, v.numbers.data()));
    write_safetensors(o.out, tensors);
  }
  if (o.json) {
    auto json = nlohmann::ordered_json::object();
    for (const Values& v : run.values) {
      size_t at = 0;
      json[v.name] = nested(v, 0, at);
    }
    fmt::print("{}\n", printed_json(json));
  } else if (o.out.empty()) {
    for (const Values& v : run.values) print(v);
  } else {
    print(run.of("value"));
  }
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("case", o->paths, "A case: a folder, or a YAML file with its tensors; several with --which gold")
      .required()
      .type_name("CASE");
  app.add_option("--preset", o->preset, "Reduce as this preset does, instead of the case's own reduction")
      .type_name("PRESET");
  app.add_option("--out", o->out, "Write value, row losses, numerator, divisor and gradients, in float64")
      .type_name("F.safetensors");
  app.add_flag("-v,--verbose", o->verbose, "With --which: all names of each explanation");
  app.add_flag("--json", o->json, "Print one JSON object");
  app.add_option("--which", o->which,
                 "Say which presets, or axes and divisors, yield this value (nan; a vector: 1.8,4,0), or the "
                 "gold.value of every case (gold)")
      .type_name("VALUE");
  return [o] { return loss(*o); };
}

const bool registered = register_command({"loss",
                                          "The loss and gradient of your own tensors, and which loss a number is",
                                          "seqgrad loss tests/cases/tfa/flags_ttff_f64 --which 4.178",
                                          declare,
                                          {"compute", "which"}});

}  // namespace
}  // namespace seqgrad
