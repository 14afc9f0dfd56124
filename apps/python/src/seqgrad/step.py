"""A training step over micro-batches and ranks as a program under test."""
from __future__ import annotations

from typing import Callable

import numpy as np

from .arguments import must_be_called
from .frameworks import FrameworkError, framework as framework_of, framework_text, guess
from .program import display_name, raised, trial_batch
from .to_numpy import to_numpy

TAKES = ("logits", "targets", "mask", "lengths")


class Batch(dict):
    """A micro-batch: `batch.logits` is `batch["logits"]`."""
    __getattr__ = dict.__getitem__


def parts_of(examples: int, parts: int) -> list:
    """Slices of a batch, as torch.chunk makes them: equal but for the last one, and fewer where examples are few."""
    each = max(1, -(-examples // parts))
    return [slice(i, min(i + each, examples)) for i in range(0, examples, each)]


def _counted(n: int, what: str, plural: str) -> str:
    return f"{n} {what}{plural if n != 1 else ''}"


def implied_value(x: dict, gradient: np.ndarray) -> np.ndarray:
    """The loss whose gradient by the logits this is: Σ ωℓ, with each row's ω = ⟨g, p − y⟩ / ⟨p − y, p − y⟩. [B,T,V] → []"""
    z, y = x["logits"].astype(np.float64), x["targets"]
    live = gradient.any(-1) if gradient.size else np.zeros(y.shape, bool)
    live &= (x["mask"] != 0) | np.isfinite(gradient).all(-1)  # NaN in the gradient of padding is in no loss
    z, y, g = z[live], y[live], gradient[live].astype(np.float64)
    if not len(z):
        return np.array(0.0)
    top = z.max(-1, keepdims=True)
    y = np.clip(y, 0, z.shape[-1] - 1)
    lse = np.log(np.exp(z - top).sum(-1)) + top[:, 0]
    p = np.exp(z - lse[:, None])
    rows = np.arange(len(y))
    nll = lse - z[rows, y]
    p[rows, y] -= 1
    return ((g * p).sum(-1) / (p * p).sum(-1) * nll).sum()


class StepProgram:
    whose = ""  # logits it is about, where not those of all

    def __init__(self, function: Callable, micro_batches: int, ranks: int, framework: str | None = None):
        for name, n in (("micro_batches", micro_batches), ("ranks", ranks)):
            if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
                raise TypeError(f"{name}={n!r}: a whole number")
            if n < 1:
                raise ValueError(f"{name}={n}: at least 1")
        must_be_called(function)
        self.function, self.name, self.micro_batches, self.ranks = function, display_name(function), micro_batches, ranks
        self.parts = f"{_counted(micro_batches, 'micro-batch', 'es')}, {_counted(ranks, 'rank', 's')}"
        self.framework_name = framework or guess(function)
        self.framework = framework_of(self.framework_name)
        self.changed: list = []
        x = {n: v for n, v in trial_batch(steps=3).items() if n in TAKES}
        self.dtypes, error = [], None
        for dtype in [d for d in self.framework.DTYPES if d in ("F64", "F32")]:
            try:
                reached = self.answer(x, dtype)[1]["logits"].any()
                self.dtypes.append(dtype)
            except Exception as e:
                error = error or e
        if not self.dtypes:
            raise FrameworkError(raised(self.name, error, self.framework_name, framework is None)) from error
        if not reached:
            how = ", or call backward() on a loss of them" if self.framework.name == "torch" else ""
            raise FrameworkError(f"{self.name}: no gradient reached the logits{self.whose}; return the gradient of each batch's "
                                 f"logits{how}")

    def hello(self) -> dict:
        return {"protocol": "1", "name": f"{self.name} over {self.parts}", "framework": framework_text(self.framework_name, self.framework),
                "takes": " ".join(TAKES), "dtypes": " ".join(self.dtypes), "axis": "all", "gradients": "d_logits"}

    def _batch(self, x: dict, dtype: str, where: slice, num_items: int) -> Batch:
        def made(n, v):
            return self.framework.tensor(v[where], {"logits": dtype, "mask": "BOOL"}.get(n, "I64"))
        batch = Batch({n: made(n, v) for n, v in x.items()})
        if self.framework.name == "torch":
            batch["logits"].requires_grad_(True)
        batch["num_items"] = num_items
        return batch

    def _gradients(self, batches: list):
        """(loss or None, one gradient for each batch). A loss alone is not taken for the step's: it may be that of its last part."""
        found = self.function(batches)
        value = None
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], (list, tuple)):
            value, found = found
        listed = isinstance(found, (list, tuple))
        if self.framework.name == "torch" and not listed and (found is None or to_numpy(found)[0].size == 1):
            found = [b["logits"].grad for b in batches]  # after backward()
        elif not listed:
            raise ValueError(f"{self.name} returned no gradients, but {type(found).__name__}; they are a list, one for each batch")
        if len(found) != len(batches):
            raise ValueError(f"{self.name} returned {len(found)} gradients for {len(batches)} batches")
        zero = [np.zeros(b["logits"].shape) for b in batches]
        gradients = [z if g is None else to_numpy(g)[0] for g, z in zip(found, zero)]
        for g, z in zip(gradients, zero):
            if g.shape != z.shape:
                raise ValueError(f"{self.name} returned a gradient of shape {list(g.shape)} for logits of shape {list(z.shape)}")
        return value, gradients

    def answer(self, x: dict, dtype: str | None = None, upstream=None, want_gradient: bool = True):
        x = {n: v for n, v in x.items() if n in TAKES}
        dtype = dtype or "F64"
        slices = parts_of(len(x["logits"]), self.ranks * self.micro_batches)
        num_items, values, gradients = int(x["mask"].sum()), [], []
        each = max(1, -(-len(slices) // self.ranks))
        for first in range(0, len(slices), each):
            mine = slices[first:first + each]
            value, found = self._gradients([self._batch(x, dtype, s, num_items) for s in mine])
            values.append(value)
            gradients += found
        scale = (1.0 if upstream is None else float(upstream)) / self.ranks
        gradient = np.concatenate(gradients) if gradients else np.zeros_like(x["logits"])
        told = [v for v in values if v is not None]
        value = sum(float(to_numpy(v)[0]) for v in told) / self.ranks if told else implied_value(x, gradient) / self.ranks
        return np.asarray(value, np.float64), {"logits": gradient.astype(np.float64) * scale}


class StepPart(StepProgram):
    """One micro-batch of a step, numbered from 0, beside others that are always the same: what a loss of each micro-batch is
    judged by. Its gradient is to be its own whatever the others are, and is taken before ranks are averaged."""

    def __init__(self, function: Callable, micro_batches: int, ranks: int, part: int, framework: str | None = None):
        self.part, self.whose = part, f" of micro-batch {part + 1} of {micro_batches}"
        super().__init__(function, micro_batches, ranks, framework)
        self.name += f" over micro-batch {part + 1} of {micro_batches}"
        self.tokens_beside = int(self._other(5)["mask"].sum()) * (micro_batches * ranks - 1)

    def hello(self) -> dict:
        return {**super().hello(), "name": self.name}

    @staticmethod
    def _other(classes: int, dtype=np.float64) -> dict:
        return {n: v for n, v in trial_batch(classes=classes, steps=3, dtype=dtype).items() if n in TAKES}

    def answer(self, x: dict, dtype: str | None = None, upstream=None, want_gradient: bool = True):
        x = {n: v for n, v in x.items() if n in TAKES}
        other = self._other(x["logits"].shape[-1], x["logits"].dtype)
        num_items = int(x["mask"].sum() + other["mask"].sum() * (self.micro_batches * self.ranks - 1))
        whole = [x if i == self.part else other for i in range(self.micro_batches)]
        _, found = self._gradients([self._batch(b, dtype or "F64", slice(None), num_items) for b in whole])
        gradient = np.asarray(found[self.part], np.float64)
        scale = 1.0 if upstream is None else float(upstream)
        return np.asarray(implied_value(x, gradient), np.float64), {"logits": gradient * scale}
