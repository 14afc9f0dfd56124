"""Presets written right, in each framework: formulas in a table, of what a framework's few operations make of a batch.

In a formula stand l [B,T], losses of tokens, 0 where none counts; m [B,T], 1 where one counts; w, m times the token's weight; c,
m times the class weight of the target; B, T; sum, sum_t, sum_b over all, steps, examples; over(a, b), a/b and 0 where b is 0, as
an epsilon is in 16 bits.
"""
import inspect

LOGITS, ROWS = "logits targets mask", "row_loss mask"
WEIGHTS = f"{LOGITS} token_weight"

# (formula, takes, presets that are this loss, what the function has built in)
TABLE = [
    ("over(sum(w * l), sum(m))", WEIGHTS, "token_mean keras.sum_over_batch_size"),
    ("over(sum(l), sum(m))", LOGITS, "token_mean fairseq.tokens liger.mean sockeye joeynmt.tokens keras.sum_over_batch_size"),
    ("sum(l) / sum(m)", LOGITS, "torch.mean hf.causal_lm cce.mean tf2.boolean_mask_mean tf2.sequence_mask_by_length"),
    ("over(sum(w * l), sum(m) + 1e-7)", WEIGHTS, "keras.sum_over_batch_size@3.12"),
    ("sum(w * l)", WEIGHTS, "sum tf1.losses.sum marian.ce-sum marian.ce-mean marian.ce-mean-words marian.perplexity "
                            "tf1.legacy_sequence_loss[no+flag]"),
    ("sum(l)", LOGITS, "joeynmt.none sum"),
    ("over(sum(w * l), B)", WEIGHTS, "batch_mean tf1.legacy_sequence_loss[average_across_batch]"),
    ("over(sum(l), B)", LOGITS, "fairseq.sentence_avg opennmt.sents joeynmt.batch"),
    ("over(sum(over(sum_t(w * l), sum_t(m))), sum(any_t(m)))", WEIGHTS, "sentence_mean"),
    ("over(sum_t(w * l), sum_t(w) + 1e-12)", WEIGHTS, "tf1.sequence_loss_by_example"),
    ("sum_t(w * l)", WEIGHTS, "tf1.sequence_loss_by_example[no+flag]"),
    ("over(sum(over(sum_t(w * l), sum_t(w) + 1e-12)), B)", WEIGHTS, "tf1.legacy_sequence_loss"),
    ("sum(over(sum_t(w * l), sum_t(w) + 1e-12))", WEIGHTS, "tf1.legacy_sequence_loss[average_across_timesteps]"),
    ("over(sum(w * l), sum(w))", WEIGHTS, "tf1.contrib_sequence_loss tfa.sequence_loss tf1.losses.mean keras.mean_with_sample_weight"),
    ("over(sum_t(w * l), sum_t(w))", WEIGHTS,
     "tf1.contrib_sequence_loss[average_across_timesteps] tfa.sequence_loss[average_across_timesteps]"),
    ("over(sum_b(w * l), sum_b(w))", WEIGHTS, "tf1.contrib_sequence_loss[average_across_batch] tfa.sequence_loss[average_across_batch]"),
    ("w * l", WEIGHTS, "tf1.contrib_sequence_loss[no+flag] tfa.sequence_loss[no+flag]"),
    ("over(sum_t(w * l), sum_t(nonzero(w)))", WEIGHTS, "tfa.sequence_loss[sum_over_timesteps]"),
    ("over(sum_b(w * l), sum_b(nonzero(w)))", WEIGHTS, "tfa.sequence_loss[sum_over_batch]"),
    ("over(sum(w * l), sum(nonzero(w)))", WEIGHTS,
     "tfa.sequence_loss[sum_over_timesteps+sum_over_batch] tf1.losses.sum_by_nonzero_weights"),
    ("over(sum(w * l), B * T)", WEIGHTS, "tf1.losses.sum_over_batch_size tf_tutorial.mask_then_reduce_mean mlx.mean"),
    ("over(sum(l), positive(sum(m) - B))", LOGITS, "opennmt.tokens"),
    ("sum(c * l) / sum(c)", f"{LOGITS} class_weight", "torch.mean"),
    ("sum(l) / (B * T)", "logits dense mask", "torch.mean"),
    ("sum(l) / sum(m)", "probs dense mask", "tf2.categorical_probs_mask"),
    ("over(sum(l), sum(m))", LOGITS, "fairseq.tokens token_mean", {"smoothing": "0.1"}),
    ("sum(l) / sum(m)", ROWS, "verl.token-mean"),
    ("sum(l)", ROWS, "verl.token-sum"),
    ("sum(l) / sum(any_t(m))", ROWS, "verl.seq-mean-token-sum"),
    ("over(sum(l), B)", ROWS, "verl.seq-mean-token-sum@0.5 trl.luspo"),
    ("sum(over(sum_t(l), sum_t(m) + 1e-8)) / sum(any_t(m))", ROWS, "verl.seq-mean-token-mean"),
    ("sum(l) / (T * sum(any_t(m)))", ROWS, "verl.seq-mean-token-sum-norm"),
    ("over(sum(l), T)", ROWS, "verl.seq-mean-token-sum-norm@0.6"),
    ("over(sum(sum_t(l) / least_1(sum_t(m))), B)", ROWS, "trl.grpo"),
    ("sum(l) / least_1(sum(m))", ROWS, "trl.bnpo trl.dapo"),
    ("over(sum(l), B * 10)", ROWS, "trl.dr_grpo[k=10]"),
    ("sum_t(l)", ROWS, "dpo.sequence_log_prob"),
    ("sum_t(l) / sum_t(m)", ROWS, "simpo.sequence_mean"),
]


