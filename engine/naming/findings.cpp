// The table of findings.
#include "engine/naming/findings.h"

#include <string_view>

#include "engine/core/error.h"
#include "engine/naming/torch.h"
#include "engine/text/words.h"

namespace seqgrad {

// clang-format off
const char* const findings_given =
    "# logits [B,T,V]; targets [B,T]; mask [B,T] of True and False; weight [B,T], example_weight [B] and class_weight [V] of ones where there are none\n"
    "z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, 0)\n"
    "nll = F.cross_entropy(z.transpose(1, 2), y, reduction=\"none\")";

namespace {

constexpr const char* loss = "{loss}";

const FindingInfo finding_table[] = {
    // What the sum is divided by
    {"divisor:one", "a sum where a mean is meant, or nothing to divide by", "(nll * mask * weight).sum()", loss},
    {"divisor:positions", "divided by all cells, padding included", "(nll * mask * weight).mean()", loss},
    {"divisor:steps", "divided by the number of steps T", "(nll * mask * weight).sum() / mask.shape[1]", loss},
    {"divisor:batch", "divided by the number of sentences", "(nll * mask * weight).sum() / len(mask)", loss},
    {"divisor:active_batch", "divided by the sentences that have a token", "(nll * mask * weight).sum() / mask.any(1).sum()", loss},
    {"divisor:active", "divided by the tokens that count, whatever they weigh", "(nll * mask * weight).sum() / mask.sum()", loss},
    {"divisor:nonzero", "divided by the tokens of weight other than 0", "(nll * mask * weight).sum() / (mask * weight != 0).sum()", loss},
    {"divisor:weight", "divided by the sum of weights", "(nll * mask * weight).sum() / (mask * weight).sum()", loss},
    {"divisor:class_weight", "divided by the sum of the targets' class weights", "F.cross_entropy(logits[mask], targets[mask], weight=class_weight)", loss},
    {"divisor:active_minus_batch", "divided by the tokens less one a sentence", "(nll * mask * weight).sum() / (mask.sum() - len(mask))", loss},
    {"divisor:nested", "a mean of the sentences' own means", "((nll * mask * weight).sum(1) / mask.sum(1).clamp(min=1)).mean()", loss},
    {"divisor:constant", "divided by a constant", "(nll * mask * weight).sum() / 10", loss},
    {"divisor:epsilon", "a number added to the divisor", "(nll * mask * weight).sum() / (mask.sum() + 1e-3)", loss},
    {"divisor:longest", "divided by the longest sentence only", "(nll * mask * weight).sum() / mask.sum(1).max()", loss},
    {"divisor:first_length", "divided by the first sentence's tokens only", "(nll * mask * weight).sum() / mask[0].sum()", loss},
    {"divisor:example_weight", "divided by the example weights, once a sentence", "(nll * mask * example_weight[:, None]).sum() / example_weight.sum()", loss},
    {"divisor:squared_weights", "divided by the sum of squared weights", "(nll * mask * weight).sum() / (mask * weight**2).sum()", loss},
    {"divisor:square_root", "divided by the square root of a count", "(nll * mask * weight).sum() / mask.sum().sqrt()", loss},
    {"divisor:twice", "divided twice", "(nll * mask * weight).sum() / mask.sum() / len(mask)", loss},
    {"divisor:classes", "a mean over classes too", "(-F.one_hot(y, z.shape[-1]) * z.log_softmax(-1) * mask[..., None]).mean()", loss},
    {"axis:all", "one number where a number for each entry is meant", "(nll * mask * weight).sum() / mask.sum()", loss},
    {"axis:time", "a number for each sentence", "(nll * mask * weight).sum(1) / mask.sum(1)", loss},
    {"axis:batch", "a number for each step", "(nll * mask * weight).sum(0) / mask.sum(0)", loss},
    {"axis:none", "a number for each token", "nll * mask * weight", loss},
    {"reduce:max_over_time", "the greatest loss of each sentence instead of their sum", "(nll * mask).max(1).values.mean()", loss},
    {"reduce:exponential", "the exponential of a mean: a perplexity", "((nll * mask).sum() / mask.sum()).exp()", loss},
    {"reduce:broadcast", "[N,1] times [N] is [N,N]: every loss with every weight", "(nll.reshape(-1, 1) * (mask * weight).reshape(-1)).mean()", loss},
    {"micro:mean_of_means", "a mean of micro-batches' own means", "sum((nll * mask)[i].sum() / mask[i].sum().clamp(min=1) for i in range(len(mask))) / len(mask)", loss},
    // One factor
    {"constant:1/k", "one over a whole number too small, as from a mean of parts", "(nll * mask).sum() / mask.sum() / 4", loss},
    {"constant:k", "a whole number too large, as from parts that are added up", "(nll * mask).sum() / mask.sum() * 4", loss},
    {"constant:ln2", "ln 2 times the loss", "(nll * mask).sum() / mask.sum() * math.log(2)", loss},
    {"constant:1/ln2", "in bits: logarithms to the base 2", "(nll * mask).sum() / mask.sum() / math.log(2)", loss},
    {"constant:1/ln10", "logarithms to the base 10", "(nll * mask).sum() / mask.sum() / math.log(10)", loss},
    {"constant:sign", "the other sign", "-(nll * mask).sum() / mask.sum()", loss},
    {"constant:other", "a constant factor", "(nll * mask).sum() / mask.sum() * 0.3", loss},
    // Who counts
    {"mask:ignored", "every position counts, padding too", "F.cross_entropy(logits.transpose(1, 2), targets)", loss},
    {"mask:multiplied", "the mask is multiplied, not selected: NaN in padding reaches the loss", "(F.cross_entropy(logits.transpose(1, 2), targets, reduction=\"none\") * mask).sum() / mask.sum()", loss},
    {"mask:from_pad_id", "the mask is made from the pad id, which may be a target", "(nll * (targets != 0)).sum() / (targets != 0).sum()", loss},
    {"mask:inverted", "the mask is inverted", "(nll * ~mask).sum() / (~mask).sum()", loss},
    {"mask:shifted+1", "the mask of the next step", "m = torch.cat([mask[:, 1:], mask[:, :1] & False], 1); (nll * m).sum() / m.sum()", loss},
    {"mask:shifted-1", "the mask of the step before", "m = torch.cat([mask[:, :1] & False, mask[:, :-1]], 1); (nll * m).sum() / m.sum()", loss},
    {"mask:last_token_only", "only the last token of each sentence counts", "last = (mask.sum(1) - 1).clamp(min=0); nll.gather(1, last[:, None]).mean()", loss},
    {"mask:first_token_only", "only the first token of each sentence counts", "nll[:, 0].mean()", loss},
    {"mask:longest", "every sentence is taken for as long as the longest", "n = mask.sum(1).max(); F.cross_entropy(logits[:, :n].transpose(1, 2), targets[:, :n])", loss},
    {"mask:last_example_dropped", "the last sentence is left out", "(nll * mask)[:-1].sum() / mask[:-1].sum()", loss},
    {"mask:first_example_dropped", "the first sentence is left out", "(nll * mask)[1:].sum() / mask[1:].sum()", loss},
    {"mask:last_step_dropped", "the last column is left out", "(nll * mask)[:, :-1].sum() / mask[:, :-1].sum()", loss},
    {"mask:first_step_dropped", "the first column is left out", "(nll * mask)[:, 1:].sum() / mask[:, 1:].sum()", loss},
    {"mask:last_row_dropped", "the last token of the batch is left out", "nll[mask][:-1].mean()", loss},
    {"lengths:+1", "lengths are one too long", "m = torch.arange(mask.shape[1]) <= mask.sum(1, keepdim=True); (nll * m).sum() / m.sum()", loss},
    {"lengths:-1", "the last token of each sentence, its end, is left out", "m = torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True) - 1; (nll * m).sum() / m.sum()", loss},
    {"lengths:first_dropped", "the first token of each sentence is left out", "(nll * mask)[:, 1:].sum() / mask[:, 1:].sum()", loss},
    // Targets
    {"targets:zero_ignored", "id 0 is ignored where it is a target", "m = mask & (targets != 0); (nll * m).sum() / m.sum()", loss},
    {"targets:read_before_mask", "ids of padding are read before the mask is applied", "logits.log_softmax(-1).gather(2, targets[..., None])", "{loss}"},
    {"targets:shifted+1", "targets of the next step", "F.cross_entropy(z[:, :-1][mask[:, :-1]], y[:, 1:][mask[:, :-1]])", loss},
    {"targets:shifted-1", "targets of the step before", "F.cross_entropy(z[:, 1:][mask[:, 1:]], y[:, :-1][mask[:, 1:]])", loss},
    {"targets:examples_reversed", "targets of the sentences in another order", "F.cross_entropy(z[mask], y.flip(0)[mask])", loss},
    {"targets:time_reversed", "targets of each sentence backwards", "F.cross_entropy(z[mask], y.flip(1)[mask])", loss},
    {"targets:transposed", "targets [B,T] read as [T,B]", "F.cross_entropy(z[mask], y.reshape(y.shape[1], -1).T[mask])", loss},
    {"targets:plus_one", "ids one too high", "F.cross_entropy(z[mask], (y[mask] + 1) % z.shape[-1])", loss},
    {"targets:minus_one", "ids one too low", "F.cross_entropy(z[mask], (y[mask] - 1) % z.shape[-1])", loss},
    {"targets:cast", "ids go through a float that holds no large ones", "F.cross_entropy(z[mask], y[mask].bfloat16().long())", loss},
    {"targets:argmax", "the most likely class for the target", "F.cross_entropy(z[mask], z[mask].argmax(-1))", loss},
    {"targets:dense_argmax", "distributions taken for their largest class", "F.cross_entropy(z[mask], q[mask].argmax(-1))", "F.cross_entropy(z[mask], q[mask])"},
    {"targets:dense_normalized", "distributions divided by their sum", "F.cross_entropy(z[mask], q[mask] / q[mask].sum(-1, keepdim=True))", "F.cross_entropy(z[mask], q[mask])"},
    // What predicts
    {"logits:softmax_twice", "a softmax taken twice", "F.cross_entropy(z[mask].softmax(-1), y[mask])", loss},
    {"logits:probabilities_as_logits", "probabilities taken for logits", "F.cross_entropy(probs[mask], y[mask])", "F.nll_loss(probs[mask].log(), y[mask])"},
    {"logits:as_probabilities", "logits taken for probabilities", "F.nll_loss((z[mask] / z[mask].sum(-1, keepdim=True)).clamp(1e-7, 1 - 1e-7).log(), y[mask])", loss},
    {"logits:no_log", "p in place of log p", "F.nll_loss(z[mask].softmax(-1), y[mask])", loss},
    {"logits:no_softmax", "logits taken for log-probabilities", "F.nll_loss(z[mask], y[mask])", loss},
    {"logits:one_hot_missing", "the target's term is missing", "z[mask].logsumexp(-1).mean()", loss},
    {"logits:sigmoid", "a sigmoid cross entropy of every class", "F.binary_cross_entropy_with_logits(z[mask], F.one_hot(y[mask], z.shape[-1]).to(z), reduction=\"none\").sum(-1).mean()", loss},
    {"logits:squared_error", "the squared distance of p and target", "((z[mask].softmax(-1) - F.one_hot(y[mask], z.shape[-1]))**2).sum(-1).mean()", loss},
    {"logits:focal", "tokens weighted by (1 − p)^γ", "((1 - (-nll).exp())**2 * nll * mask).sum() / mask.sum()", loss},
    {"logits:clamped", "logits clamped", "F.cross_entropy(z[mask].clamp(-2, 2), y[mask])", loss},
    {"logits:softmax_over_time", "a softmax over steps", "F.nll_loss(z.log_softmax(1)[mask], y[mask])", loss},
    {"logits:softmax_over_batch", "a softmax over sentences", "F.nll_loss(z.log_softmax(0)[mask], y[mask])", loss},
    {"logits:temperature", "logits divided by a temperature", "F.cross_entropy(z[mask] / 2, y[mask])", loss},
    {"logits:shifted+1", "logits of the next step beside targets, mask and weights", "F.cross_entropy(z[:, 1:][mask[:, :-1]], y[:, :-1][mask[:, :-1]])", loss},
    {"logits:shifted-1", "logits of the step before beside targets, mask and weights", "F.cross_entropy(z[:, :-1][mask[:, 1:]], y[:, 1:][mask[:, 1:]])", loss},
    {"logits:softcap_dropped", "the soft cap is left out", "F.cross_entropy(z[mask], y[mask])", "F.cross_entropy(cap * torch.tanh(z[mask] / cap), y[mask])"},
    {"logits:softcap_added", "a soft cap that is not meant", "F.cross_entropy(30 * torch.tanh(z[mask] / 30), y[mask])", loss},
    {"logits:z_loss_dropped", "the z-loss is left out", "(nll * mask).sum() / mask.sum()", "((nll + zeta * z.logsumexp(-1)**2) * mask).sum() / mask.sum()"},
    {"logits:z_loss_added", "a z-loss that is not meant", "((nll + 1e-2 * z.logsumexp(-1)**2) * mask).sum() / mask.sum()", loss},
    {"logits:z_loss_on_padding", "the z-loss counts padding", "(nll * mask).sum() / mask.sum() + zeta * logits.logsumexp(-1).square().mean()", "((nll + zeta * z.logsumexp(-1)**2) * mask).sum() / mask.sum()"},
    {"logits:epsilon_in_log", "a number inside the logarithm", "-(z.softmax(-1).gather(2, y[..., None])[..., 0] + 1e-3).log()[mask].mean()", loss},
    {"logits:probability_clipped", "probabilities are clipped: no gradient there", "-z.softmax(-1).clamp(1e-2, 1 - 1e-2).gather(2, y[..., None])[..., 0].log()[mask].mean()", loss},
    // Weights and smoothing
    {"weights:token_dropped", "token weights are left out", "(nll * mask).sum() / mask.sum()", "(nll * mask * weight).sum() / (mask * weight).sum()"},
    {"weights:example_dropped", "example weights are left out", "(nll * mask).sum() / mask.sum()", "(nll * mask * example_weight[:, None]).sum() / (mask * example_weight[:, None]).sum()"},
    {"weights:dropped", "token and example weights are left out", "(nll * mask).sum() / mask.sum()", "w = mask * weight * example_weight[:, None]; (nll * w).sum() / w.sum()"},
    {"weights:squared", "weights are applied twice", "(nll * mask * weight**2).sum() / (mask * weight).sum()", "(nll * mask * weight).sum() / (mask * weight).sum()"},
    {"weights:binarized", "every weight other than 0 counts as 1", "(nll * mask * (weight != 0)).sum() / mask.sum()", "(nll * mask * weight).sum() / (mask * weight).sum()"},
    {"weights:normalized", "weights are divided by their sum in each sentence", "w = mask * weight; (nll * w / w.sum(1, keepdim=True)).sum()", "(nll * mask * weight).sum() / (mask * weight).sum()"},
    {"weights:normalized_twice", "weights are divided by their sum, and the loss again", "w = mask * weight; (nll * w / w.sum()).sum() / mask.sum()", "(nll * mask * weight).sum() / (mask * weight).sum()"},
    {"weights:class_dropped", "class weights are left out", "F.cross_entropy(z[mask], y[mask])", "F.cross_entropy(z[mask], y[mask], weight=class_weight)"},
    {"weights:class_scope", "class weights of the target alone, where each class's term is weighted, or the other way round", "F.cross_entropy(z[mask], y[mask], weight=class_weight, label_smoothing=0.1)", "(F.cross_entropy(z[mask], y[mask], reduction=\"none\", label_smoothing=0.1) * class_weight[y[mask]]).mean()"},
    {"smoothing:dropped", "label smoothing is left out", "F.cross_entropy(z[mask], y[mask])", "F.cross_entropy(z[mask], y[mask], label_smoothing=0.1)"},
    {"smoothing:added", "label smoothing that is not meant", "F.cross_entropy(z[mask], y[mask], label_smoothing=0.1)", loss},
    {"smoothing:kind", "smoothing mass goes to other classes than meant", "F.cross_entropy(z[mask], y[mask], label_smoothing=0.1 * z.shape[-1] / (z.shape[-1] - 1))", "F.cross_entropy(z[mask], y[mask], label_smoothing=0.1)"},
    {"smoothing:kl", "the entropy of the smoothed target is taken off, or is not", "F.kl_div(z[mask].log_softmax(-1), q[mask], reduction=\"none\").sum(-1).mean()", "F.cross_entropy(z[mask], q[mask])"},
    {"smoothing:on_padding", "the smoothing term counts padding", "0.9 * (nll * mask).sum() / mask.sum() - 0.1 * logits.log_softmax(-1).mean()", "F.cross_entropy(z[mask], y[mask], label_smoothing=0.1)"},
    // Answers that are no loss
    {"value:zero", "0 for every batch", "nll.sum() * 0", loss},
    {"value:nan", "NaN for every batch", "(nll * mask / 0).sum() * 0", loss},
    {"value:infinite", "infinite for every batch", "nll.sum() / 0", loss},
    // Gradients of a right value
    {"gradient:scaled", "right value, gradient times one factor", "(0.5 * {loss}) + (0.5 * {loss}).detach()", loss},
    {"gradient:scaled_per_example", "right value, gradient times another factor in each sentence", "", ""},
    {"gradient:scaled_per_row", "right value, gradient times another factor in each row", "", ""},
    {"gradient:sign", "right value, gradient with the other sign", "2 * ({loss}).detach() - {loss}", loss},
    {"gradient:zero", "the gradient is 0", "({loss}).detach()", loss},
    {"gradient:nan", "the gradient of rows that count is NaN or infinite", "", ""},
    {"gradient:rows_missing", "rows that count have no gradient", "", ""},
    {"gradient:dead_rows", "rows that do not count have a gradient", "", ""},
    {"gradient:transposed", "the gradient is in another order of axes", "", ""},
    {"gradient:one_hot_missing", "the gradient is p, without the target's 1", "", ""},
    {"gradient:another_loss", "right value, the gradient of another loss", "", ""},
    {"gradient:unknown", "the gradient is that of no loss known here", "", ""},
    {"dead_gradient:nan", "the gradient of padding is NaN where its logits are", "", ""},
    // Properties
    {"padding:width", "more columns of padding change the loss", "(nll * mask).mean()", loss},
    {"padding:empty_examples", "more empty sentences change the loss", "(nll * mask).sum() / len(mask)", loss},
    {"padding:left", "padding before a sentence changes the loss", "m = torch.arange(mask.shape[1]) < mask.sum(1, keepdim=True); (nll * m).sum() / m.sum()", loss},
    {"size:steps", "steps beyond some number are left out", "(nll * mask)[:, :100].sum() / mask[:, :100].sum()", loss},
    {"size:examples", "sentences beyond some number are left out", "(nll * mask)[:30].sum() / mask[:30].sum()", loss},
    {"size:other", "another loss of a large batch", "(nll * mask).sum() / mask.sum() + (len(mask) > 30)", loss},
    {"order:examples", "the order of sentences changes the loss", "(nll * mask)[:-1].sum() / mask[:-1].sum()", loss},
    {"micro:sum", "micro-batches add up to more than the whole", "(nll * mask).sum() / mask.sum()", "(nll * mask).sum() / num_items"},
    {"micro:divided_twice", "divided by the number of micro-batches as well", "(nll * mask).sum() / num_items / 4", "(nll * mask).sum() / num_items"},
    {"micro:num_items_ignored", "num_items is taken and not used", "(nll * mask).sum() / mask.sum()", "(nll * mask).sum() / num_items"},
    {"upstream:ignored", "the upstream gradient is ignored", "", "return grad * upstream, None"},
    {"upstream:first_row", "every row is scaled by the first upstream gradient", "", "return grad * upstream[:, None], None"},
    {"upstream:other", "the gradient is not linear in its upstream", "", ""},
    {"empty:zero", "0 where no token counts", "(nll * mask).sum() / mask.sum().clamp(min=1)", loss},
    {"empty:nan", "NaN where no token counts", "(nll * mask).sum() / mask.sum()", "(nll * mask).sum() / mask.sum().clamp(min=1)"},
    {"empty:error", "an error where no token counts", "", ""},
    {"empty:other", "another number where no token counts", "", ""},
    {"extremes:zero_times_infinity", "0·∞ of a one-hot row times log-softmax", "-(F.one_hot(y, z.shape[-1]) * z.log_softmax(-1)).sum(-1)[mask].mean()", loss},
    {"extremes:value", "another value where logits are large, as of logits that are clamped", "F.cross_entropy(z[mask].clamp(-30, 30), y[mask])", loss},
    {"extremes:overflow", "large logits overflow", "-(z.exp() / z.exp().sum(-1, keepdim=True)).log().gather(2, y[..., None])[..., 0][mask].mean()", loss},
    {"pure:inputs_overwritten", "it writes over its inputs", "", ""},
    {"pure:state", "a second call gives another answer", "", ""},
    {"dtype:summed", "summed in a small dtype: the error grows with N", "(nll.bfloat16() * mask).cumsum(1)[:, -1].sum()", loss},
    {"dtype:overflow", "no finite number in a small dtype: it overflows, or an epsilon is 0 there", "", ""},
    {"derivative:value_is_meant", "value and gradient disagree; the value is the one that is meant", "", ""},
    {"derivative:gradient_is_meant", "value and gradient disagree; the gradient is that of what is meant", "", ""},
    {"derivative:neither", "value and gradient disagree, and neither is what is meant", "", ""},
    {"refuses:input", "refuses an input that has a meaning", "", ""},
    {"none", "no loss that is known here", "", ""},
};
// clang-format on

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::span<const FindingInfo> findings() { return finding_table; }

const FindingInfo& finding(const std::string& id) {
  for (const FindingInfo& f : finding_table)
    if (id == f.id) return f;
  refuse("there is no finding '{}'; `seqgrad info --findings` lists them", id);
}

std::string mend_of(const FindingInfo& f, const LossOptions* meant) {
  std::string mend = f.mend;
  if (mend.empty()) return "";
  replace_all(mend, "{loss}", torch_of(meant ? *meant : LossOptions{}));
  const std::string_view given = findings_given;
  const size_t lines = given.find('\n') + 1;  // the first is a comment
  const bool uses = mend.find("nll") != std::string::npos || mend.find("z[") != std::string::npos ||
                    mend.find("y[") != std::string::npos;
  return uses ? std::string(given.substr(lines)) + "\n" + mend : mend;
}

}  // namespace seqgrad
