// Tensors of a case as the loss wants them: b-major, with the shapes that its prediction has.
#include "engine/check/case_inputs.h"

namespace seqgrad {
namespace {

std::string text_of(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

template <class T, class From>
std::vector<T> converted(const NamedArray& a) {
  const From* x = a.data<From>();
  return std::vector<T>(x, x + a.numel());
}

template <class T>
std::vector<T> numbers_of(const NamedArray& a) {
  switch (a.dtype) {
    case DType::f32: return converted<T, float>(a);
    case DType::f64: return converted<T, double>(a);
    case DType::i32: return converted<T, int32_t>(a);
    case DType::i64: return converted<T, int64_t>(a);
    case DType::u8: return converted<T, uint8_t>(a);
  }
  return {};
}

class Builder {
 public:
  explicit Builder(const LossCase& c) : case_(c) {
    out_.options = c.config->loss.options(c.find("class_weight") != nullptr);
    out_.hidden = c.has_prediction("hidden");
    out_.row_loss = c.has_prediction("row_loss");
    name_ = out_.hidden ? "hidden" : out_.row_loss ? "row_loss" : c.has_prediction("probs") ? "probs" : "logits";
    if (out_.row_loss) out_.options.input = seqgrad::Input::logits, out_.options.target = Target::ids;
  }

  CaseInputs build() {
    if (list() && !case_.find(std::string(name_) + ".0"))
      refuse(LossCode::combination, "loss: layout: list without a step; write at least logits.0 and targets.0");
    check_options(out_.options, classes());
    refuse_float_ids();
    read_prediction();
    LossInputs& in = out_.loss;
    if (in.classes < 1) refuse(LossCode::combination, "loss: the {} have no classes (V=0)", name_);
    if (out_.row_loss)
      in.targets.assign(static_cast<size_t>(in.batch * in.steps), 0);
    else if (out_.options.target == Target::dense)
      in.dense = cells<double>("targets", in.classes).value();
    else
      in.targets = cells<int64_t>("targets").value();
    if (const NamedArray* a = case_.find("lengths")) in.lengths = vector<int64_t>(*a, in.batch, "[B]");
    in.mask = cells<uint8_t>("mask");
    in.token_weight = cells<double>("token_weight");
    if (const NamedArray* a = case_.find("example_weight")) in.example_weight = vector<double>(*a, in.batch, "[B]");
    if (const NamedArray* a = case_.find("class_weight"))
      in.class_weight = vector<double>(*a, in.classes, "[V]", LossCode::class_weights);
    if (const NamedArray* a = case_.find("prior")) in.prior = vector<double>(*a, in.classes, "[V]");
    return std::move(out_);
  }

 private:
  bool list() const { return case_.layout == Layout::list; }
  bool time() const { return case_.layout == Layout::time; }

  // V, before any shape has been checked.
  int64_t classes() const {
    if (out_.row_loss) return 1;
    if (out_.hidden) return case_.find("weight")->shape.empty() ? 1 : case_.find("weight")->shape[0];
    const NamedArray& a = *case_.find(list() ? std::string(name_) + ".0" : name_);
    return a.shape.empty() ? 1 : a.shape.back();
  }

  void refuse_float_ids() const {
    const NamedArray* a = case_.find(list() ? "targets.0" : "targets");
    const bool dense = out_.options.target == Target::dense;
    if (a && !dense && a->dtype != DType::i32 && a->dtype != DType::i64)
      refuse(LossCode::float_ids, "targets must be int32/int64, got {}{}", name_of(a->dtype),
             a->shape.size() == (list() ? 2 : 3) ? fmt::format("; distributions {}, one-hot ones too, go with target: "
                                                               "dense",
                                                               text_of(a->shape))
                                                 : "");
    if (a && dense && !is_floating(a->dtype))
      refuse(LossCode::shape, "dense targets must be float32/float64, got {}{}", name_of(a->dtype),
             a->shape.size() == (list() ? 1 : 2)
                 ? fmt::format(" {}; these are ids: write target: ids, or leave it out", text_of(a->shape))
                 : "");
  }

  void read_prediction() {
    LossInputs& in = out_.loss;
    if (list()) {
      for (int64_t t = 0;; ++t) {
        const NamedArray* a = case_.find(fmt::format("{}.{}", name_, t));
        if (!a) break;
        if (a->shape.size() != 2 || a->shape != case_.find(std::string(name_) + ".0")->shape)
          refuse(LossCode::shape, "loss: {}.{} is {}; expected [B,V], as step 0", name_, t, text_of(a->shape));
        out_.logits.push_back(a);
      }
      in.batch = out_.logits.at(0)->shape[0];
      in.steps = static_cast<int64_t>(out_.logits.size());
      in.classes = out_.logits[0]->shape[1];
      return;
    }
    const NamedArray& a = *case_.find(name_);
    if (out_.row_loss && a.shape.size() != 2)
      refuse(LossCode::shape, "loss: row_loss is {}; expected {}", text_of(a.shape), time() ? "[T,B]" : "[B,T]");
    if (!out_.row_loss && a.shape.size() != 3)
      refuse(LossCode::shape, "loss: {} are {}; expected rank 3, {}{}", name_, text_of(a.shape),
             time() ? "[T,B,V]" : "[B,T,V]",
             a.shape.size() == 2 && !time() ? "; or flat, [N,V] beside targets [N]" : "");
    out_.logits = {&a};
    in.batch = a.shape[time() ? 1 : 0];
    in.steps = a.shape[time() ? 0 : 1];
    in.classes = out_.row_loss ? 1 : a.shape[2];
    if (!out_.hidden) return;
    const NamedArray &weight = *case_.find("weight"), *bias = case_.find("bias");
    if (weight.shape.size() != 2 || weight.shape[1] != a.shape[2] ||
        (bias && bias->shape != std::vector<int64_t>{weight.shape[0]}))
      refuse(LossCode::combination,
             "loss: hidden {}, weight {} and bias {} do not fit; expected [B,T,D], [V,D] and [V]", text_of(a.shape),
             text_of(weight.shape), bias ? text_of(bias->shape) : "none");
    out_.width = a.shape[2];
    in.classes = weight.shape[0];
  }

  template <class T>
  std::vector<T> vector(const NamedArray& a, int64_t want, const char* shape, LossCode code = LossCode::shape) const {
    if (a.shape != std::vector<int64_t>{want}) {
      const bool other = case_.layout == Layout::batch && a.shape == std::vector<int64_t>{out_.loss.steps};
      const char* cure = a.shape == std::vector<int64_t>{want, 1} ? "; squeeze its last dimension"
                         : other && shape[1] == 'B' ? "; are the others time-major, [T,B,…]? Then write layout: time"
                                                    : "";
      refuse(code, "loss: {} is {}; expected {} = [{}]{}", a.name, text_of(a.shape), shape, want, cure);
    }
    return numbers_of<T>(a);
  }

  // A tensor [B,T] or [B,T,V], in whatever layout; none where it is absent.
  template <class T>
  std::optional<std::vector<T>> cells(const std::string& name, int64_t width = 0) const {
    const LossInputs& in = out_.loss;
    const int64_t w = std::max<int64_t>(1, width);
    if (list()) {
      std::vector<std::vector<T>> steps;
      for (int64_t t = 0;; ++t) {
        const NamedArray* a = case_.find(fmt::format("{}.{}", name, t));
        if (!a) break;
        check_shape(*a, width ? std::vector<int64_t>{in.batch, width} : std::vector<int64_t>{in.batch});
        steps.push_back(numbers_of<T>(*a));
      }
      if (steps.empty()) return std::nullopt;
      if (static_cast<int64_t>(steps.size()) != in.steps)
        refuse(LossCode::step_counts, "{} has {} steps, {} {}", name_, in.steps, name, steps.size());
      std::vector<T> together;
      for (const std::vector<T>& s : steps) together.insert(together.end(), s.begin(), s.end());
      return from_time_major(together, in.batch, in.steps, w);
    }
    const NamedArray* a = case_.find(name);
    if (!a) return std::nullopt;
    std::vector<int64_t> want = time() ? std::vector<int64_t>{in.steps, in.batch} : std::vector{in.batch, in.steps};
    if (width) want.push_back(width);
    if (name == "targets" && a->shape != want) refuse_targets(*a, width > 0);
    if (name != "targets" && a->shape != want &&
        (a->shape == std::vector<int64_t>{in.batch} || a->shape == std::vector<int64_t>{in.batch, 1}))
      refuse(LossCode::per_example, "{} is {}; expected [{}]. Per-example {} go in {}, as [{}]", name,
             text_of(a->shape), fmt::join(want, ","), name == "mask" ? "lengths" : "weights",
             name == "mask" ? "lengths" : "example_weight", in.batch);
    check_shape(*a, want);
    std::vector<T> numbers = numbers_of<T>(*a);
    return time() ? from_time_major(numbers, in.batch, in.steps, w) : numbers;
  }

  // Targets whose shape is not that of the prediction, and what is done about it.
  [[noreturn]] void refuse_targets(const NamedArray& a, bool dense) const {
    const LossInputs& in = out_.loss;
    if (a.shape.size() != (dense ? 3 : 2))
      refuse(LossCode::shape, "loss: targets are {}; expected {} beside {} [{},{},{}]{}", text_of(a.shape),
             dense ? "[B,T,V]" : "[B,T]", name_, in.batch, in.steps, in.classes,
             !dense && a.shape.size() == 3 ? ". Distributions, as floats, go with target: dense" : "");
    const int64_t b = a.shape[time() ? 1 : 0], t = a.shape[time() ? 0 : 1];
    const bool steps_last = b == in.batch && t == in.classes && !out_.hidden && !time();
    const bool swapped = b == in.steps && t == in.batch;
    std::string cure = t != in.steps   ? "T must match (did you forget to shift or trim?)"
                       : b != in.batch ? "B must match"
                                       : "V must match";
    if (steps_last)
      cure =
          fmt::format("are the {0} [B,V,T], as PyTorch's cross_entropy takes them? Write {0}.transpose(1, 2)", name_);
    else if (swapped)
      cure = time() ? "are the targets [B,T]? Transpose them: layout: time has all as [T,B,…]"
                    : fmt::format("are the {} time-major, [T,B,…]? Transpose one of them; layout: time takes both so",
                                  name_);
    refuse(LossCode::shape, "loss: targets are [B={},T={}{}] but {} are [B={},T={},V={}]; {}", b, t,
           dense ? fmt::format(",V={}", a.shape[2]) : "", name_, in.batch, in.steps, in.classes, cure);
  }

  static void check_shape(const NamedArray& a, const std::vector<int64_t>& want) {
    if (a.shape != want)
      refuse(LossCode::shape, "loss: {} is {}; expected {}", a.name, text_of(a.shape), text_of(want));
  }

  const LossCase& case_;
  const char* name_ = "";
  CaseInputs out_;
};

}  // namespace

std::vector<double> to_doubles(const NamedArray& a) { return numbers_of<double>(a); }

CaseInputs inputs_of(const LossCase& c) { return Builder(c).build(); }

}  // namespace seqgrad