class Torch:
    def __init__(self):
        import torch
        self.log, self.zeros_like, self.where = torch.log, torch.zeros_like, torch.where
        self.bool, self.clip, self.pick = lambda x: x.bool(), torch.clamp, lambda x, ids: x[ids]
        self.like = lambda x, other: x.to(other.dtype)
        self.take = lambda x, ids: x.gather(-1, ids[..., None])[..., 0]
        self.log_softmax = lambda x: x.log_softmax(-1)

    def sum(self, x, axis=None):
        return x.sum() if axis is None else x.sum(axis)


class Jax(Torch):
    def __init__(self):
        import jax
        import jax.numpy as jnp
        self.log, self.zeros_like, self.where, self.clip, self.log_softmax = jnp.log, jnp.zeros_like, jnp.where, jnp.clip, jax.nn.log_softmax
        self.bool, self.pick = lambda x: x.astype(bool), lambda x, ids: x[ids]
        self.like = lambda x, other: x.astype(other.dtype)
        self.take = lambda x, ids: jnp.take_along_axis(x, ids[..., None], -1)[..., 0]


class Keras:
    def __init__(self):
        from keras import ops
        self.log, self.zeros_like, self.where, self.clip, self.sum = ops.log, ops.zeros_like, ops.where, ops.clip, ops.sum
        self.bool, self.pick = lambda x: ops.cast(x, "bool"), ops.take
        self.like = lambda x, other: ops.cast(x, other.dtype)
        self.take = lambda x, ids: ops.take_along_axis(x, ids[..., None], -1)[..., 0]
        self.log_softmax = ops.log_softmax


class Numpy:
    def __init__(self):
        import numpy as np
        import autodiff
        self.np, self.log, self.clip, self.log_softmax, self.take = np, autodiff.log, autodiff.clip, autodiff.log_softmax, autodiff.take
        self.array, self._where = autodiff.Array, autodiff.where
        self.bool, self.pick = lambda x: np.asarray(x, bool), lambda x, ids: x[ids]
        self.like = lambda x, other: np.asarray(x, other.value.dtype)

    def zeros_like(self, x):
        return self.np.zeros_like(x.value if isinstance(x, self.array) else x)

    def where(self, condition, a, b):
        return self._where(condition, a, b) if isinstance(a, self.array) else self.np.where(condition, a, b)

    def sum(self, x, axis=None):
        return x.sum(axis)


FRAMEWORKS = {"torch": Torch, "jax": Jax, "keras": Keras, "numpy": Numpy}


