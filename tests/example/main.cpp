// The loss and its gradient for arrays of your own: two sentences, the second one token long, what is beyond holds NaN.
#include <cmath>
#include <cstdio>

#include "engine/loss/sequence_loss.h"

using namespace seqgrad;

int main() {
  float logits[2 * 2 * 3] = {1, 2, 3, /**/ 3, 2, 1, /*second sentence*/ 0, 0, 0, /**/ NAN, NAN, NAN};  // [B=2,T=2,V=3]
  LossInputs in;
  in.batch = 2, in.steps = 2, in.classes = 3;
  in.targets = {2, 0, 1, 1000};  // [B,T]; the last one is padding
  in.lengths = {{2, 1}};         // [B]
  const LossOptions options;     // a mean over real tokens; see engine/loss/options.h

  Tape::current().reset();
  const Tensor z = variable(wrap(logits, {2, 2, 3}));
  const LossResult loss = sequence_loss(z, in, build_live_rows(in, options), options);
  Tape::current().backward(loss.value);
  const float* d = grad(z).as<float>();
  std::printf("loss %.9f = %.9f / %g\n", loss.values[0], loss.sum.numerator, loss.sum.divisor);
  for (int n = 0; n < 4; ++n)
    std::printf("d_logits(%d,%d) %9.6f %9.6f %9.6f\n", n / 2, n % 2, d[3 * n], d[3 * n + 1], d[3 * n + 2]);
}
