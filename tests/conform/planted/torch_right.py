"""Right losses in PyTorch, named as in right.json."""
import torch
import torch.nn.functional as F

from torch_bugs import safe_losses


def token_mean(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum().clamp(min=1)


def labels_mean(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def token_sum(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum()


def positions_mean(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / max(1, mask.numel())


def examples_mean(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / max(1, len(mask))


def weighted_mean(logits, targets, mask, weights):
    w = torch.where(mask, weights, 0)
    total = w.sum()
    return (safe_losses(logits, targets, mask) * w).sum() / torch.where(total > 0, total, 1)


def by_example(logits, targets, mask, weights):
    w = torch.where(mask, weights, 0)
    divisor = (w.sum(1) + 1e-12).clamp(min=torch.finfo(w.dtype).tiny)  # 1e-12 is 0 in float16
    return (safe_losses(logits, targets, mask) * w).sum(1) / divisor


def row_losses(logits, targets, mask):
    return safe_losses(logits, targets, mask)


def class_weights(logits, targets, mask, weight):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, -100)
    return F.cross_entropy(z.transpose(1, 2), y, weight=weight)


def smoothed(logits, targets, mask):
    z, y = torch.where(mask[..., None], logits, 0), torch.where(mask, targets, -100)
    return F.cross_entropy(z.transpose(1, 2), y, label_smoothing=0.1)


def by_count(logits, targets, mask, num_items_in_batch):
    return safe_losses(logits, targets, mask).sum() / num_items_in_batch.clamp(min=1)


def reduced_rows(row_loss, mask):
    return torch.where(mask, row_loss, 0).sum() / mask.sum().clamp(min=1)


def sentence_means(row_loss, mask):
    rows = torch.where(mask, row_loss, 0).sum(1) / mask.sum(1).clamp(min=1)
    return rows.sum() / mask.any(1).sum().clamp(min=1)