def token_losses(ops, x, mask, smoothing):
    """[B,T], 0 where none counts; padding is selected away before anything is computed of it."""
    if "row_loss" in x:
        return ops.where(mask, x["row_loss"], ops.zeros_like(x["row_loss"]))
    rows = mask[..., None]
    name = "probs" if "probs" in x else "logits"
    z = ops.where(rows, x[name], ops.zeros_like(x[name]))
    if name == "probs":  # as Keras: shares of their sum, kept off 0 and 1
        one = ops.where(rows, z, ops.zeros_like(z) + 1)
        log_p = ops.log(ops.clip(one / ops.sum(one, -1)[..., None], 1e-7, 1 - 1e-7))
    else:
        log_p = ops.log_softmax(z)
    if "dense" in x:
        q = ops.where(rows, x["dense"], ops.zeros_like(x["dense"]))
        losses = ops.sum(log_p * q, -1) * -1
    else:
        losses = ops.take(log_p, ops.where(mask, x["targets"], ops.zeros_like(x["targets"]))) * -1
    if smoothing:  # of ε a share for each class, or for each other class
        epsilon, others = smoothing
        all_classes, classes = ops.sum(log_p, -1) * -1, x[name].shape[-1]
        losses = (losses * (1 - epsilon) + (all_classes - losses) * (epsilon / (classes - 1)) if others
                  else losses * (1 - epsilon) + all_classes * (epsilon / classes))
    return ops.where(mask, losses, ops.zeros_like(losses))


def names_for(ops, x, smoothing):
    """What stands in a formula, of the tensors of a batch by their names."""
    prediction = next(x[n] for n in ("logits", "probs", "row_loss") if n in x)
    mask = ops.bool(x["mask"])
    m = ops.like(mask, prediction)
    weight = ops.where(mask, x["token_weight"], ops.zeros_like(x["token_weight"])) if "token_weight" in x else m
    names = {"l": token_losses(ops, x, mask, smoothing), "m": m, "w": weight, "B": m.shape[0], "T": m.shape[1],
             "sum": ops.sum, "sum_t": lambda v: ops.sum(v, 1), "sum_b": lambda v: ops.sum(v, 0)}
    if "class_weight" in x:
        ids = ops.where(mask, x["targets"], ops.zeros_like(x["targets"]))
        names["c"] = ops.where(mask, ops.pick(x["class_weight"], ids), ops.zeros_like(m))

    def over(a, b):
        if isinstance(b, int):
            return a / b if b else a * 0
        zero = ops.zeros_like(b)
        share = a / ops.where(b != 0, b, zero + 1)
        return ops.where(b != 0, share, ops.zeros_like(share))
    return {**names, "over": over, "any_t": lambda v: ops.like(ops.sum(v, 1) > 0, prediction), "nonzero": lambda v: ops.like(v != 0, prediction),
            "positive": lambda v: ops.where(v > 0, v, ops.zeros_like(v)), "least_1": lambda v: ops.where(v > 1, v, ops.zeros_like(v) + 1)}


class Preset:
    """A row of the table with one of its presets."""

    def __init__(self, formula, takes, means, hello=None):
        self.formula, self.takes, self.means, self.hello = formula, takes, means.replace("+flag", " flag"), dict(hello or {})
        self.id = f"{self.means} of {takes}" + ("".join(f", {k} {v}" for k, v in self.hello.items()))
        self.axis = ("none" if formula == "w * l" else "all" if formula.startswith(("sum(", "over(sum(")) else
                     "batch" if formula.startswith("over(sum_b") else "time")

    def function(self, framework):
        """A loss of tensors by the protocol's names, in the framework's own arrays."""
        ops, code = FRAMEWORKS[framework](), compile(self.formula, self.means, "eval")
        smoothing = (float(self.hello["smoothing"]), self.means.startswith("fairseq")) if self.hello else None

        def loss(**x):
            return eval(code, {"__builtins__": {}}, names_for(ops, x, smoothing))
        loss.__name__ = self.means
        loss.__signature__ = inspect.Signature([inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in self.takes.split()])
        return loss


def presets(seed=None):
    """Every preset of every row; with a seed one preset a row, another one for each seed."""
    for row in TABLE:
        names = row[2].split()
        for name in names if seed is None else [names[seed % len(names)]]:
            yield Preset(row[0], row[1], name, *row[3:])
