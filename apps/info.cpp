// `seqgrad info`: what this build is, where it runs, and what it knows by name.
#include <fmt/ranges.h>

#include <algorithm>
#include <thread>

#include "apps/command.h"
#include "engine/core/isa.h"
#include "engine/core/op_registry.h"
#include "engine/device/bf16_kernels.h"
#include "engine/device/choose.h"
#include "engine/loss/divisors.h"
#include "engine/loss/presets.h"
#include "engine/naming/findings.h"
#include "engine/naming/torch.h"

namespace seqgrad {
namespace {

struct Options {
  bool presets = false, divisors = false, findings = false, ops = false;
};

// Characters of UTF-8 text; each takes one column here.
size_t width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// What is particular about a row beside its value: "flags: …; smoothing: others; empty: nan".
std::string notes(const Preset& p) {
  std::vector<std::string> out;
  if (p.flags >= 0) {
    std::vector<std::string> on;
    for (const auto& [bit, name] : {std::pair{average_across_timesteps, "average_across_timesteps"},
                                    {average_across_batch, "average_across_batch"},
                                    {sum_over_timesteps, "sum_over_timesteps"},
                                    {sum_over_batch, "sum_over_batch"}})
      if (p.flags & bit) on.emplace_back(name);
    out.push_back(on.empty() ? "flags: none true" : fmt::format("flags: {}", fmt::join(on, ", ")));
  }
  if (p.given == Given::dense) out.emplace_back("for dense targets");
  if (p.given == Given::class_weight) out.emplace_back("with class weights");
  if (p.row.smoothing_kind == SmoothingKind::others) out.emplace_back("smoothing: others");
  if (p.row.smoothing_kind == SmoothingKind::others_excluding) out.emplace_back("smoothing: others_excluding, as kl");
  if (p.row.input == Input::probs) out.emplace_back("input: probs (renorm_clip), target: dense");
  if (p.scope == Scope::micro) out.emplace_back("scope: micro");
  if (p.on_zero == OnZero::nan) out.emplace_back("nan when nothing counts");
  return fmt::format("{}", fmt::join(out, "; "));
}

void show_presets() {
  size_t name = 0, formula = 0, divide = 0;
  for (const Preset& p : presets()) {
    name = std::max(name, fmt::formatted_size("{}", p.name));
    formula = std::max(formula, width(p.formula));
    divide = std::max(divide, str(p.divide).size());
  }
  fmt::print(
      "ℓ: loss of a position, ω: its weight (mask m times token, example and class weight); a vector names its "
      "shape\n\n");
  const auto line = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
    fmt::print("{:<{}}  {}{:<{}}  {:<{}}  {}\n", a, name, b, "", formula - width(b), c, divide, d);
  };
  line("preset", "value", "divide", "who");
  for (const Preset& p : presets()) {
    line(p.name, p.formula, str(p.divide), p.who);
    if (const std::string more = notes(p); !more.empty()) fmt::print("    {}\n", more);
  }
}

// Lines of code below each other, each indented.
void show_code(const char* what, const std::string& code) {
  size_t from = 0;
  for (bool first = true; from < code.size(); first = false) {
    const size_t end = std::min(code.find('\n', from), code.size());
    fmt::print("    {:<5}{}\n", first ? what : "", code.substr(from, end - from));
    from = end + 1;
  }
}

void show_findings() {
  fmt::print("What can be wrong with a loss, with PyTorch that does it and what mends it. Both are written with\n\n");
  show_code("", findings_given);
  fmt::print("\nand mend it for a mean over tokens; `conform` prints what mends it for the loss that is meant.\n\n");
  for (const FindingInfo& f : findings()) {
    fmt::print("{}\n    {}\n", f.id, f.sentence);
    std::string code = f.code;
    if (const size_t at = code.find("{loss}"); at != std::string::npos) code = mend_of({"", "", "", f.code});
    if (!code.empty()) show_code("does", code);
    if (f.mend[0] != '\0') show_code("mend", std::string(f.mend) == "{loss}" ? torch_of({}) : f.mend);
  }
}

int show_info(const Options& o) {
  if (o.presets) show_presets();
  if (o.divisors)
    for (const Divisor& d : divisors()) fmt::print("{:<20} {}\n", d.name, d.formula);
  if (o.findings) show_findings();
  if (o.ops)
    for (const auto& [name, op] : ops()) fmt::print("{:<20} {}\n", name, op.doc);
  if (o.presets || o.divisors || o.findings || o.ops) return 0;
  const Isa used = isa();  // refused before anything is printed
  fmt::print("seqgrad {}\n", SEQGRAD_VERSION);
  fmt::print("cpu      {}, {} cores\n", backend(Device::cpu).describe(), std::thread::hardware_concurrency());
  fmt::print("isa      {}{}{}\n", name_of(used), used < cpu_isa() ? " (by SEQGRAD_ISA)" : "",
             bf16_kernels() ? ", with bfloat16 (precision: bf16)" : "");
  const DeviceChoice choice = choose_device("auto");
  fmt::print("gpu      {}\n", choice.device == Device::cuda ? backend(Device::cuda).describe()
                                                            : fmt::format("none ({})", choice.why_not_gpu));
  for (int d = 0; d < device_count; ++d)
    if (const auto other = static_cast<Device>(d); other > Device::cuda && has_backend(other))
      fmt::print("{:<8} {}\n", name_of(other), backend(other).describe());
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_flag("--presets", o->presets, "The losses of the field by name: formula, divisor, who uses it");
  app.add_flag("--divisors", o->divisors, "What a loss may be divided by");
  app.add_flag("--findings", o->findings, "What can be wrong with a loss: ids, PyTorch that does it, what mends it");
  app.add_flag("--ops", o->ops, "The ops of the engine");
  return [o] { return show_info(*o); };
}

const bool registered = register_command({"info",
                                          "Versions, CPU, devices; tables of presets, divisors, findings and ops",
                                          "seqgrad info --presets",
                                          declare,
                                          {"about", "devices", "presets", "env"}});

}  // namespace
}  // namespace seqgrad
