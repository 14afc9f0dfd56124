// Each hint is a property that all failing elements share; the first that holds is told.
#include "engine/check/hints.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace seqgrad {
namespace {

constexpr double same = 1e-5;                  // ratios that agree to this are one
constexpr double float_digits = 16 * 0x1p-24;  // beside the largest, what computing in float32 takes away

bool near(double a, double b, double scale) { return std::abs(a - b) <= same * std::max(std::abs(scale), 1e-300); }

double largest(const Values& v) {
  double m = 0;
  for (const double x : v.numbers)
    if (std::isfinite(x)) m = std::max(m, std::abs(x));
  return m;
}

// One factor for each index along `axis`, not one for all: a mean of means weighs sentences so.
bool ratio_per(const Values& got, const Values& want, size_t axis, const std::vector<size_t>& failing) {
  std::map<int64_t, double> ratios;
  int compared = 0;
  for (const size_t i : failing) {
    const double g = got.numbers[i], w = want.numbers[i];
    if (g == 0 || w == 0 || !std::isfinite(g) || !std::isfinite(w)) return false;
    const auto [at, fresh] = ratios.emplace(index_of(want.shape, i)[axis], g / w);
    if (!fresh && !near(at->second, g / w, at->second)) return false;
    compared += !fresh;
  }
  return compared > 0 && std::any_of(ratios.begin(), ratios.end(),
                                     [&](const auto& r) { return !near(r.second, ratios.begin()->second, r.second); });
}

// The array of `got` one place on along `axis` is `want`.
bool shifted(const Values& got, const Values& want, size_t axis, int64_t by) {
  if (want.shape.size() <= axis || want.shape[axis] < 2) return false;
  int64_t stride = 1;
  for (size_t d = axis + 1; d < want.shape.size(); ++d) stride *= want.shape[d];
  const double scale = largest(want);
  int64_t compared = 0;
  for (size_t i = 0; i < want.numbers.size(); ++i) {
    const int64_t at = index_of(want.shape, i)[axis] + by;
    if (at < 0 || at >= want.shape[axis]) continue;
    const double g = got.numbers[static_cast<size_t>(static_cast<int64_t>(i) + by * stride)];
    if (!near(g, want.numbers[i], scale)) return false;
    compared += want.numbers[i] != 0;
  }
  return compared > 1;
}

}  // namespace

std::vector<int64_t> index_of(const std::vector<int64_t>& shape, size_t place) {
  std::vector<int64_t> index(shape.size());
  auto rest = static_cast<int64_t>(place);
  for (size_t d = shape.size(); d-- > 0;) {
    index[d] = rest % shape[d];
    rest /= shape[d];
  }
  return index;
}

std::string place_of(const std::vector<int64_t>& shape, const std::vector<size_t>& failing,
                     const std::vector<std::string>& axes) {
  if (failing.size() < 2) return "";
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < 2) continue;
    const int64_t first = index_of(shape, failing[0])[d];
    if (!std::all_of(failing.begin(), failing.end(), [&](size_t i) { return index_of(shape, i)[d] == first; }))
      continue;
    const std::string axis = d < axes.size() ? axes[d] : fmt::format("index of dimension {}", d);
    return fmt::format(", all {} {} {}", axis == "step" ? "at" : "in", axis, first);
  }
  return "";
}

std::optional<double> constant_ratio(const Values& got, const Values& want, const std::vector<size_t>& failing) {
  std::optional<double> ratio;
  if (failing.size() < 2) return ratio;  // one number always has one ratio
  for (const size_t i : failing) {
    const double g = got.numbers[i], w = want.numbers[i];
    if (g == 0 || w == 0 || !std::isfinite(g) || !std::isfinite(w)) return std::nullopt;
    if (!ratio) ratio = w / g;
    if (!near(w / g, *ratio, *ratio)) return std::nullopt;
  }
  // What agrees already must not contradict: it is next to nothing, or as near to the ratio as its digits tell.
  const double least = same * largest(want), digits = float_digits * largest(want);
  for (size_t i = 0, next = 0; i < want.numbers.size() && ratio; ++i) {
    if (next < failing.size() && failing[next] == i) {
      ++next;
    } else if (const double w = want.numbers[i];
               std::abs(w) > least && !(std::abs(*ratio * got.numbers[i] - w) <= same * std::abs(w) + digits)) {
      return std::nullopt;
    }
  }
  return ratio && !near(*ratio, 1, 1) ? ratio : std::nullopt;
}

