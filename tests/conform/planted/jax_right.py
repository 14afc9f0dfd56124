"""Right losses in JAX, named as in right.json."""
import jax.numpy as jnp

from jax_bugs import safe_losses


def token_mean(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / jnp.maximum(mask.sum(), 1)


def token_sum(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum()


def examples_mean(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / max(1, len(mask))


def weighted_mean(logits, targets, mask, weights):
    w = jnp.where(mask, weights, 0)
    total = w.sum()
    return (safe_losses(logits, targets, mask) * w).sum() / jnp.where(total > 0, total, 1)


def by_example(logits, targets, mask, weights):
    w = jnp.where(mask, weights, 0)
    return (safe_losses(logits, targets, mask) * w).sum(1) / (w.sum(1) + 1e-12)


def row_losses(logits, targets, mask):
    return safe_losses(logits, targets, mask)


def reduced_rows(row_loss, mask):
    return jnp.where(mask, row_loss, 0).sum() / jnp.maximum(mask.sum(), 1)


def sentence_means(row_loss, mask):
    rows = jnp.where(mask, row_loss, 0).sum(1) / jnp.maximum(mask.sum(1), 1)
    return rows.sum() / jnp.maximum(mask.any(1).sum(), 1)
