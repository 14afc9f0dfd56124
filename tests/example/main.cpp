#include <seqgrad/seqgrad.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  // Two sentences of three classes, [B=2,T=2,V=3]; the second one is one token long, and what lies beyond is not read.
  const std::vector<float> logits = {1, 2, 3, /**/ 3, 2, 1, /*second sentence*/ 0, 0, 0, /**/ NAN, NAN, NAN};
  const std::vector<int> targets = {2, 0, 1, 1000}, lengths = {2, 1};
  try {
    const auto r = seqgrad::loss(logits, {2, 2, 3}, targets, {.lengths = lengths, .preset = "torch.mean"});
    std::printf("loss %.9f = %.9f / %g\n", r.value, r.numerator, r.divisor);
    for (int n = 0; n < 4; ++n) {
      const float* d = &r.d_logits[3 * n];
      std::printf("token (%d,%d) %9.6f d_logits %9.6f %9.6f %9.6f\n", n / 2, n % 2, r.tokens[n].loss, d[0], d[1], d[2]);
    }
  } catch (const seqgrad::LossRefused& e) {
    std::fprintf(stderr, "%s: %s\n", e.code().c_str(), e.what());
    return 2;
  }
}
