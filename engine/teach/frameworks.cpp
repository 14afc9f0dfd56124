// Sums, counts and quotients in the words of each framework.
#include "engine/teach/frameworks.h"

#include <fmt/format.h>

#include "engine/loss/divisors.h"

namespace seqgrad {
namespace {

constexpr int all_axes = -1, no_axis = -2;

struct Framework {
  const char* name;
  const char *loss, *mask, *weight, *batch, *steps;  // what it calls nll, m, w, B and T
  const char* gather;                                // c[y]
  bool functions;                                    // tf.reduce_sum(x, 1), not x.sum(1)
  const char *sum, *mean, *count, *divide;           // the names of those functions
  const char* flat;                                  // what makes a flat array [B,T] again
};

const Framework frameworks[] = {
    {"tensorflow", "nll", "m", "w", "B", "T", "tf.gather(c, y)", true, "tf.reduce_sum", "tf.reduce_mean",
     "tf.math.count_nonzero", "tf.math.divide_no_nan", ""},
    {"keras", "nll", "m", "w", "B", "T", "ops.take(c, y)", true, "ops.sum", "ops.mean", "ops.count_nonzero",
     "ops.divide_no_nan", ""},
    {"pytorch", "nll", "m", "w", "B", "T", "c[y]", false, "sum", "mean", "count_nonzero", "", ""},
    {"d2l", "l", "mask", "w", "Y.shape[0]", "Y.shape[1]", "c[Y.reshape(-1)]", false, "sum", "mean", "count_nonzero", "",
     ".reshape(Y.shape)"},
};

class Line {
 public:
  Line(const Framework& f, const LossOptions& o, bool weighted) : f_(f), o_(o), w_(weighted ? f.weight : f.mask) {}

  std::string text() const {
    const int axis = o_.over == Over::all ? all_axes : o_.over == Over::time ? 1 : o_.over == Over::batch ? 0 : no_axis;
    const std::string product = fmt::format("{} * {}", w_, f_.loss);
    if (o_.divide.nested()) {
      const std::string inner = quotient(sum(product, 1), o_.divide.time, 1, o_.divide_eps);
      return quotient(sum(inner, all_axes), o_.divide.batch, all_axes, 0);
    }
    if (axis == no_axis && o_.divide.flat != "one") return "";
    const std::string line = quotient(sum(product, axis), o_.divide.flat, axis, o_.divide_eps);
    if (o_.then == Then::nothing) return line;
    return call(o_.then == Then::sum ? f_.sum : f_.mean, line, all_axes);
  }

 private:
  static bool compound(const std::string& x) { return x.find(' ') != std::string::npos; }
  // Whether the whole of x stands in one pair of parentheses after a name, so that a method may follow.
  static std::string grouped(const std::string& x) {
    if (!compound(x)) return x;
    int depth = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      depth += x[i] == '(' ? 1 : x[i] == ')' ? -1 : 0;
      if (depth == 0 && x[i] == ' ') return "(" + x + ")";
    }
    return x;
  }

  std::string call(const char* function, const std::string& x, int axis, const std::string& more = "") const {
    const std::string at = axis == all_axes ? "" : fmt::format("{}", axis);
    if (f_.functions) return fmt::format("{}({}{}{}{})", function, x, at.empty() ? "" : ", ", at, more);
    return fmt::format("{}{}.{}({})", grouped(x), axis == all_axes ? "" : f_.flat, function, at);
  }
  std::string sum(const std::string& x, int axis) const { return axis == no_axis ? x : call(f_.sum, x, axis); }
  std::string count(const std::string& x, int axis) const {
    return call(f_.count, x, axis, std::string(f_.name) == "tensorflow" ? ", dtype=m.dtype" : "");
  }

  std::string counted(Counted c, int axis) const {
    switch (c) {
      case Counted::nothing: return "0";
      case Counted::one: return "1";
      case Counted::positions:
        return axis == all_axes ? fmt::format("({} * {})", f_.batch, f_.steps) : axis == 1 ? f_.steps : f_.batch;
      case Counted::steps: return f_.steps;
      case Counted::batch: return f_.batch;
      case Counted::active: return sum(f_.mask, axis);
      case Counted::nonzero: return count(w_, axis);
      case Counted::active_batch: return count(sum(f_.mask, 1), all_axes);
      case Counted::weight: return sum(w_, axis);
      case Counted::class_weight:  // of scope target w has them already
        return sum(o_.class_scope == ClassScope::target ? w_ : fmt::format("{} * {}", w_, f_.gather), axis);
    }
    return "";
  }

