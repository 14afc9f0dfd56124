"""Planted bugs in JAX, as people write them: a function each, named by the bug's id in bugs.json."""
import jax
import jax.numpy as jnp


def pick(log_p, ids):
    return -jnp.take_along_axis(log_p, ids[..., None], -1)[..., 0]


def token_losses(logits, targets):
    return pick(jax.nn.log_softmax(logits), targets)


def safe_losses(logits, targets, mask):
    z, y = jnp.where(mask[..., None], logits, 0), jnp.where(mask, targets, 0)
    return jnp.where(mask, token_losses(z, y), 0)


def mean_over_padding(logits, targets, mask):
    return safe_losses(logits, targets, mask).mean()


def mask_forgotten(logits, targets, mask):
    return token_losses(logits, targets).mean()


def mask_multiplied(logits, targets, mask):
    return (token_losses(logits, targets) * mask).sum() / mask.sum()


def mask_inverted(logits, targets, mask):
    keep = ~mask
    return (token_losses(logits, targets) * keep).sum() / keep.sum()


def mask_of_inputs(logits, targets, mask):
    m = jnp.pad(mask[:, :-1], ((0, 0), (1, 0)))
    return (token_losses(logits, targets) * m).sum() / m.sum()


def eos_dropped(logits, targets, lengths):
    m = jnp.arange(targets.shape[1]) < lengths[:, None] - 1
    return safe_losses(logits, targets, m).sum() / m.sum()


def last_example_dropped(logits, targets, mask):
    return safe_losses(logits, targets, mask)[:-1].sum() / jnp.maximum(mask[:-1].sum(), 1)


def sentence_mean(logits, targets, mask):
    return (safe_losses(logits, targets, mask).sum(1) / jnp.maximum(mask.sum(1), 1)).mean()


def divided_by_examples(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / logits.shape[0]


def divided_by_longest(logits, targets, lengths):
    mask = jnp.arange(targets.shape[1]) < lengths[:, None]
    return safe_losses(logits, targets, mask).sum() / lengths.max()


def not_divided(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum()


def divided_twice(logits, targets, mask):
    n = mask.sum()
    return (safe_losses(logits, targets, mask) / n).sum() / n


def broadcast(logits, targets, mask):
    return (token_losses(logits, targets).reshape(-1, 1) * mask.reshape(-1)).mean()


def rank_divisor(logits, targets, mask):
    half = -(-len(mask) // 2)
    parts = [slice(i, i + half) for i in range(0, len(mask), half)]
    losses = safe_losses(logits, targets, mask)
    return sum(losses[p].sum() / jnp.maximum(mask[p].sum(), 1) for p in parts) / len(parts)  # lax.pmean of means


def shifted_twice(logits, targets, mask):
    m = mask[:, 1:]
    return (token_losses(logits[:, :-1], targets[:, 1:]) * m).sum() / m.sum()


def softmax_twice(logits, targets, mask):
    return (token_losses(jax.nn.softmax(logits), targets) * mask).sum() / mask.sum()


def softmax_over_time(logits, targets, mask):
    return (pick(jax.nn.log_softmax(logits, axis=1), targets) * mask).sum() / mask.sum()


def base_2(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum() / jnp.log(2)


def logits_clamped(logits, targets, mask):
    return (token_losses(jnp.clip(logits, -1, 1), targets) * mask).sum() / mask.sum()


def softcap_forgotten(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum()


def smoothing_of_others(logits, targets, mask):
    z, y = jnp.where(mask[..., None], logits, 0), jnp.where(mask, targets, 0)
    log_p = jax.nn.log_softmax(z)
    nll = pick(log_p, y)
    loss = (1 - 0.1) * nll + 0.1 / (logits.shape[-1] - 1) * (-log_p.sum(-1) - nll)
    return jnp.where(mask, loss, 0).sum() / mask.sum()


def z_loss_on_padding(logits, targets, mask):
    z_loss = 0.01 * jax.nn.logsumexp(logits, -1) ** 2
    return (safe_losses(logits, targets, mask).sum() + z_loss.sum()) / mask.sum()


def class_weight_not_in_divisor(logits, targets, mask, class_weight):
    w = jnp.where(mask, class_weight[jnp.where(mask, targets, 0)], 0)
    return (safe_losses(logits, targets, mask) * w).sum() / mask.sum()


def weight_not_in_divisor(logits, targets, mask, weights):
    w = jnp.where(mask, weights, 0)
    return (safe_losses(logits, targets, mask) * w).sum() / mask.sum()


@jax.custom_vjp
def _upstream_ignored(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / jnp.maximum(mask.sum(), 1)


def _forward(logits, targets, mask):
    z, y = jnp.where(mask[..., None], logits, 0), jnp.where(mask, targets, 0)
    d = (jax.nn.softmax(z) - jax.nn.one_hot(y, logits.shape[-1])) * mask[..., None] / jnp.maximum(mask.sum(), 1)
    return _upstream_ignored(logits, targets, mask), d


_upstream_ignored.defvjp(_forward, lambda d, upstream: (d, None, None))


def upstream_ignored(logits, targets, mask):
    return _upstream_ignored(logits, targets, mask)


def gradient_halved(logits, targets, mask):
    loss = safe_losses(logits, targets, mask).sum() / jnp.maximum(mask.sum(), 1)
    return loss / 2 + jax.lax.stop_gradient(loss) / 2


def nan_of_nothing(logits, targets, mask):
    return safe_losses(logits, targets, mask).sum() / mask.sum()
