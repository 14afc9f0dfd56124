"""The planted bugs in PyTorch, as people write them: a function each, named by the bug's id in bugs.json."""
import math

import torch
import torch.nn.functional as F


def token_losses(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def safe_losses(logits, targets, mask):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, 0)
    return torch.where(mask, token_losses(z, y), 0)


# Who counts

def mean_over_padding(logits, targets, mask):
    return safe_losses(logits, targets, mask).mean()


def mask_forgotten(logits, targets, mask):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def mask_multiplied(logits, targets, mask):
    return (token_losses(logits, targets) * mask).sum() / mask.sum()


def mask_inverted(logits, targets, mask):
    keep = ~mask  # True is padding in torch.nn.Transformer's masks
    return (token_losses(logits, targets) * keep).sum() / keep.sum()


def mask_of_inputs(logits, targets, mask):
    m = F.pad(mask[:, :-1], (1, 0))
    return (token_losses(logits, targets) * m).sum() / m.sum()


def mask_from_pad_id(logits, targets, mask):
    m = targets != 0
    return (token_losses(logits, targets) * m).sum() / m.sum()


def class_0_ignored(logits, targets, mask):
    y = torch.where(mask, targets, 0)
    return F.cross_entropy(torch.where(mask[..., None], logits, 0).flatten(0, 1), y.flatten(), ignore_index=0)


def eos_dropped(logits, targets, lengths):
    m = torch.arange(targets.shape[1]) < lengths[:, None] - 1
    return safe_losses(logits, targets, m).sum() / m.sum()


def first_token_dropped(logits, targets, mask):
    m = mask & (mask.cumsum(1) > 1)
    return safe_losses(logits, targets, m).sum() / m.sum()


def last_example_dropped(logits, targets, mask):
    return safe_losses(logits, targets, mask)[:-1].sum() / mask[:-1].sum().clamp(min=1)


# Divisors

def sentence_mean(logits, targets, mask):
    losses = safe_losses(logits, targets, mask)
    return (losses.sum(1) / mask.sum(1).clamp(min=1)).mean()


