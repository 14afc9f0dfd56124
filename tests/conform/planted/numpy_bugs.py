"""The planted bugs in numpy, with autodiff.py's arrays in place of a framework's: a function each, named by the bug's
id in bugs.json, of a batch `x` (logits are Arrays, the rest numpy)."""
import numpy as np

from autodiff import Array, clip, cross_entropy, gradients, log, log_softmax, logsumexp, nll_loss, softmax, take, where


def token_losses(x):
    """[B,T], as people write it who do not look at padding."""
    return cross_entropy(x.logits, x.targets)


def safe_losses(x):
    """[B,T], of live rows only; 0 elsewhere."""
    z = where(x.mask[..., None], x.logits, 0)
    return where(x.mask, cross_entropy(z, np.where(x.mask, x.targets, 0)), 0)


# Who counts

def mean_over_padding(x):
    return (safe_losses(x)).mean()


def mask_forgotten(x):
    return token_losses(x).mean()


def mask_multiplied(x):
    return (token_losses(x) * x.mask).sum() / x.mask.sum()


def mask_inverted(x):
    return (token_losses(x) * (1 - x.mask)).sum() / (1 - x.mask).sum()


def mask_of_inputs(x):  # the mask of the tokens that go in, beside the losses of those that come out
    m = np.concatenate([np.zeros_like(x.mask[:, :1]), x.mask[:, :-1]], 1)
    return (token_losses(x) * m).sum() / m.sum()


def mask_from_pad_id(x):
    m = x.targets != 0
    return (token_losses(x) * m).sum() / m.sum()


def class_0_ignored(x):
    m = x.mask & (x.targets != 0)
    return where(m, safe_losses(x), 0).sum() / m.sum()


def eos_dropped(x):
    m = np.arange(x.targets.shape[1]) < x.lengths[:, None] - 1
    return where(m, cross_entropy(where(m[..., None], x.logits, 0), np.where(m, x.targets, 0)), 0).sum() / m.sum()


def first_token_dropped(x):
    m = x.mask & (np.cumsum(x.mask, 1) > 1)
    return where(m, safe_losses(x), 0).sum() / m.sum()


def last_example_dropped(x):
    return safe_losses(x)[:-1].sum() / max(1, x.mask[:-1].sum())


# Divisors

def sentence_mean(x):
    return (safe_losses(x).sum(1) / np.maximum(x.mask.sum(1), 1)).mean()


def divided_by_examples(x):
    return safe_losses(x).sum() / len(x.mask)


def divided_by_steps(x):
    return safe_losses(x).sum() / x.mask.shape[1]


def divided_by_longest(x):
    return safe_losses(x).sum() / x.lengths.max()


def not_divided(x):
    return safe_losses(x).sum()


def count_minus_batch(x):
    return safe_losses(x).sum() / (x.mask.sum() - len(x.mask))


def divided_twice(x):
    n = x.mask.sum()
    return (safe_losses(x) / n).sum() / n


def divided_by_classes(x):
    one_hot = np.eye(x.logits.shape[-1])[np.where(x.mask, x.targets, 0)] * x.mask[..., None]
    log_p = log_softmax(where(x.mask[..., None], x.logits, 0))
    return -(log_p * one_hot).mean()


def broadcast(x):
    m = x.mask.reshape(-1)
    return (token_losses(x).reshape(-1, 1) * m.astype(float)).mean()


# Micro-batches and ranks

