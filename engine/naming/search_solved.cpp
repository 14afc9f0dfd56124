// Changes with a number: it is solved for on the batch that it moves most, and has to hold on all others.
#include <algorithm>
#include <cmath>

#include "engine/naming/numbers.h"
#include "engine/naming/search.h"

namespace seqgrad {
namespace {

constexpr size_t grid = 24;

Made made_of(const Bench& bench, Changes changes, double number) {
  changes.number = number;
  return make(bench.base(), changes);
}

// A number and how far it may be off.
struct Solved {
  double number = 0, error = INFINITY;
};

// LossAnswer = at0 + number·(at1 − at0), over the batches; the sharpest of them tells it.
struct Line {
  std::vector<double> at0, at1, tolerance;
  std::vector<uint8_t> empty;
};

Solved solve(const std::vector<Line>& lines, const std::vector<const std::vector<double>*>& answers) {
  Solved best;
  for (size_t k = 0; k < lines.size(); ++k)
    for (size_t i = 0; i < answers[k]->size(); ++i) {
      const Line& l = lines[k];
      const double slope = l.at1[i] - l.at0[i];
      const double error = l.tolerance[i] / std::abs(slope);
      if (!l.empty[i] && slope != 0 && error < best.error) best = {((*answers[k])[i] - l.at0[i]) / slope, error};
    }
  return best;
}

}  // namespace

void Search::solve_linear(World& world, Changes changes, std::vector<Fit>& out) {
  std::vector<Made> zero, one;
  for (const Bench& b : world.benches) {
    zero.push_back(made_of(b, changes, 0));
    one.push_back(made_of(b, changes, 1));
  }
  for (const Reducer& r : world.reducers) {
    if (r.exponential || !r.is_form) continue;
    std::vector<Line> lines;
    std::vector<const std::vector<double>*> answers;
    bool fits = true;
    for (size_t k = 0; fits && k < world.benches.size(); ++k) {
      Bench& b = world.benches[k];
      fits = r.entries(*zero[k].numerator) == b.answer().size();
      if (!fits) break;
      const Predicted at0 = b.predicted(r, zero[k]);
      lines.push_back({at0.value, b.predicted(r, one[k]).value, at0.tolerance, at0.empty});
      for (size_t i = 0; changes.solved->adds && i < at0.value.size(); ++i) lines.back().at1[i] += at0.value[i];
      answers.push_back(&b.answer());
      if (k + 1 != batches_for_a_number && k + 1 != world.benches.size()) continue;
      // The number of the first few has to hold there; that of all is the one that is told.
      const Solved s = solve(lines, answers);
      fits = std::isfinite(s.error) && s.number > changes.solved->least && s.number < changes.solved->most &&
             s.number > 4 * s.error;
      changes.number = fits ? rounded_number(s.number, 4 * s.error) : 0;
      for (size_t j = 0; fits && j < lines.size(); ++j) {
        Predicted p{lines[j].at0, lines[j].tolerance, lines[j].empty};
        for (size_t i = 0; i < p.value.size(); ++i) {
          p.value[i] += changes.number * (lines[j].at1[i] - lines[j].at0[i]);
          p.tolerance[i] = std::max(p.tolerance[i], s.error * std::abs(lines[j].at1[i] - lines[j].at0[i]));
        }
        fits = same(*answers[j], p, 1, 4);
      }
    }
    if (fits && !lines.empty()) out.push_back({&world, changes, {&r}});
  }
}

namespace {

// How far the answer is from what is predicted. The sum over a vector's entries tells as much as they do, and is one
// number.
double miss(Bench& b, const Reducer& r, const Made& made) {
  const Predicted& p = b.predicted(r, made);
  double d = 0;
  for (size_t i = 0; i < p.value.size(); ++i)
    if (!p.empty[i]) d += p.value[i] - b.answer()[i];
  return d;
}

// The batches whose losses the number moves most come first; none where it changes nothing.
std::vector<Bench*> most_moved(std::vector<Bench>& benches, const Changes& changes) {
  std::vector<std::pair<double, Bench*>> moved;
  for (Bench& b : benches) {
    const Made low = made_of(b, changes, changes.solved->least), high = made_of(b, changes, changes.solved->most);
    if (!low.changed) return {};
    double most = 0;
    for (size_t n = 0; n < low.losses->size(); ++n)
      if (low.numerator->weight[n] != 0) most += std::abs((*low.losses)[n] - (*high.losses)[n]);
    moved.emplace_back(-most, &b);
  }
  std::stable_sort(moved.begin(), moved.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Bench*> out;
  for (const auto& [size, bench] : moved) out.push_back(bench);
  return out;
}

// The number between a and b at which nothing is missed, by halving, and what rounding leaves of it.
double solve_on(Bench& bench, const Reducer& r, const Changes& changes, double a, double b) {
  const auto at = [&](double number) { return miss(bench, r, made_of(bench, changes, number)); };
  double low = at(a);
  for (int i = 0; i < 60 && b - a > 1e-13 * b; ++i) {
    const double middle = (a + b) / 2, d = at(middle);
    if (d == 0) {
      a = b = middle;
    } else if (low * d < 0) {
      b = middle;
    } else {
      a = middle;
      low = d;
    }
  }
  const double number = (a + b) / 2, h = 1e-4 * number, slope = (at(number + h) - at(number - h)) / (2 * h);
  double tolerance = 0;
  for (const double t : bench.predicted(r, made_of(bench, changes, number)).tolerance) tolerance += t;
  const double error = std::abs(tolerance / slope);
  return std::isfinite(error) ? rounded_number(number, 4 * error) : number;
}

}  // namespace

void Search::solve_between(World& world, Changes changes, std::vector<Fit>& out) {
  constexpr size_t tried = 3;  // batches: on one of them the answer may touch what is predicted and not cross it
  const double least = changes.solved->least, ratio = std::pow(changes.solved->most / least, 1.0 / grid);
  const auto number_at = [&](size_t k) { return least * std::pow(ratio, static_cast<double>(k)); };
  const std::vector<Bench*> moved = most_moved(world.benches, changes);
  if (moved.size() < std::max(tried, batches_for_a_number)) return;
  std::vector<Made> made[tried];
  for (size_t i = 0; i < tried; ++i)
    for (size_t k = 0; k <= grid; ++k) made[i].push_back(made_of(*moved[i], changes, number_at(k)));
  const auto crosses = [&](const Reducer& r, size_t i, size_t k) {
    return miss(*moved[i], r, made[i][k]) * miss(*moved[i], r, made[i][k + 1]) <= 0;
  };
  const auto solved_at = [&](const Reducer& r, size_t k) {
    size_t on = 0, crossed = 0;
    for (size_t i = tried; i-- > 0;)
      if (crosses(r, i, k)) on = i, ++crossed;
    if (crossed < 2) return false;
    changes.number = solve_on(*moved[on], r, changes, number_at(k), number_at(k + 1));
    return std::all_of(world.benches.begin(), world.benches.end(),
                       [&](Bench& bench) { return bench.fits(r, made_of(bench, changes, changes.number), 1, 8); });
  };
  for (const Reducer& r : world.reducers) {
    bool shaped = !r.exponential && r.is_form;
    for (size_t i = 0; i < tried; ++i) shaped &= r.entries(*made[i][0].numerator) == moved[i]->answer().size();
    for (size_t k = 0; shaped && k < grid; ++k)
      if (solved_at(r, k)) out.push_back({&world, changes, {&r}});
  }
}

std::vector<Fit> Search::solved(bool with_steps) {
  std::vector<Fit> out;
  if (batches_ < batches_for_a_number) return out;
  for (World& w : worlds_)
    for (const SolvedEdit& e : solved_edits()) {
      const auto solve = [&](std::vector<Step> steps) {
        if (out_of_time()) {
          stopped_ = true;
          return;
        }
        Changes changes{std::move(steps), &e};
        std::vector<Fit> found;
        e.linear ? solve_linear(w, changes, found) : solve_between(w, changes, found);
        for (Fit& f : found) {  // reducers that agree are one explanation
          const auto known = std::find_if(out.begin(), out.end(), [&](const Fit& o) {
            return o.world == f.world && o.changes.solved == f.changes.solved && o.changes.number == f.changes.number &&
                   o.changes.steps.size() == f.changes.steps.size() &&
                   (f.changes.steps.empty() || o.changes.steps[0].edit == f.changes.steps[0].edit);
          });
          if (known != out.end())
            known->reducers.push_back(f.reducers[0]);
          else
            out.push_back(std::move(f));
        }
      };
      if (!with_steps) solve({});
      for (size_t i = 0; with_steps && !stopped_ && i < steps_.size(); ++i)
        if (steps_[i].edit->group != e.group && steps_[i].side == Side::both && effective(w, i)) solve({steps_[i]});
    }
  return out;
}

}  // namespace seqgrad
