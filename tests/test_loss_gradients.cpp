// Gradients of every mode against central differences in float64.
#include "engine/check/gradcheck.h"
#include "engine/ops/elementwise.h"
#include "tests/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("gradients agree with central differences over divisors, smoothing, caps and z-loss, in both forms") {
  uint64_t seed = 0;
  for (const Divisor& d : divisors())
    for (const double epsilon : {0.0, 0.1})
      for (const bool capped : {false, true})
        for (const double zeta : {0.0, 0.02})
          for (const int scope : {0, 1, 2}) {
            RandomCase c(++seed, false);
            c.in.classes = 6;
            Random r(seed, 9);
            c.options = {};
            c.options.divide.flat = d.name;
            c.options.smoothing = epsilon;
            if (seed % 3 == 1) c.options.smoothing_kind = SmoothingKind::others;
            if (capped) c.options.softcap = 2.0;
            c.options.z_loss = zeta;
            const auto cells = static_cast<size_t>(c.in.batch * c.in.steps);
            for (auto& y : c.in.targets) y %= 6;
            if (scope > 0 || std::string(d.name) == "class_weight") {
              c.in.class_weight.emplace();
              for (int v = 0; v < 6; ++v) c.in.class_weight->push_back(r.uniform() + .2);
              c.options.class_scope = scope == 2 ? ClassScope::target : ClassScope::per_class;
            }
            std::vector<double> z(cells * 6), h(cells * 3), w(18), b(6), keep;
            for (auto* v : {&z, &h, &w, &b})
              for (double& x : *v) x = r.normal();
            const LiveRows rows = build_live_rows(c.in, c.options);
            CAPTURE(seed, d.name, epsilon, capped, zeta, scope);
            Tape& tape = Tape::current();
            const auto direct = [&](Tensor* leaf) {
              const Tensor x = variable(from_host(z, {c.in.batch, c.in.steps, 6}));
              if (leaf) *leaf = x;
              return sequence_loss(x, c.in, rows, c.options).value;
            };
            tape.reset();
            Tensor leaf;
            tape.backward(scale(direct(&leaf), 1.5));
            keep = to_host<double>(grad(leaf));
            const GradientClaim claim{"logits", z.data(), keep.data(), static_cast<int64_t>(z.size())};
            const auto report = check_gradients(
                [&] {
                  tape.reset();
                  return 1.5 * *direct(nullptr).as<double>();
                },
                {&claim, 1});
            INFO(report.where);
            REQUIRE(report.passed());
            std::vector<Tensor> leaves;
            const auto fused = [&] {
              leaves = {variable(from_host(h, {c.in.batch, c.in.steps, 3})), variable(from_host(w, {6, 3})),
                        variable(from_host(b, {6}))};
              return linear_sequence_loss(leaves[0], leaves[1], leaves[2], c.in, rows, c.options, rows.divisor).value;
            };
            tape.reset();
            tape.backward(fused());
            std::vector<std::vector<double>> g;
            for (const Tensor& t : leaves) g.push_back(to_host<double>(grad(t)));
            const std::vector<GradientClaim> claims = {
                {"hidden", h.data(), g[0].data(), static_cast<int64_t>(h.size())},
                {"weight", w.data(), g[1].data(), 18},
                {"bias", b.data(), g[2].data(), 6}};
            const auto fused_report = check_gradients(
                [&] {
                  tape.reset();
                  return *fused().as<double>();
                },
                claims);
            INFO(fused_report.where);
            REQUIRE(fused_report.passed());
          }
}
