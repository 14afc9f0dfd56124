// `seqgrad info`: what this build is, where it runs, and what it knows by name.
#include <thread>

#include "apps/command.h"
#include "engine/core/op_registry.h"
#include "engine/loss/divisors.h"
#include "engine/loss/presets.h"

namespace seqgrad {
namespace {

struct Options {
  bool presets = false, divisors = false, ops = false;
};

int show_info(const Options& o) {
  if (o.presets)
    for (const Preset& p : presets()) {
      std::string flags;
      for (const auto& [bit, name] : {std::pair{average_across_timesteps, "average_across_timesteps"},
                                      {average_across_batch, "average_across_batch"},
                                      {sum_over_timesteps, "sum_over_timesteps"},
                                      {sum_over_batch, "sum_over_batch"}})
        if (p.flags > 0 && (p.flags & bit)) flags += (flags.empty() ? "" : " ") + std::string(name);
      std::string notes = p.flags < 0 ? "" : fmt::format(" [{}]", flags.empty() ? "all flags false" : flags);
      if (p.given != Given::anything) notes += p.given == Given::dense ? " [dense targets]" : " [class weights]";
      if (p.row.smoothing_kind == SmoothingKind::others) notes += " [smoothing others]";
      if (p.row.smoothing_kind == SmoothingKind::others_excluding) notes += " [smoothing others_excluding, kl]";
      if (p.row.input == Input::probs) notes += " [probs, renorm_clip]";
      fmt::print("{:<36} {:<42} {:<32} {}{}\n", p.name, p.formula, str(p.divide), p.who, notes);
    }
  if (o.divisors)
    for (const Divisor& d : divisors()) fmt::print("{:<20} {}\n", d.name, d.formula);
  if (o.ops)
    for (const auto& [name, op] : ops()) fmt::print("{:<20} {}\n", name, op.doc);
  if (o.presets || o.divisors || o.ops) return 0;
  fmt::print("seqgrad {}\n", SEQGRAD_VERSION);
  fmt::print("cpu      {}, {} cores\n", backend(Device::cpu).describe(), std::thread::hardware_concurrency());
#if defined(__x86_64__)
  fmt::print("isa      {}\n", __builtin_cpu_supports("avx512f") ? "avx512"
                              : __builtin_cpu_supports("avx2")  ? "avx2"
                                                                : "x86-64");
#endif
  fmt::print("gpu      none (built without CUDA)\n");
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_flag("--presets", o->presets, "The losses of the field by name: formula, divisor, who uses it");
  app.add_flag("--divisors", o->divisors, "What a loss may be divided by");
  app.add_flag("--ops", o->ops, "The ops of the engine");
  return [o] { return show_info(*o); };
}

const bool registered = register_command(
    {"info", "Versions, CPU, devices; tables of presets, divisors and ops", "seqgrad info --presets", declare});

}  // namespace
}  // namespace seqgrad