  std::string divisor_of(const std::string& name, int axis) const {
    if (name == "const") return fmt::format("{:g}", o_.divide.k);
    const Divisor& d = divisor(name);
    const std::string plus = counted(d.plus, axis);
    return d.minus == Counted::nothing ? plus : fmt::format("({} - {})", plus, counted(d.minus, axis));
  }

  // 0/0 is 0 under that policy, and so is its gradient: where a framework has no such division, no divisor is below
  // what one that is not 0 can be.
  std::string quotient(const std::string& n, const std::string& name, int axis, double eps) const {
    const std::string d = divisor_of(name, axis);
    if (d == "1" && eps == 0) return n;
    if (eps > 0) return fmt::format("{} / ({} + {:g})", n, d, eps);
    if (o_.on_zero != OnZero::zero || !may_be_zero(name)) return fmt::format("{} / {}", n, d);
    if (f_.functions) return fmt::format("{}({}, {})", f_.divide, n, d);
    const Counted what = divisor(name).plus;
    const bool sums_weights = what == Counted::class_weight || (what == Counted::weight && w_ != f_.mask);
    return fmt::format("{} / {}.clamp(min={})", n, d, sums_weights ? "1e-30" : "1");
  }

  // Whether that is a count or a sum over what a mask, or weights, leave of a batch.
  static bool may_be_zero(const std::string& name) {
    if (name == "const") return false;
    const Divisor& d = divisor(name);
    switch (d.plus) {
      case Counted::nothing:
      case Counted::one:
      case Counted::positions:
      case Counted::steps:
      case Counted::batch: return false;
      default: return d.minus == Counted::nothing;
    }
  }

  const Framework& f_;
  const LossOptions& o_;
  const std::string w_;
};

}  // namespace

Lines reduction_lines(const LossOptions& options, bool weighted) {
  Lines out;
  for (const Framework& f : frameworks) out.emplace_back(f.name, Line(f, options, weighted).text());
  return out;
}

Lines whole_lines(const LossOptions& options, bool weighted, bool class_weights) {
  Lines out = reduction_lines(options, weighted);
  const Lines rows = row_loss_lines(options, class_weights);
  for (size_t i = 0; i < out.size(); ++i) {
    std::string& line = out[i].second;
    line = line.empty() || rows[i].second.empty()
               ? ""
               : fmt::format("{} = {}; {}", frameworks[i].loss, rows[i].second, line);
  }
  return out;
}

Lines row_loss_lines(const LossOptions& o, bool class_weights) {
  if (o.target == Target::dense || o.softcap || o.z_loss > 0)
    return {{"tensorflow", ""}, {"keras", ""}, {"pytorch", ""}, {"d2l", ""}};
  const bool smoothed = o.smoothing > 0, uniform = o.smoothing_kind == SmoothingKind::uniform && !o.report_kl;
  if (o.input == Input::probs)
    return {{"tensorflow", ""},
            {"keras", smoothed ? "" : "keras.losses.categorical_crossentropy(ops.one_hot(y, V), probs)"},
            {"pytorch", ""},
            {"d2l", ""}};
  const bool inside = class_weights && o.class_scope == ClassScope::per_class;  // of scope target they stand in w
  const std::string more =
      (smoothed ? fmt::format(", label_smoothing={:g}", o.smoothing) : "") + (inside ? ", weight=c" : "");
  const auto line = [&](const Framework& f, const char* rows) {
    return std::pair{std::string(f.name), smoothed ? "" : (inside ? fmt::format("{} * ", f.gather) : "") + rows};
  };
  return {line(frameworks[0], "tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)"),
          line(frameworks[1], "keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)"),
          {"pytorch", smoothed && !uniform
                          ? ""
                          : fmt::format("F.cross_entropy(logits.transpose(1, 2), y, reduction=\"none\"{})", more)},
          line(frameworks[3], "super().loss(Y_hat, Y, averaged=False)")};
}

}  // namespace seqgrad
