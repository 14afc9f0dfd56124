// `seqgrad check`: loss cases against their recorded gold, or two files of tensors.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "apps/command.h"
#include "apps/options.h"
#include "engine/check/check_case.h"
#include "engine/check/junit.h"
#include "engine/device/choose.h"
#include "engine/io/inputs.h"
#include "engine/io/output.h"
#include "engine/io/terminal.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

struct Options {
  std::vector<std::string> paths, files;
  std::string dtype, device = "cpu", junit, loss;
  std::optional<double> ulps;
  double rtol = 0, atol = 0;
  bool quiet = false, verbose = false;
};

// `named`: the case itself was named, not a folder of many.
void print(const CaseReport& r, const Options& o, bool named) {
  static const char* const verdicts[] = {"ok", "FAIL", "unreadable"};
  if (r.verdict == Verdict::unreadable) {
    for (const std::string& line : r.lines) note(line.find("error: ") == std::string::npos ? "error: " + line : line);
    return;
  }
  if (r.verdict != Verdict::as_expected || o.verbose)
    fmt::print("{} {}\n",
               styled(verdicts[static_cast<int>(r.verdict)], r.verdict == Verdict::differs ? Style::red : Style::bold,
                      STDOUT_FILENO),
               shown_path(r.path));
  for (const std::string& line : r.lines) print_text(fmt::format("  {}\n", line));
  if (!o.quiet && (named || o.verbose))
    for (const std::string& note : r.notes) print_text(fmt::format("  note: {}\n", note));
  if (o.verbose && r.verdict == Verdict::as_expected)
    for (const Comparison& c : r.comparisons)
      fmt::print("  {:<10} {} element{}, at most abs {:.1e} rel {:.1e} ulp {}, {:.2g} of the limit\n", c.name, c.total,
                 c.total == 1 ? "" : "s", c.worst_abs, c.worst_rel, ulps_text(c.worst_ulp), c.worst_share);
}

bool equal(const CaseReport& r) {
  return std::all_of(r.comparisons.begin(), r.comparisons.end(),
                     [](const Comparison& c) { return c.worst_abs == 0 && c.worst_ulp == 0; });
}

// Before the work, which may be long.
void check_report(const std::string& path, const std::vector<std::string>& cases,
                  const std::vector<std::string>& files) {
  for (const std::string& c : cases)
    for (const std::string& file : {files_of(c).yaml, files_of(c).tensors}) remember_input(file);
  for (const std::string& file : files) remember_input(file);
  check_named_output(path);
}

int check(const Options& o) {
  if (o.paths.empty() == o.files.empty()) refuse("check: give cases or folders of cases, or --files A B");
  for (const std::string& path : o.paths)
    if (path.ends_with(".safetensors"))
      refuse(
          "check: {} holds tensors, and a case is a folder or a YAML file; to compare two files of tensors: --files A "
          "B",
          shown_path(path));
  if (o.files.empty() && (o.rtol > 0 || o.atol > 0))
    refuse("check: --rtol and --atol go with --files; a case has its own");
  if (!o.files.empty() && !o.dtype.empty()) refuse("check: --dtype goes with cases");
  if (!o.files.empty() && !o.loss.empty()) refuse("check: --loss goes with cases");
  std::vector<CaseReport> reports;
  CheckOptions options;
  options.device = choose_device(o.device).device;
  options.ulps = o.ulps;
  if (!o.dtype.empty()) options.dtype = o.dtype == "f32" ? DType::f32 : DType::f64;
  options.loss = o.loss;
  options.verbose = o.verbose;
  const auto add = [&](CaseReport r) {
    print(r, o, std::find(o.paths.begin(), o.paths.end(), r.path) != o.paths.end());
    reports.push_back(std::move(r));
  };
  const std::vector<std::string> cases = o.files.empty() ? find_cases(o.paths) : std::vector<std::string>{};
  if (!o.junit.empty()) check_report(o.junit, cases, o.files);
  if (!o.files.empty()) {
    Limits limits{{o.atol}, o.rtol, o.rtol == 0 && o.atol == 0 && !o.ulps, o.ulps, ""};
    add(check_files(o.files[0], o.files[1], limits));
  } else {
    if (cases == o.paths)  // each one named: batches of one loss
      for (CaseReport& r : check_together(cases, options)) add(std::move(r));
    else
      for (const std::string& path : cases) add(check_case(path, options));
    if (reports.empty()) note(fmt::format("error: no case in {}", shown_path(o.paths[0])));
  }
  if (!o.junit.empty()) write_output(o.junit, junit_xml(reports));
  if (!o.quiet && !reports.empty()) {
    if (o.files.empty())
      fmt::print("{}\n", tally(reports));
    else if (reports[0].verdict == Verdict::as_expected)
      fmt::print("{}, {}\n", counted(static_cast<int64_t>(reports[0].comparisons.size()), "tensor"),
                 equal(reports[0]) ? "no difference" : "differences within the limits");
  }
  return static_cast<int>(exit_code(reports));
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("paths", o->paths, "Cases, or folders that hold cases at any depth").type_name("PATH");
  app.add_option("--files", o->files, "Compare two safetensors files, of any origin, bit by bit or within limits")
      .type_name("A B")
      .expected(2);
  app.add_option("--loss", o->loss,
                 "Try another meaning: keys in place of the case's reduction, '{preset: torch.mean}'")
      .type_name("YAML");
  app.add_option("--dtype", o->dtype, "Run in f32 or f64 instead of the case's own").check(one_of({"f32", "f64"}));
  app.add_device(o->device);
  app.add_option("--ulp", o->ulps, "Let N units in the last place pass, instead of the other limits")
      .type_name("N")
      .check(whole(0));
  app.add_option("--rtol", o->rtol, "With --files: relative limit").type_name("X").check(number(0, HUGE_VAL));
  app.add_option("--atol", o->atol, "With --files: absolute limit").type_name("X").check(number(0, HUGE_VAL));
  app.add_option("--junit", o->junit, "Write a JUnit report too").type_name("FILE");
  app.add_flag("-q,--quiet", o->quiet, "Print differences and errors only");
  app.add_flag("-v,--verbose", o->verbose, "Print every case, how far each of its gold is off, and all names");
  return [o] { return check(*o); };
}

const bool registered = register_command({"check",
                                          "Compare loss cases with recorded gold, or two files of tensors",
                                          "seqgrad check tests/cases --junit report.xml",
                                          declare,
                                          {"compare", "verify", "diff"}});

}  // namespace
}  // namespace seqgrad
