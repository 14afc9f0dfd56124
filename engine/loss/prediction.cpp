// Shapes of predictions, and what is probably meant by wrong ones.
#include "engine/loss/prediction.h"

#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

void check_hidden(const Prediction& p, int64_t batch, int64_t steps, int64_t classes, Input input) {
  if (input == Input::probs)
    refuse(LossCode::combination, "loss: hidden states give logits; input: probs needs a softmax after them");
  const Tensor &hidden = p.x, &weight = p.weight, &bias = p.bias;
  const bool flat = hidden.shape.rank() == 2;
  if ((!flat && hidden.shape.rank() != 3) || weight.shape.rank() != 2 || hidden.shape[-1] != weight.shape[1] ||
      (bias.defined() && !(bias.shape == Shape{weight.shape[0]})))
    refuse(LossCode::combination,
           "loss: hidden {}, weight {} and bias {} do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]",
           hidden.shape.str(), weight.shape.str(), bias.shape.str());
  const bool steps_fit = flat ? hidden.shape[0] == batch * steps : hidden.shape[1] == steps;
  if (steps_fit && (flat || hidden.shape[0] == batch) && weight.shape[0] == classes) return;
  refuse(LossCode::shape, "loss: targets are [B={},T={}] with V={} but hidden is {} and weight {}; {}", batch, steps,
         classes, hidden.shape.str(), weight.shape.str(),
         !steps_fit                   ? "T must match (did you forget to shift or trim?)"
         : weight.shape[0] == classes ? "B must match"
                                      : fmt::format("V must be {}", classes));
}

const char* name_of(Input input) { return input == Input::probs ? "probs" : "logits"; }

}  // namespace

void check_shapes(const Prediction& p, int64_t batch, int64_t steps, int64_t classes, Input input) {
  if (p.is_hidden) return check_hidden(p, batch, steps, classes, input);
  const bool time = p.layout == Layout::time;
  const Shape& shape = p.x.shape;
  if (shape == (time ? Shape{steps, batch, classes} : Shape{batch, steps, classes})) return;
  const char* name = name_of(input);
  if (shape.rank() != 3)
    refuse(LossCode::shape, "loss: {} are {}; expected rank 3, {}", name, shape.str(), time ? "[T,B,V]" : "[B,T,V]");
  const int64_t b = shape[time ? 1 : 0], t = shape[time ? 0 : 1], v = shape[2];
  const char* swapped = time ? "are they batch-major, [B,T,V]? Then the layout is batch"
                             : "are they time-major, [T,B,V]? Then the layout is time";
  refuse(LossCode::shape, "loss: targets are [B={},T={}] but {} are [B={},T={},V={}]; {}", batch, steps, name, b, t, v,
         b == batch && v == steps && t == classes
             ? fmt::format("are the {} {}? The classes come last", name, time ? "[V,B,T]" : "[B,V,T]")
         : b == steps && t == batch ? swapped
         : t != steps               ? "T must match (did you forget to shift or trim?)"
         : b != batch               ? "B must match"
                                    : fmt::format("V must be {}", classes));
}

void check_steps(const std::vector<Tensor>& predictions, int64_t batch, int64_t steps, int64_t classes, Input input) {
  const char* name = name_of(input);
  if (predictions.empty())
    refuse(LossCode::combination, "loss: layout: list without a step; write at least {}.0 and targets.0", name);
  if (static_cast<int64_t>(predictions.size()) != steps)
    refuse(LossCode::step_counts, "loss: {} has {} steps, targets {}", name, predictions.size(), steps);
  for (size_t t = 0; t < predictions.size(); ++t)
    if (!(predictions[t].shape == Shape{batch, classes}))
      refuse(LossCode::shape, "loss: {}.{} is {}; expected [B={},V={}]", name, t, predictions[t].shape.str(), batch,
             classes);
}

}  // namespace seqgrad
