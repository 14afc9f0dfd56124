// The losses of the field by name, each a point (over, divide, zero policy, …): a new one is one row in presets.cpp.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/loss/options.h"

namespace seqgrad {

// TF1's and TF Addons' flags, as bits.
enum Flag { average_across_timesteps = 1, average_across_batch = 2, sum_over_timesteps = 4, sum_over_batch = 8 };

// Which inputs a row of a name is for, where the function divides differently for them.
enum class Given { anything, class_weight, dense };

// What a preset says about the row loss, where it does; never an epsilon.
struct RowLossOf {
  std::optional<SmoothingKind> smoothing_kind = {};
  bool kl = false;
  std::optional<ClassScope> class_scope = {};
  std::optional<Target> target = {};
  std::optional<Input> input = {};
  std::optional<ProbsMode> probs_mode = {};
};

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
  RowLossOf row = {};
  Report report = {};  // what the peer prints, where that is not what it differentiates
  Given given = Given::anything;
};

std::span<const Preset> presets();
std::vector<std::string> preset_names();  // each once

// The row for a name, flags (-1: the defaults of the function) and inputs. Throws E14 for an unknown name, E15 for a
// set of flags that the function refuses.
const Preset& preset(const std::string& name, int flags = -1, Given given = Given::anything);

// The defaults with all that the preset says.
LossOptions options_of(const Preset& preset);

// What is particular in its row loss, in words; "" where that is what `options` have. Smoothing kinds and class scopes
// are the same without smoothing and class weights.
std::string own_row_loss(const Preset& preset, const LossOptions& options, bool class_weights);

}  // namespace seqgrad
