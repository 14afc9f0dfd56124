#include "engine/naming/torch.h"

#include <fmt/format.h>

#include <string_view>

namespace seqgrad {
namespace {

// "mask * weight": what a token's loss is multiplied by.
std::string factors(const TorchInputs& in) {
  return std::string("mask") + (in.token_weight ? " * weight" : "") +
         (in.example_weight ? " * example_weight[:, None]" : "");
}

// A divisor by its name; "" for one that does not divide.
std::string divisor_text(const std::string& name, double k, const TorchInputs& in) {
  const std::string weights = factors(in);
  const bool plain = weights == "mask";
  if (name == "const") return fmt::format("{:g}", k);
  if (name == "weight") return plain ? "mask.sum()" : fmt::format("({}).sum()", weights);
  if (name == "nonzero") return plain ? "mask.sum()" : fmt::format("({} != 0).sum()", weights);
  static constexpr std::pair<const char*, const char*> others[] = {
      {"positions", "mask.numel()"},
      {"steps", "mask.shape[1]"},
      {"batch", "len(mask)"},
      {"active_batch", "mask.any(1).sum()"},
      {"active", "mask.sum()"},
      {"class_weight", "class_weight[y][mask].sum()"},
      {"active_minus_batch", "(mask.sum() - len(mask))"},
  };
  for (const auto& [divisor, text] : others)
    if (name == divisor) return text;
  return "";
}

// Keeps a divisor that may be 0 from being 0: a count of tokens below 1 is 0, of weights it may be anything.
const char* guard_of(const std::string& name) {
  if (name == "weight" || name == "class_weight") return ".clamp(min=1e-12)";
  return name == "active" || name == "active_batch" || name == "nonzero" ? ".clamp(min=1)" : "";
}

// "(nll * w).sum() / d" for a divisor's name.
std::string divided(const std::string& sum, const std::string& name, const LossOptions& o, const TorchInputs& in) {
  if (in.num_items && name != "one" && name != "const") return sum + " / num_items";
  std::string by = divisor_text(name, o.divide.k, in);
  if (by.empty()) return sum;
  // A divisor of 0 gives 0, also where the sum above it is none.
  if (name == "active_minus_batch") return fmt::format("{} * (mask.sum() > len(mask)) / {}.clamp(min=1)", sum, by);
  if (o.divide_eps > 0) return fmt::format("{} / ({} + {:g})", sum, by, o.divide_eps);
  if (in.guarded && o.on_zero == OnZero::zero)
    by =
        name == "batch" || name == "positions" || name == "steps" ? fmt::format("max(1, {})", by) : by + guard_of(name);
  return sum + " / " + by;
}

// The same of each sentence, or of each step.
std::string along(std::string text, int axis) {
  constexpr std::string_view sum = ".sum()";
  const std::string by = fmt::format(".sum({})", axis);
  for (size_t at = text.find(sum); at != std::string::npos; at = text.find(sum, at + by.size()))
    text.replace(at, sum.size(), by);
  return text;
}

std::string prediction_lines(const LossOptions& o, const TorchInputs& in) {
  const bool dense = o.target == Target::dense;
  const char* z = in.kind == PredictionKind::probs       ? "torch.where(mask[..., None], probs, 1).log()"
                  : in.kind == PredictionKind::log_probs ? "torch.where(mask[..., None], log_probs, 0)"
                                                         : "torch.where(mask[..., None], logits, 0)";
  const char* y = dense ? "torch.where(mask[..., None], dense, 0)" : "torch.where(mask, targets, 0)";
  std::string out = fmt::format("z, y = {}, {}\n", z, y);
  if (in.kind == PredictionKind::hidden)
    out.insert(0, in.bias ? "logits = F.linear(hidden, weight, bias)\n" : "logits = F.linear(hidden, weight)\n");
  if (o.softcap) out += fmt::format("z = {0:g} * torch.tanh(z / {0:g})\n", *o.softcap);
  return out;
}

std::string row_loss_lines(const LossOptions& o, const TorchInputs& in) {
  const bool dense = o.target == Target::dense, of_target = o.class_scope == ClassScope::target && !dense;
  const bool is_log =
      in.kind == PredictionKind::probs || in.kind == PredictionKind::log_probs;  // z is, not to be again
  if (is_log && o.smoothing == 0 && dense) return "nll = -(y * z).sum(-1)\n";
  const bool picks = is_log && o.smoothing == 0;
  std::string arguments =
      dense ? "z.transpose(1, 2), y.transpose(1, 2), reduction=\"none\"" : "z.transpose(1, 2), y, reduction=\"none\"";
  if (in.class_weight && !of_target) arguments += ", weight=class_weight";
  if (o.smoothing > 0)
    arguments += fmt::format(", label_smoothing={:g}{}", o.smoothing,
                             o.smoothing_kind == SmoothingKind::others ? " * z.shape[-1] / (z.shape[-1] - 1)" : "");
  std::string out = fmt::format("nll = F.{}({})", picks ? "nll_loss" : "cross_entropy", arguments);
  if (in.class_weight && of_target) out += " * class_weight[y]";
  if (o.z_loss > 0) out += fmt::format(" + {:g} * z.logsumexp(-1)**2", o.z_loss);
  return out + "\n";
}

}  // namespace

std::string torch_of(const LossOptions& o, const TorchInputs& in) {
  const std::string terms = fmt::format("(nll * {})", factors(in));
  if (o.over == Over::none) return terms;
  if (o.over != Over::all) return along(divided(terms + ".sum()", o.divide.flat, o, in), o.over == Over::time);
  if (!o.divide.nested()) return divided(terms + ".sum()", o.divide.flat, o, in);
  TorchInputs of_sentence = in;
  of_sentence.num_items = of_sentence.guarded = false;
  std::string inner = along(divided(terms + ".sum()", o.divide.time, o, of_sentence), 1);
  LossOptions outer = o;
  outer.divide_eps = 0;  // the inner divisors' alone
  if (o.divide.time != "one" && o.divide.time != "const" && o.divide_eps == 0) inner += ".clamp(min=1e-12)";
  return divided("(" + inner + ").sum()", o.divide.batch, outer, in);
}

std::string torch_of(const LossOptions& o) {
  TorchInputs in;
  in.token_weight = o.divide.flat == "weight" || o.divide.flat == "nonzero" || o.divide.time == "weight";
  return torch_of(o, in);
}

std::string torch_lines(const LossOptions& o, const TorchInputs& in) {
  const bool smooths_oddly = o.smoothing > 0 && (o.report_kl || o.smoothing_kind == SmoothingKind::others_excluding ||
                                                 o.smoothing_kind == SmoothingKind::prior);
  if (smooths_oddly) return "";
  if (in.kind == PredictionKind::row_loss) return "nll = torch.where(mask, row_loss, 0)\n" + torch_of(o, in);
  return prediction_lines(o, in) + row_loss_lines(o, in) + torch_of(o, in);
}

}  // namespace seqgrad
