// What a loss refuses, by the numbers of README.md, Errors. They stand in no message: they are for those who expect an
// error, as a recorded case does.
#pragma once
#include "engine/core/error.h"

namespace seqgrad {

enum class LossCode {
  shape = 1,        // E01
  per_example,      // E02  [B] where [B,T] is expected
  step_counts,      // E03
  target_id,        // E04
  float_ids,        // E05
  length,           // E06
  weight,           // E07
  class_weights,    // E08
  dense_row,        // E09
  nonfinite,        // E10
  range,            // E11  of an option
  probabilities,    // E12
  empty,            // E13
  unknown_option,   // E14  or one that contradicts the preset
  flags,            // E15
  split_sentences,  // E16
  combination       // E17  of inputs or options
};

inline std::string str(LossCode code) { return fmt::format("E{:02}", static_cast<int>(code)); }

struct LossError : InputError {
  LossError(LossCode code, const std::string& message) : InputError(message), loss_code(code) {}
  LossCode loss_code;
};

// A live row that is not finite (E10): what a training that diverges meets, told from all else that a loss refuses.
struct NonfiniteLoss : LossError {
  explicit NonfiniteLoss(const std::string& message) : LossError(LossCode::nonfinite, message) {}
};

template <class... A>
[[noreturn]] void refuse(LossCode code, fmt::format_string<A...> format, A&&... args) {
  throw LossError(code, fmt::format(format, std::forward<A>(args)...));
}

}  // namespace seqgrad