bool differ_as_floats(const Values& got, const Values& want, const std::vector<size_t>& failing) {
  const double most = float_digits * largest(want);
  return std::all_of(failing.begin(), failing.end(), [&](size_t i) {
    const double g = got.numbers[i], w = want.numbers[i];
    return g != 0 && w != 0 && std::abs(g - w) <= most;
  });
}

std::string fraction(double ratio) {
  for (int q = 1; q <= 64; ++q) {
    const double p = ratio * q;
    if (std::abs(p) >= 0.5 && std::abs(p) < 1e5 && std::abs(p - std::round(p)) <= 1e-6 * std::abs(p))
      return q == 1 ? fmt::format("{:.0f}", p) : fmt::format("{:.0f}/{}", p, q);
  }
  return "";
}

std::string hint_of(const Values& got, const Values& want, const Comparison& c, const std::vector<std::string>& axes,
                    Sides sides) {
  const auto all = [&](auto holds) {
    return std::all_of(c.failing.begin(), c.failing.end(),
                       [&](size_t i) { return holds(got.numbers[i], want.numbers[i]); });
  };
  const auto has = [](const char* side, const char* what, const char* other, const char* where) {
    return fmt::format("{} has {} where {} has {}", side, what, other, where);
  };
  const char *g_name = sides.got, *w_name = sides.want;
  const bool several = want.numbers.size() > 1;
  if (all([](double g, double w) { return std::isnan(g) && std::isnan(w); }))
    return "both NaN: nan: equal lets them pass";
  if (several && c.failing.size() == want.numbers.size() &&
      all([](double g, double w) { return g == 0 && std::isnan(w); }))
    return fmt::format("{} is NaN everywhere: 0/0, where nothing counts?", w_name);
  if (several && all([](double g, double w) { return g == 0 && !std::isfinite(w); }))
    return has(w_name, "NaN or infinity", g_name, "0: padding multiplied by 0, not left out?");
  if (several && all([](double g, double w) { return w == 0 && !std::isfinite(g); }))
    return has(g_name, "NaN or infinity", w_name, "0");
  if (c.ratio && near(*c.ratio, -1, 1)) return "opposite sign";
  if (c.ratio) {
    const std::string exact = fraction(*c.ratio);
    return fmt::format("{} = {} x {} in all of them: another divisor?", w_name,
                       exact.empty() ? fmt::format("{:.6g}", *c.ratio) : exact, g_name);
  }
  if (several && all([](double g, double w) { return g == 0 && w != 0; }))
    return has(g_name, "0", w_name, "something: who left it out?");
  if (several && all([](double g, double w) { return g != 0 && w == 0; }))
    return has(w_name, "0", g_name, "something: who left it out?");
  const auto axis = [&](const char* name) {
    return static_cast<size_t>(std::find(axes.begin(), axes.end(), name) - axes.begin());
  };
  const size_t step = axis("step");
  if (step < axes.size() && (shifted(got, want, step, 1) || shifted(got, want, step, -1))) return "shifted by one step";
  if (const size_t d = axis("sentence"); d < axes.size() && axes.size() > 1 && ratio_per(got, want, d, c.failing))
    return "one ratio a sentence: a mean of means?";
  if (step < axes.size() && axes.size() > 1 && ratio_per(got, want, step, c.failing)) return "one ratio a step";
  return "";
}

}  // namespace seqgrad