def chunks(n, parts):
    """Slices as torch.chunk makes them."""
    each = -(-n // parts)
    return [slice(i, i + each) for i in range(0, n, each)]


def mean_of_micro_means(x):
    losses, parts = safe_losses(x), chunks(len(x.mask), 4)
    return sum((losses[p].sum() / max(1, x.mask[p].sum()) for p in parts), 0) / len(parts)


def rank_divisor(x):
    losses, parts = safe_losses(x), chunks(len(x.mask), 2)
    return sum((losses[p].sum() / max(1, x.mask[p].sum()) for p in parts), 0) / len(parts)


def num_items_ignored(x):
    return safe_losses(x).sum() / x.mask.sum()


def parts_twice(x):
    return safe_losses(x).sum() / x.num_items / 4


# Targets and logits

def shifted_twice(x):
    m = x.mask[:, 1:]
    return (cross_entropy(x.logits[:, :-1], x.targets[:, 1:]) * m).sum() / m.sum()


def shifted_back(x):
    m = x.mask[:, :-1]
    return (cross_entropy(x.logits[:, 1:], x.targets[:, :-1]) * m).sum() / m.sum()


def softmax_twice(x):
    return (cross_entropy(softmax(x.logits), x.targets) * x.mask).sum() / x.mask.sum()


def probabilities_as_logits(x):
    return (cross_entropy(x.probs, x.targets) * x.mask).sum() / x.mask.sum()


def logits_as_probabilities(x):
    log_p = log(clip(x.logits, 1e-7, 1 - 1e-7))  # what Keras on TensorFlow does without from_logits=True
    return (cross_entropy(log_p, x.targets) * x.mask).sum() / x.mask.sum()


def softmax_over_time(x):
    return (nll_loss(log_softmax(x.logits, axis=1), x.targets) * x.mask).sum() / x.mask.sum()


def base_2(x):
    return safe_losses(x).sum() / x.mask.sum() / np.log(2)


def temperature(x):
    return (cross_entropy(x.logits / 2.0, x.targets) * x.mask).sum() / x.mask.sum()


def logits_clamped(x):
    return (cross_entropy(clip(x.logits, -1, 1), x.targets) * x.mask).sum() / x.mask.sum()


def softcap_forgotten(x):
    return safe_losses(x).sum() / x.mask.sum()


# Smoothing and z-loss

def smoothing_on_padding(x):
    z = where(x.mask[..., None], x.logits, 0)
    uniform = -log_softmax(x.logits).mean(-1)
    nll = where(x.mask, cross_entropy(z, np.where(x.mask, x.targets, 0)), 0)
    return ((1 - 0.1) * nll + 0.1 * uniform).sum() / x.mask.sum()


def smoothing_of_others(x):
    V = x.logits.shape[-1]
    log_p = log_softmax(where(x.mask[..., None], x.logits, 0))
    nll = -take(log_p, np.where(x.mask, x.targets, 0))
    others = (-log_p).sum(-1) - nll
    return where(x.mask, (1 - 0.1) * nll + 0.1 / (V - 1) * others, 0).sum() / x.mask.sum()


def z_loss_on_padding(x):
    lse = logsumexp(x.logits)
    return (safe_losses(x).sum() + 0.01 * (lse * lse).sum()) / x.mask.sum()


# Weights

def class_weight_not_in_divisor(x):
    w = np.where(x.mask, x.class_weight[np.where(x.mask, x.targets, 0)], 0)
    return (safe_losses(x) * w).sum() / x.mask.sum()


def weight_squared(x):
    w = np.where(x.mask, x.token_weight, 0)
    return (safe_losses(x) * w * w).sum() / w.sum()


def weight_not_in_divisor(x):
    w = np.where(x.mask, x.token_weight, 0)
    return (safe_losses(x) * w).sum() / x.mask.sum()


def weight_dropped(x):
    return safe_losses(x).sum() / x.mask.sum()


# Gradients that somebody wrote by hand

def by_hand(value, leaf, gradient):
    """An operation with a backward pass of its own: `gradient` of the upstream."""
    return Array(value.value, [(leaf, gradient)])


def upstream_ignored(x):
    value = safe_losses(x).sum() / max(1, x.mask.sum())
    own, = gradients(value, [x.logits], 1.0)
    return by_hand(value, x.logits, lambda g: own)


def first_upstream(x):
    value = safe_losses(x)
    own, = gradients(value, [x.logits], np.ones(value.shape))
    return by_hand(value, x.logits, lambda g: own * (g.reshape(-1)[0] if g.size else 1.0))


def logits_overwritten(x):
    value = safe_losses(x).sum() / max(1, x.mask.sum())
    own, = gradients(value, [x.logits], 1.0)
    x.logits.value[...] = own
    return by_hand(value, x.logits, lambda g: own * g)


def gradient_of_padding(x):
    n = max(1, x.mask.sum())
    all_rows, = gradients(cross_entropy(x.logits, np.clip(x.targets, 0, x.logits.shape[-1] - 1)).sum() / n, [x.logits], 1.0)
    return by_hand(safe_losses(x).sum() / n, x.logits, lambda g: all_rows * g)


def gradient_halved(x):
    value = safe_losses(x).sum() / max(1, x.mask.sum())
    own, = gradients(value, [x.logits], 1.0)
    return by_hand(value, x.logits, lambda g: own * g * 0.5)


# Nothing counts; 16 bits

def nan_of_nothing(x):
    return safe_losses(x).sum() / x.mask.sum()


def bf16(a):
    """Rounded to bfloat16, as float32; the gradient passes."""
    bits = np.asarray(a.value, np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return Array(np.where(np.isnan(a.value), a.value, rounded), [(a, lambda g: g)])


def summed_in_bf16(x):
    losses = safe_losses(x).reshape(-1)
    n = max(1, x.mask.sum())
    if x.dtype != "BF16":
        return losses.sum() / n
    total = losses[:0].sum()
    for i in range(losses.shape[0]):
        total = bf16(total + bf16(losses[i]))
    return bf16(total / n)


def labels_cast(x):
    y = np.where(x.mask, x.targets, 0)
    if x.dtype == "BF16":
        y = bf16(Array(y.astype(np.float32))).value.astype(np.int64)
    z = where(x.mask[..., None], x.logits, 0)
    return where(x.mask, cross_entropy(z, np.minimum(y, x.logits.shape[-1] - 1)), 0).sum() / x.mask.sum()