def divided_by_examples(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / logits.shape[0]


def divided_by_steps(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.shape[-1]


def divided_by_longest(logits, targets, lengths):
    mask = torch.arange(targets.shape[1]) < lengths[:, None]
    return safe_losses(logits, targets, mask).sum() / lengths.max()


def not_divided(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum()


def count_minus_batch(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / (mask.sum() - len(mask))


def divided_twice(logits, targets, mask):
    n = mask.sum()
    losses = safe_losses(logits, targets, mask) / n
    return losses.sum() / n


def divided_by_classes(logits, targets, mask):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, 0)
    one_hot = F.one_hot(y, logits.shape[-1]) * mask[..., None]
    return -(F.log_softmax(z, -1) * one_hot).mean()


def broadcast(logits, targets, mask):
    losses = token_losses(logits, targets).reshape(-1, 1)
    return (losses * mask.reshape(-1)).mean()


# Micro-batches and ranks

def mean_of_micro_means(logits, targets, mask):
    parts = list(zip(logits.chunk(4), targets.chunk(4), mask.chunk(4)))
    return sum(safe_losses(z, y, m).sum() / m.sum().clamp(min=1) for z, y, m in parts) / len(parts)


def rank_divisor(logits, targets, mask):
    ranks = list(zip(logits.chunk(2), targets.chunk(2), mask.chunk(2)))
    return torch.stack([safe_losses(z, y, m).sum() / m.sum().clamp(min=1) for z, y, m in ranks]).mean()


def num_items_ignored(logits, targets, mask, num_items_in_batch=None):
    return safe_losses(logits, targets, mask).sum() / mask.sum()


def parts_twice(logits, targets, mask, num_items_in_batch):
    loss = safe_losses(logits, targets, mask).sum() / num_items_in_batch
    return loss / 4  # gradient_accumulation_steps, which num_items_in_batch has in it


# Targets and logits

def shifted_twice(logits, targets, mask):
    m = mask[:, 1:]
    return (token_losses(logits[:, :-1], targets[:, 1:]) * m).sum() / m.sum()


def shifted_back(logits, targets, mask):
    m = mask[:, :-1]
    return (token_losses(logits[:, 1:], targets[:, :-1]) * m).sum() / m.sum()


def softmax_twice(logits, targets, mask):
    return (token_losses(logits.softmax(-1), targets) * mask).sum() / mask.sum()


def probabilities_as_logits(probs, targets, mask):
    return (token_losses(probs, targets) * mask).sum() / mask.sum()


def logits_as_probabilities(logits, targets, mask):
    log_p = logits.clamp(1e-7, 1 - 1e-7).log()  # what Keras on TensorFlow does without from_logits=True
    return (token_losses(log_p, targets) * mask).sum() / mask.sum()


def softmax_over_time(logits, targets, mask):
    log_p = F.log_softmax(logits, dim=1)
    return (F.nll_loss(log_p.transpose(1, 2), targets, reduction="none") * mask).sum() / mask.sum()


def base_2(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum() / math.log(2)


def temperature(logits, targets, mask):
    return (token_losses(logits / 2.0, targets) * mask).sum() / mask.sum()


def logits_clamped(logits, targets, mask):
    return (token_losses(logits.clamp(-1, 1), targets) * mask).sum() / mask.sum()


def softcap_forgotten(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum()


# Smoothing and z-loss

def smoothing_on_padding(logits, targets, mask):
    nll = safe_losses(logits, targets, mask)
    uniform = -F.log_softmax(logits, -1).mean(-1)
    return ((1 - 0.1) * nll + 0.1 * uniform).sum() / mask.sum()


def smoothing_of_others(logits, targets, mask):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, 0)
    log_p = F.log_softmax(z, -1)
    nll = -log_p.gather(-1, y[..., None])[..., 0]
    others = -log_p.sum(-1) - nll
    loss = (1 - 0.1) * nll + 0.1 / (logits.shape[-1] - 1) * others
    return torch.where(mask, loss, 0).sum() / mask.sum()


def z_loss_on_padding(logits, targets, mask):
    z_loss = 0.01 * logits.logsumexp(-1).square()
    return (safe_losses(logits, targets, mask).sum() + z_loss.sum()) / mask.sum()


# Weights

def class_weight_not_in_divisor(logits, targets, mask, class_weight):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, -100)
    losses = F.cross_entropy(z.transpose(1, 2), y, weight=class_weight, reduction="none")
    return losses.sum() / mask.sum()


def weight_squared(logits, targets, mask, weights):
    w = torch.where(mask, weights, 0)
    losses = safe_losses(logits, targets, mask) * w
    return (losses * w).sum() / w.sum()


def weight_not_in_divisor(logits, targets, mask, weights):
    w = torch.where(mask, weights, 0)
    return (safe_losses(logits, targets, mask) * w).sum() / mask.sum()


def weight_dropped(logits, targets, mask, weights):
    return safe_losses(logits, targets, mask).sum() / mask.sum()


# Gradients that somebody wrote by hand

def p_minus_y(logits, targets, mask):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, 0)
    return (z.softmax(-1) - F.one_hot(y, logits.shape[-1])) * mask[..., None]


class UpstreamIgnored(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets, mask):
        n = mask.sum().clamp(min=1)
        ctx.save_for_backward(p_minus_y(logits, targets, mask) / n)
        return safe_losses(logits, targets, mask).sum() / n

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.saved_tensors[0], None, None


def upstream_ignored(logits, targets, mask):
    return UpstreamIgnored.apply(logits, targets, mask)


class FirstUpstream(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets, mask):
        ctx.save_for_backward(p_minus_y(logits, targets, mask))
        return safe_losses(logits, targets, mask)

    @staticmethod
    def backward(ctx, grad_output):
        first = grad_output.flatten()[0] if grad_output.numel() else 1.0
        return ctx.saved_tensors[0] * first, None, None


def first_upstream(logits, targets, mask):
    return FirstUpstream.apply(logits, targets, mask)


class LogitsOverwritten(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets, mask):
        n = mask.sum().clamp(min=1)
        loss = safe_losses(logits, targets, mask).sum() / n
        logits.copy_(p_minus_y(logits, targets, mask) / n)  # the gradient, where the logits stood
        ctx.gradient = logits
        return loss

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.gradient * grad_output, None, None


def logits_overwritten(logits, targets, mask):
    return LogitsOverwritten.apply(logits, targets, mask)


class GradientOfPadding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets, mask):
        n = mask.sum().clamp(min=1)
        y = targets.clamp(0, logits.shape[-1] - 1)
        ctx.save_for_backward((logits.softmax(-1) - F.one_hot(y, logits.shape[-1])) / n)
        return safe_losses(logits, targets, mask).sum() / n

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.saved_tensors[0] * grad_output, None, None


def gradient_of_padding(logits, targets, mask):
    return GradientOfPadding.apply(logits, targets, mask)


def gradient_halved(logits, targets, mask):
    loss = safe_losses(logits, targets, mask).sum() / mask.sum().clamp(min=1)
    return loss / 2 + loss.detach() / 2  # the log shows the loss, the optimiser gets half of it


# Nothing counts; 16 bits

def nan_of_nothing(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum()


def summed_in_bf16(logits, targets, mask):
    losses = safe_losses(logits, targets, mask).flatten()
    total = losses.new_zeros(())
    for loss in losses:  # a running sum, in the dtype of the model
        total = total + loss
    return total / mask.sum().clamp(min=1)


def labels_cast(logits, targets, mask):
    y = torch.where(mask, targets, 0).to(logits.dtype).long()  # as Keras does before it compares
    y = y.clamp(max=logits.shape[-1] - 1)
    return safe_losses(logits.float() if logits.dtype.itemsize == 2 else logits, y, mask).sum() / mask.sum()
