"""Right losses in numpy, with autodiff.py's arrays in place of a framework's, named as in right.json."""
import numpy as np

from autodiff import cross_entropy, log_softmax, take, where
from numpy_bugs import safe_losses


def token_mean(x):
    return safe_losses(x).sum() / max(1, x.mask.sum())


def labels_mean(x):
    return cross_entropy(x.logits, x.labels).sum() / (x.labels != -100).sum()


def token_sum(x):
    return safe_losses(x).sum()


def positions_mean(x):
    return safe_losses(x).sum() / max(1, x.mask.size)


def examples_mean(x):
    return safe_losses(x).sum() / max(1, len(x.mask))


def weighted_mean(x):
    w = np.where(x.mask, x.token_weight, 0)
    return (safe_losses(x) * w).sum() / (w.sum() or 1)


def by_example(x):
    w = np.where(x.mask, x.token_weight, 0)
    return (safe_losses(x) * w).sum(1) / (w.sum(1) + 1e-12)


def row_losses(x):
    return safe_losses(x)


def class_weights(x):
    c = np.where(x.mask, x.class_weight[np.where(x.mask, x.targets, 0)], 0)
    return (safe_losses(x) * c).sum() / (c.sum() or 1)


def smoothed(x):
    log_p = log_softmax(where(x.mask[..., None], x.logits, 0))
    nll = -take(log_p, np.where(x.mask, x.targets, 0))
    uniform = (-log_p).sum(-1) / log_p.shape[-1]
    return where(x.mask, 0.9 * nll + 0.1 * uniform, 0).sum() / max(1, x.mask.sum())


def by_count(x):
    return safe_losses(x).sum() / max(1.0, float(x.num_items))


def reduced_rows(x):
    return where(x.mask, x.row_loss, 0).sum() / max(1, x.mask.sum())


def sentence_means(x):
    rows = where(x.mask, x.row_loss, 0).sum(1) / np.maximum(1, x.mask.sum(1))
    return rows.sum() / max(1, x.mask.any(1).sum())
