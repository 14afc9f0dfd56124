"""Right losses in Keras 3, named as in right.json."""
from keras import ops

from keras_bugs import safe_losses


def token_mean(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / ops.maximum(ops.sum(mask), 1)


def token_sum(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask))


def weighted_mean(y_true, y_pred, mask, weights):
    w = ops.where(ops.cast(mask, "bool"), weights, ops.zeros_like(weights))
    total = ops.sum(w)
    return ops.sum(safe_losses(y_true, y_pred, mask) * w) / ops.where(total > 0, total, ops.ones_like(total))


def by_example(y_true, y_pred, mask, weights):
    w = ops.where(ops.cast(mask, "bool"), weights, ops.zeros_like(weights))
    total = ops.sum(w, 1)
    divisor = ops.where(total > 0, total + 1e-12, ops.ones_like(total))  # 1e-12 is 0 in float16
    return ops.sum(safe_losses(y_true, y_pred, mask) * w, 1) / divisor


def row_losses(y_true, y_pred, mask):
    return safe_losses(y_true, y_pred, mask)


def reduced_rows(row_loss, mask):
    keep = ops.cast(mask, "bool")
    return ops.sum(ops.where(keep, row_loss, ops.zeros_like(row_loss))) / ops.maximum(ops.sum(mask), 1)
