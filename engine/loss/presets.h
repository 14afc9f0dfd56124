// The losses of the field by name, each a point (over, divide, zero policy, …): a new one is one row in presets.cpp.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/loss/options.h"

namespace seqgrad {

// TF1's and TF Addons' flags, as bits.
enum Flag { average_across_timesteps = 1, average_across_batch = 2, sum_over_timesteps = 4, sum_over_batch = 8 };

struct Preset {
  const char* name;
  Over over;
  Divide divide;
  double divide_eps = 0;
  OnZero on_zero = OnZero::zero;
  Scope scope = Scope::global;
  int flags = -1;       // the flag set that this row stands for; -1: the preset has no flags
  int known_flags = 0;  // flags that the function has
  int default_flags = 0;
  const char* who = "";      // who uses it
  const char* formula = "";  // the value, in symbols
};

std::span<const Preset> presets();
std::vector<std::string> preset_names();  // each once

// The row for a name and flags (-1: the defaults of the function). Throws E14 for an unknown name, E15 for a set of
// flags that the function refuses.
const Preset& preset(const std::string& name, int flags = -1);

}  // namespace seqgrad
