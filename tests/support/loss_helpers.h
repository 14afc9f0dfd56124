// What the tests of the loss layer share: comparison, messages, a loss on a few numbers written down in the test.
#pragma once
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/error.h"
#include "engine/loss/sequence_loss.h"
#include "tests/support/catch.h"

namespace seqgrad::testing {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

inline bool close(double a, double b, double tolerance) {
  if (std::isnan(b) || std::isinf(b)) return std::isnan(b) ? std::isnan(a) : a == b;
  return std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b));
}

inline void check_close(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i, got[i], want[i]);
    CHECK(close(got[i], want[i], tolerance));
  }
}

inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// A loss whose numbers a test writes down, in float64: one call, value and gradient.
struct Numbers {
  LossInputs in;
  LossOptions options;
  std::vector<double> x;  // logits or probabilities [B,T,V]
  Device device = Device::cpu;

  Numbers(int64_t batch, int64_t steps, int64_t classes, std::vector<double> prediction,
          std::vector<int64_t> targets = {})
      : x(std::move(prediction)) {
    in.batch = batch, in.steps = steps, in.classes = classes;
    in.targets = std::move(targets);
    options.target = in.targets.empty() && batch * steps > 0 ? Target::dense : Target::ids;
  }

  struct Out {
    std::vector<double> value, gradient;
    LossResult result;
  };
  Out run() const {  // of a vector loss: with an upstream gradient of ones
    Tape& tape = Tape::current();
    tape.reset();
    const Tensor z = variable(from_host(x, {in.batch, in.steps, in.classes}, device));
    Out out;
    out.result = sequence_loss(z, in, options);
    out.value = out.result.values;
    tape.backward(out.result.value,
                  from_host(std::vector<double>(out.value.size(), 1.0), out.result.value.shape, device));
    out.gradient = to_host<double>(grad(z));
    return out;
  }
};

}  // namespace seqgrad::testing
