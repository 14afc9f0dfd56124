"""Planted bugs in Keras 3, as people write them: a function each, named by the bug's id in bugs.json."""
import keras
from keras import ops


def token_losses(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def safe_losses(y_true, y_pred, mask):
    keep = ops.cast(mask, "bool")
    z, y = ops.where(keep[..., None], y_pred, ops.zeros_like(y_pred)), ops.where(keep, y_true, ops.zeros_like(y_true))
    losses = token_losses(y, z)
    return ops.where(keep, losses, ops.zeros_like(losses))


def mean_over_padding(y_true, y_pred, mask):
    return ops.mean(safe_losses(y_true, y_pred, mask))


def mask_forgotten(y_true, y_pred, mask):
    return ops.mean(token_losses(y_true, y_pred))


def mask_multiplied(y_true, y_pred, mask):
    return ops.sum(token_losses(y_true, y_pred) * mask) / ops.sum(mask)


def mask_inverted(y_true, y_pred, mask):
    keep = 1 - mask
    return ops.sum(token_losses(y_true, y_pred) * keep) / ops.sum(keep)


def mask_from_pad_id(y_true, y_pred, mask):
    m = ops.cast(y_true != 0, y_pred.dtype)  # mask_zero=True
    return ops.sum(token_losses(y_true, y_pred) * m) / ops.sum(m)


def class_0_ignored(y_true, y_pred, mask):
    m = mask * ops.cast(y_true != 0, y_pred.dtype)
    return ops.sum(safe_losses(y_true, y_pred, mask) * m) / ops.sum(m)


def sentence_mean(y_true, y_pred, mask):
    losses = safe_losses(y_true, y_pred, mask)
    return ops.mean(ops.sum(losses, 1) / ops.maximum(ops.sum(mask, 1), 1))


def divided_by_examples(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / y_pred.shape[0]


def divided_by_steps(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / y_pred.shape[1]


def not_divided(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask))


def divided_by_classes(y_true, y_pred, mask):
    keep = ops.cast(mask, "bool")
    z = ops.where(keep[..., None], y_pred, ops.zeros_like(y_pred))
    y = ops.where(keep, y_true, ops.zeros_like(y_true))
    one_hot = ops.one_hot(y, y_pred.shape[-1], dtype=y_pred.dtype) * mask[..., None]
    return -ops.mean(ops.log_softmax(z) * one_hot)


def broadcast(y_true, y_pred, mask):
    losses = ops.reshape(token_losses(y_true, y_pred), (-1, 1))
    return ops.mean(losses * ops.reshape(mask, (-1,)))


def num_items_ignored(y_true, y_pred, mask, num_items):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / ops.sum(mask)


def shifted_twice(y_true, y_pred, mask):
    m = mask[:, 1:]
    return ops.sum(token_losses(y_true[:, 1:], y_pred[:, :-1]) * m) / ops.sum(m)


def base_2(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / ops.sum(mask) / ops.log(ops.cast(2, y_pred.dtype))


def logits_as_probabilities(y_true, y_pred, mask):
    losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred)  # from_logits=True is missing
    return ops.sum(losses * mask) / ops.sum(mask)


def softmax_over_time(y_true, y_pred, mask):
    log_p = ops.log_softmax(y_pred, axis=1)
    picked = ops.take_along_axis(log_p, y_true[..., None], axis=-1)[..., 0]
    return ops.sum(-picked * mask) / ops.sum(mask)


def temperature(y_true, y_pred, mask):
    return ops.sum(token_losses(y_true, y_pred / 2.0) * mask) / ops.sum(mask)


def weight_squared(y_true, y_pred, mask, weights):
    w = ops.where(ops.cast(mask, "bool"), weights, ops.zeros_like(weights))
    return ops.sum(safe_losses(y_true, y_pred, mask) * w * w) / ops.sum(w)


def weight_not_in_divisor(y_true, y_pred, mask, weights):
    w = ops.where(ops.cast(mask, "bool"), weights, ops.zeros_like(weights))
    return ops.sum(safe_losses(y_true, y_pred, mask) * w) / ops.sum(mask)  # sum_over_batch_size of masked losses


def weight_dropped(y_true, y_pred, mask, weights):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / ops.sum(mask)


def nan_of_nothing(y_true, y_pred, mask):
    return ops.sum(safe_losses(y_true, y_pred, mask)) / ops.sum(mask)


def labels_cast(y_true, y_pred, mask):
    keep = ops.cast(mask, "bool")
    z, y = ops.where(keep[..., None], y_pred, ops.zeros_like(y_pred)), ops.where(keep, y_true, ops.zeros_like(y_true))
    # A loss object casts y_true to its dtype, the one of y_pred, before the ids are looked up.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum", dtype=y_pred.dtype)
    return loss(y, z, sample_weight=mask) / ops.sum(mask)
