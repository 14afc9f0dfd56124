// Gradients under an upstream: each entry of the value has rows of its own, which its upstream multiplies.
#include <algorithm>
#include <cmath>

#include "engine/conform/properties/properties.h"
#include "engine/core/random.h"

namespace seqgrad {
namespace {

// The upstream of the entry that each number of d_x belongs to.
std::vector<double> by_cell(const Program& p, const LossBatch& b) {
  const int64_t t = b.inputs.steps, width = b.width(), value_steps = t - (b.shifts ? 1 : 0);
  std::vector<double> out(b.x.size(), 0.0);
  for (int64_t i = 0; i < static_cast<int64_t>(out.size()); ++i) {
    const int64_t cell = i / width, example = cell / t, step = cell % t;
    if (step >= value_steps) continue;  // the last column, which a shift leaves out
    const int64_t entry = p.axis == Over::all     ? 0
                          : p.axis == Over::time  ? example
                          : p.axis == Over::batch ? step
                                                  : example * value_steps + step;
    out[static_cast<size_t>(i)] = b.upstream[static_cast<size_t>(entry)];
  }
  return out;
}

std::vector<double> times(const std::vector<double>& g, const std::vector<double>& up) {
  std::vector<double> out(g.size());
  for (size_t i = 0; i < g.size(); ++i) out[i] = g[i] == 0 ? 0 : g[i] * up[i];
  return out;
}

std::vector<std::vector<double>> upstreams(const Program& p, const LossBatch& b, uint64_t seed) {
  if (p.axis == Over::all) return {{3}, {-0.5}, {1e-6}};
  int64_t entries = 1;
  for (const int64_t d : value_shape(p, b)) entries *= d;
  std::vector<double> up(static_cast<size_t>(entries));
  Random random(seed, 103);
  for (double& x : up) x = static_cast<double>(1 + random.below(15)) / 8 * (random.below(2) ? 1 : -1);
  if (!up.empty()) up[0] = -1.5;  // which is told from an upstream of 1
  return {up, std::vector<double>(up.size(), 3.0)};
}

const char* id_of(const std::vector<double>& got, const std::vector<double>& plain, const std::vector<double>& up,
                  double limit) {
  if (!worst_of(got, plain, limit).differs()) return "upstream:ignored";
  if (!worst_of(got, times(plain, std::vector<double>(plain.size(), up[0])), limit * std::abs(up[0])).differs())
    return "upstream:first_row";
  return "upstream:other";
}

}  // namespace

PropertyResult check_upstream(Trial& t) {
  if (!t.has_gradient()) return not_tried("upstream", "gives no gradient");
  std::vector<Evidence> found;
  for (const size_t i : t.telling) {
    LossBatch batch = t.batches[i];
    const LossAnswer& plain = t.replies[i].answer;
    for (const std::vector<double>& up : upstreams(t.program, batch, t.seed + i)) {
      batch.upstream = up;
      batch.reason = up.size() == 1 ? fmt::format("an upstream of {:g}", up[0]) : "an upstream for each entry";
      const Reply reply = t.ask(batch, "upstream", true);
      if (!reply.refusal.empty()) {
        found.push_back({"refuses:upstream", "refused: " + shown(reply.refusal), batch, 0, 0, false});
        continue;
      }
      const Scale limits = t.scale_of(t.batches[i], plain);
      double most = 0;
      for (const double x : up) most = std::max(most, std::abs(x));
      if (const Worst v = worst_of(reply.answer.value, plain.value, limits.value); v.differs()) {
        found.push_back({"upstream:other",
                         fmt::format("{}: value {} -> {}", batch.reason, number_text(v.want), number_text(v.got)),
                         batch, v.got, v.want, false});
        continue;
      }
      std::vector<double> want = times(plain.d_x, by_cell(t.program, batch));
      for (size_t n = 0; n < want.size(); ++n)
        if (!std::isfinite(plain.d_x[n])) want[n] = reply.answer.d_x[n];  // what is no number is told by the gradient
      const Worst g = worst_of(reply.answer.d_x, want, 2 * limits.d_x * most);
      if (!g.differs()) continue;
      const char* id = id_of(reply.answer.d_x, plain.d_x, up, 2 * limits.d_x * std::max(1.0, most));
      const std::string what = id == std::string("upstream:ignored")     ? "ignored"
                               : id == std::string("upstream:first_row") ? "every row is scaled by the first entry's"
                                                                         : "not what multiplies the rows";
      found.push_back({id,
                       fmt::format("{}: {} (a gradient of {} where {} is right)", batch.reason, what,
                                   number_text(g.got), number_text(g.want)),
                       batch, g.got, g.want, false});
    }
  }
  return judged("upstream", std::move(found));
}

}  // namespace seqgrad
