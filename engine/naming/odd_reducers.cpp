// Reductions that people write and no loss section can say.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/naming/reducers.h"

namespace seqgrad {
namespace {

using Divided = double (*)(const Cells&);

struct NamedCount {
  const char *symbol, *words;
  Divided value;
};

double as_double(int64_t n) { return static_cast<double>(n); }

const NamedCount counts[] = {
    {"Σ m", "active tokens", [](const Cells& c) { return as_double(c.all.active); }},
    {"(B·T)", "all cells, padding included", [](const Cells& c) { return as_double(c.all.positions); }},
    {"B", "sentences", [](const Cells& c) { return as_double(c.batch); }},
    {"T", "steps", [](const Cells& c) { return as_double(c.steps); }},
    {"Σ ω", "sum of weights", [](const Cells& c) { return c.all.weight; }},
    {"Σ c_y", "sum of class weights", [](const Cells& c) { return c.all.class_weight; }},
};

double longest(const Cells& c) {
  int64_t most = 0;
  for (const Counts& example : c.by_example) most = std::max(most, example.active);
  return as_double(most);
}

struct OddDivisor {
  const char *id, *sentence;
  Divided value;
};

const OddDivisor odd_divisors[] = {
    {"divisor:longest", "Σ ωℓ / max_b L_b, the longest sentence only", longest},
    {"divisor:longest", "Σ ωℓ / (B·max_b L_b), all cells up to the longest sentence",
     [](const Cells& c) { return as_double(c.batch) * longest(c); }},
    {"divisor:active_minus_batch", "Σ ωℓ / (Σ m − B), below 0 too, active tokens less one a sentence",
     [](const Cells& c) { return as_double(c.all.active - c.batch); }},
    {"divisor:example_weight", "Σ ωℓ / Σ_b w_b, the example weights once a sentence",
     [](const Cells& c) {
       double sum = 0;
       for (const double w : c.example_weight) sum += w;
       return sum;
     }},
    {"divisor:classes", "Σ ωℓ / V, the classes", [](const Cells& c) { return as_double(c.classes); }},
    {"divisor:first_length", "Σ ωℓ / L_0, the first sentence's tokens",
     [](const Cells& c) { return c.by_example.empty() ? 0 : as_double(c.by_example[0].active); }},
    {"divisor:squared_weights", "Σ ωℓ / Σ ω², the sum of squared weights",
     [](const Cells& c) {
       double sum = 0;
       for (const double w : c.weight) sum += w * w;
       return sum;
     }},
};

Reducer odd(std::string id, std::string sentence, const LossOptions& options) {
  Reducer out;
  out.id = std::move(id);
  out.sentence = std::move(sentence);
  out.options = options;
  out.options.over = Over::all;
  out.options.divide = {"one", "", "", 0};
  out.options.divide_eps = 0;
  out.options.then = Then::nothing;
  out.is_form = false;
  return out;
}

void fill(const Cells& cells, double divisor, Scaled& out) {
  out.coefficient = cells.weight;
  out.empty.assign(1, divisor == 0 || !std::isfinite(divisor));
  for (double& c : out.coefficient) c = out.empty[0] ? 0 : c / divisor;
}

Reducer by(std::string id, std::string sentence, const LossOptions& options,
           std::function<double(const Cells&)> value) {
  Reducer out = odd(std::move(id), std::move(sentence), options);
  out.scale = [value = std::move(value)](const Reducible& x, Scaled& s) { fill(x.numerator, value(x.divisor), s); };
  return out;
}

void add_counts(const LossOptions& o, std::vector<Reducer>& out) {
  for (const NamedCount& a : counts) {
    const Divided f = a.value;
    out.push_back(by("divisor:square_root", fmt::format("Σ ωℓ / √{}, the square root of {}", a.symbol, a.words), o,
                     [f](const Cells& c) { return std::sqrt(f(c)); }));
    out.push_back(by("divisor:classes", fmt::format("Σ ωℓ / ({}·V), {} times classes", a.symbol, a.words), o,
                     [f](const Cells& c) { return f(c) * as_double(c.classes); }));
    for (const NamedCount& b : counts) {
      if (&b < &a) continue;
      const bool is_positions = a.symbol[0] == 'B' && b.symbol[0] == 'T';
      if (is_positions) continue;
      const Divided g = b.value;
      out.push_back(by("divisor:twice",
                       fmt::format("Σ ωℓ / ({}·{}): divided by {} and by {}", a.symbol, b.symbol, a.words, b.words), o,
                       [f, g](const Cells& c) { return f(c) * g(c); }));
    }
  }
  for (const OddDivisor& d : odd_divisors) out.push_back(by(d.id, d.sentence, o, d.value));
}

// The mean over micro-batches of each one's own mean. `size` examples a micro-batch, or `parts` of them as evenly as
// torch.chunk makes them.
void scale_parts(const Reducible& x, int64_t size, const std::string& divide, bool skip_empty, Scaled& out) {
  const Cells &cells = x.numerator, &counted = x.divisor;
  const auto steps = static_cast<size_t>(cells.steps);
  const int64_t parts = size > 0 ? (cells.batch + size - 1) / size : 0;
  std::vector<double> scale;
  double used = 0;
  for (int64_t p = 0; p < parts; ++p) {
    Counts sum;
    for (int64_t b = p * size; b < std::min(cells.batch, (p + 1) * size); ++b)
      add_counts(sum, counted.by_example[static_cast<size_t>(b)]);
    const double d = divisor(divide).value(sum);
    scale.push_back(d == 0 ? 0 : 1 / d);
    used += !skip_empty || d != 0;
  }
  out.empty.assign(1, used == 0);
  out.coefficient = cells.weight;
  for (size_t n = 0; n < out.coefficient.size(); ++n)
    out.coefficient[n] *= used == 0 ? 0 : scale[n / steps / static_cast<size_t>(size)] / used;
}

struct MicroBatches {
  int64_t most = 4;        // sentences
  int64_t most_parts = 4;  // of torch.chunk
  std::vector<const char*> divisors = {"active", "weight", "nonzero", "class_weight"};
};

// Of one batch by itself: every number of sentences, which all numbers of parts are too, and counts that differ there.
MicroBatches micro_batches_of(const LossInputs& in) {
  MicroBatches out{in.batch - 1, 0, {"active"}};
  if (in.token_weight || in.example_weight) out.divisors = {"active", "nonzero", "weight"};
  if (in.class_weight) out.divisors.push_back("class_weight");
  return out;
}

void add_means_of_means(const LossOptions& o, const MicroBatches& micro, std::vector<Reducer>& out) {
  for (const char* divide : micro.divisors)
    for (const bool skip : {false, true}) {
      const std::string over =
          fmt::format("each over its {}{}", divisor(divide).words, skip ? ", those without any left out" : "");
      const auto add = [&](const std::string& batches, int64_t size, int64_t parts) {
        Reducer r = odd("micro:mean_of_means", fmt::format("mean of means: {}, {}", batches, over), o);
        r.scale = [size, parts, divide = std::string(divide), skip](const Reducible& x, Scaled& s) {
          scale_parts(x, size > 0 ? size : (x.numerator.batch + parts - 1) / parts, divide, skip, s);
        };
        out.push_back(std::move(r));
      };
      for (int64_t k = 1; k <= std::max(micro.most, micro.most_parts); ++k) {
        if (k <= micro.most) add(fmt::format("micro-batches of {} sentence{}", k, k == 1 ? "" : "s"), k, 0);
        if (k > 1 && k <= micro.most_parts) add(fmt::format("{} micro-batches", k), 0, k);
      }
    }
}

// The greatest ωℓ of each sentence, over `divide`.
void scale_maximum(const Reducible& x, const Divisor& divide, Scaled& out) {
  const Cells& cells = x.numerator;
  const double d = divide.value(x.divisor.all);
  out.empty.assign(1, d == 0);
  out.coefficient.assign(cells.weight.size(), 0.0);
  const auto steps = static_cast<size_t>(cells.steps);
  for (size_t b = 0; b < static_cast<size_t>(cells.batch) && d != 0; ++b) {
    size_t best = b * steps;
    double most = -1;
    for (size_t n = b * steps; n < (b + 1) * steps; ++n)
      if (cells.weight[n] != 0 && cells.weight[n] * x.losses[n] > most) most = cells.weight[n] * x.losses[n], best = n;
    if (most >= 0) out.coefficient[best] = cells.weight[best] / d;
  }
}

void add_special(const LossOptions& o, std::vector<Reducer>& out) {
  for (const char* divide : {"one", "batch", "active_batch"}) {
    const Divisor& d = divisor(divide);
    Reducer r = odd("reduce:max_over_time", fmt::format("the greatest ωℓ of each sentence, over {}", d.words), o);
    r.scale = [&d](const Reducible& x, Scaled& s) { scale_maximum(x, d, s); };
    out.push_back(std::move(r));
  }
  // [N,1] times [N] is [N,N]: every loss with every weight. Their sum over Σω is a sum that no mask reaches.
  Reducer r = odd("reduce:broadcast", "[N,1] times [N]: the mean of every loss with every weight, Σℓ·Σω / N²", o);
  r.scale = [](const Reducible& x, Scaled& s) {
    const double n = as_double(x.divisor.all.positions);
    s.empty.assign(1, n == 0);
    s.coefficient.assign(x.numerator.weight.size(), n == 0 ? 0 : x.numerator.all.weight / (n * n));
  };
  out.push_back(std::move(r));
}

}  // namespace

void add_odd_reducers(const LossInputs& inputs, const LossOptions& o, bool apart, std::vector<Reducer>& out) {
  add_counts(o, out);
  add_means_of_means(o, apart ? micro_batches_of(inputs) : MicroBatches(), out);
  add_special(o, out);
}

}  // namespace seqgrad
