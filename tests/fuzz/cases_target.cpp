// A loss case: case.yaml and, after a NUL byte, tensors.safetensors. Refused in words, or it runs and compares.
#include "engine/check/check_case.h"
#include "engine/check/junit.h"
#include "engine/check/name_case.h"
#include "tests/fuzz/targets.h"

using namespace seqgrad;

void fuzz_cases(std::string_view input) {
  const size_t end = std::min(input.find('\0'), input.size());
  try {
    std::optional<SafetensorsFile> tensors;
    if (end < input.size()) tensors = parse_safetensors("tensors.safetensors", input.substr(end + 1));
    const LossCase c = make_case(parse_yaml(input.substr(0, end), "case.yaml", ""), std::move(tensors), "case");
    const CaseReport report = check_case(c, {});
    require(report.lines.empty() == (report.verdict == Verdict::as_expected), "a verdict has its reasons");
    require(!junit_xml({report}).empty(), "every report can be written");
    if (report.verdict == Verdict::unreadable) check_message(report.lines.at(0));
    which(c, inputs_of(c), {1.5}, 1e-9);
  } catch (const InputError& e) {
    check_message(e.what());
  }
}
