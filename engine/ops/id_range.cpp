// Bounds are kept beside a tensor (tensor.h); its numbers are looked at where there are none, or to say which is wrong.
#include "engine/ops/id_range.h"

#include <vector>

namespace seqgrad {

std::optional<OutsideId> first_outside(const Tensor& x, int64_t low, int64_t high) {
  const auto look = [&](const int32_t* values) -> std::optional<OutsideId> {
    for (int64_t i = 0; i < x.numel(); ++i)
      if (values[i] < low || values[i] > high) return OutsideId{i, values[i]};
    return std::nullopt;
  };
  if (x.device == Device::cpu) return look(x.as<int32_t>());
  if (x.bounds.known && x.bounds.low >= low && x.bounds.high <= high) return std::nullopt;
  return look(to_host<int32_t>(x).data());
}

void check_lengths(const char* op, const char* what, const Tensor& lengths, int64_t most) {
  if (const auto bad = first_outside(lengths, 0, most))
    refuse("{}: {}[{}]={} is outside [0,{}]", op, what, bad->at, bad->value, most);
}

}  // namespace seqgrad
