"""A function as a program under test: what it takes, in which dtypes, and its answer to a batch."""
from __future__ import annotations

from typing import Callable, Mapping

import numpy as np

from .arguments import PREDICTIONS, ArgumentsError, arguments_of
from .frameworks import FrameworkError, framework as framework_of, framework_text, guess
from .to_numpy import to_numpy

IDS = ("targets", "labels", "lengths")
DIFFERENTIATED = ("logits", "probs", "log_probs", "row_loss", "hidden", "weight", "bias")

SETTINGS = ("shifts", "layout", "classes", "steps", "ignore", "smoothing", "softcap", "z_loss")


def trial_batch(classes: int = 5, steps: int = 4, dtype=np.float64) -> dict:
    """Every tensor that may be asked for, of two examples or three."""
    r = np.random.default_rng(0)
    B, T, V, D = 3 if steps == 2 else 2, steps, classes, 4  # B, T and T - 1 differ
    lengths = np.array([T, *[max(1, T - 1)] * (B - 1)])
    mask = (np.arange(T) < lengths[:, None]).astype(np.uint8)
    logits = r.standard_normal((B, T, V))
    targets = r.integers(0, V, (B, T))
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    floats = {"logits": logits, "log_probs": log_probs, "probs": np.exp(log_probs), "row_loss": r.uniform(0.1, 3, (B, T)),
              "hidden": r.standard_normal((B, T, D)), "weight": r.standard_normal((V, D)), "bias": r.standard_normal(V),
              "dense": np.eye(V)[targets], "token_weight": r.uniform(0.5, 2, (B, T)), "example_weight": r.uniform(0.5, 2, B),
              "class_weight": r.uniform(0.5, 2, V), "num_items": np.array(float(mask.sum()))}
    return {**{n: x.astype(dtype) for n, x in floats.items()}, "targets": targets, "mask": mask,
            "lengths": lengths, "labels": np.where(mask == 1, targets, -100)}


def same(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether two arrays hold the same numbers, NaN being one."""
    return x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all())


def computed_in_float32(value: np.ndarray, gradients: Mapping) -> bool:
    """Whether an answer to float64 has float32's digits only: none of the many numbers of its gradient is finer."""
    if value.dtype != np.float64:
        return True
    many = 8  # other numbers than -1/n, which float32 may hold
    g = next((g for n, g in gradients.items() if n in ("logits", "hidden") and len(np.unique(g)) > many), None)
    return g is not None and same(g.astype(np.float32).astype(np.float64), g)


def display_name(function) -> str:
    inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None) or function
    return getattr(inner, "__name__", None) or type(inner).__name__


def raised(name: str, error: Exception, framework_name: str, guessed: bool) -> str:
    """What a function raised; then, where its framework was guessed and may be why, how to say another."""
    guessed = guessed and not isinstance(error, (ArithmeticError, AssertionError, NameError))
    others = [n for n in ("torch", "tensorflow", "keras", "jax", "numpy") if n != framework_name]
    taken = (f"\n{name} is taken for a function of {framework_name}, by the modules that its source uses; if it is none, write "
             f"framework={others[0]!r} (or {', '.join(others[1:])})")
    return f"{name} raised {type(error).__name__}: {error}{taken if guessed else ''}"


class Program:
    """`function` with all that is needed to answer. `settings` are what hello says beside, of the names in
    SETTINGS. Raises ArgumentsError and FrameworkError, whose texts say which line to write."""

    def __init__(self, function: Callable, framework: str | None = None, takes: Mapping[str, str] | None = None, **settings):
        self.function, self.name = function, display_name(function)
        self.guessed = framework is None
        self.arguments = arguments_of(function, takes)
        self.framework_name = framework or guess(function)
        self.framework = framework_of(self.framework_name)
        self.settings = {k: str(int(v) if isinstance(v, bool) else v) for k, v in settings.items() if v is not None}
        self.mask_kind, self.gradients = self._first_mask(), []
        self._try()

    # Which kind of mask is tried first: what the framework multiplies, but integers for the argument that has them.
    def _first_mask(self) -> str:
        integer = self.arguments.of.get("mask") == "attention_mask" and self.framework.name == "torch"
        return "int64" if integer else self.framework.MASKS[0]

    def _batch(self, dtype: str) -> dict:
        numpy_dtype = np.float64 if dtype == "F64" else np.float32
        x = trial_batch(int(self.settings.get("classes", 5)), int(self.settings.get("steps", 4)), numpy_dtype)
        x = {n: x[n] for n in self.arguments.takes}
        if self.settings.get("layout") == "time":
            x = {n: np.swapaxes(v, 0, 1) if v.ndim > 1 and n != "weight" else v for n, v in x.items()}
        return x

    def _takes(self, dtype: str, kinds) -> Exception | None:
        """Finds the kind of mask that the function takes; None, or what the first one raised."""
        first = None
        for kind in kinds:
            self.mask_kind = kind
            try:
                value, gradients = self.answer(self._batch(dtype), dtype)
            except Exception as e:  # whatever the user's function raises
                first = first or e
                continue
            if dtype == "F64" and computed_in_float32(value, gradients):  # `logits.float()`, as many begin
                return TypeError("it computes in float32")
            self.value_shape, self.gradients = value.shape, list(gradients)
            self.trains = any(np.any(g) for g in gradients.values())
            return None
        return first

    def _try(self) -> None:
        """Finds the dtypes that the function takes, wide ones first, and the shape of its value, on a batch of ours. One
        that is compiled is tried in the first dtype only: each trial compiles it."""
        kinds = [self.mask_kind, *[k for k in self.framework.MASKS if k != self.mask_kind]]
        kinds = kinds if "mask" in self.arguments.of else kinds[:1]
        known = self.framework.DTYPES
        wide = [d for d in known if d in ("F64", "F32")]
        first, error = "", None
        for first in wide:
            error = self._takes(first, kinds)
            if error is None:
                break
        if error is not None:
            raise self._refused(error) from error
        self._reached()
        shape, gradients, kinds = self.value_shape, self.gradients, [self.mask_kind]
        rest = known[known.index(first) + 1:]
        if self.framework.compiled(self.function):
            self.dtypes = [first, *(d for d in rest if d in wide or self.framework.name == "jax")]
        else:
            self.dtypes = [first, *(d for d in rest if self._takes(d, kinds) is None)]
        self.value_shape, self.gradients = shape, gradients
        self.axis = self._axis(shape)

    def _axis(self, shape: tuple) -> str:
        """Which axes the value has left, by its shape for the trial's batch."""
        mask = trial_batch(steps=int(self.settings.get("steps", 4)))["mask"]
        B, T = mask.shape
        T -= self.settings.get("shifts") == "1"
        rows = (T, B) if self.settings.get("layout") == "time" else (B, T)
        axis = {(): "all", (1,): "all", (B,): "time", (T,): "batch", rows: "none"}.get(shape)
        if axis is None:
            raise ArgumentsError(f"{self.name} returned a value of shape {list(shape)} for {B} examples of {mask.shape[1]} "
                                 "steps; expected a scalar, [B], [T] or [B,T]")
        return axis

    def _reached(self) -> None:
        """Raises where the value is cut off from what it was computed of: such a loss trains nothing."""
        wanted = [n for n in DIFFERENTIATED if n in self.arguments.of]
        one_class = self.settings.get("classes") == "1" and "logits" in wanted  # whose probability is 1 anyway
        if self.framework.name != "numpy" and not self.trains and not one_class:
            raise FrameworkError(f"{self.name}: no gradient of its value reaches {' or '.join(wanted)}, so it would train nothing; "
                                 "return the value as it was computed, without detach(), item(), numpy(), float() or stop_gradient")

    def _refused(self, error: Exception) -> FrameworkError:
        if isinstance(error, FrameworkError):
            return error
        return FrameworkError(raised(self.name, error, self.framework_name, self.guessed))

    def hello(self) -> dict:
        """The program's first frame."""
        return {"protocol": "1", "name": self.name, "framework": framework_text(self.framework_name, self.framework),
                "takes": " ".join(self.arguments.takes), "dtypes": " ".join(self.dtypes), "axis": self.axis,
                "gradients": " ".join(f"d_{n}" for n in self.gradients), **self.settings}

    def _tensor(self, name: str, x: np.ndarray, dtype: str):
        if name == "mask":
            return self.framework.tensor(x, {"bool": "BOOL", "float": dtype}.get(self.mask_kind, "I64"))
        if name == "num_items" and self.framework.name in ("torch", "jax") and float(x).is_integer():
            return self.framework.tensor(x, "I64")  # the count that it is, which changes no dtype
        return self.framework.tensor(x, "I64" if name in IDS else dtype)

    def _call(self, tensors: dict):
        """The function's value for tensors by their protocol names."""
        if self.framework.WRITABLE:
            self._given = {n: (x, np.array(to_numpy(x)[0])) for n, x in tensors.items()}
        arguments = self.arguments
        if arguments.flat:
            tensors = {n: x.reshape(-1, x.shape[-1]) if n in PREDICTIONS else x.reshape(-1) for n, x in tensors.items()}
        by_name = {arguments.of[n]: x for n, x in tensors.items() if n in arguments.of}
        value = self.function(*[by_name.pop(a) for a in arguments.positional], **by_name)
        value = getattr(value, "loss", value)  # what Hugging Face returns
        if value is None:
            raise FrameworkError(f"{self.name} returned None; end it with `return` and the loss")
        if isinstance(value, list) or isinstance(value, tuple) and self.framework.name != "numpy":
            raise FrameworkError(f"{self.name} returned a {type(value).__name__} of {len(value)}; return the value itself")
        return value

    def answer(self, x: dict, dtype: str | None = None, upstream=None, want_gradient: bool = True):
        """(value, {tensor: gradient}) in numpy for the tensors of a batch. Raises what the function raises."""
        x = {n: v for n, v in x.items() if n in self.arguments.of}
        prediction = next(v for n, v in x.items() if n in PREDICTIONS)
        dtype = dtype or ("F64" if prediction.dtype == np.float64 else "F32")
        tensors = {n: self._tensor(n, v, dtype) for n, v in x.items()}
        wanted = [n for n in DIFFERENTIATED if n in x]
        if self.arguments.flat and upstream is not None and np.ndim(upstream):
            upstream = np.reshape(upstream, -1)
        self._given = {}
        value, gradients = self.framework.value_and_gradients(self._call, tensors, wanted, upstream, want_gradient)
        self.changed = [n for n, (x, before) in self._given.items() if not same(to_numpy(x)[0], before)]
        value = to_numpy(value)[0]
        if self.arguments.flat and value.ndim == 1:
            value = value.reshape(prediction.shape[:2])
        gradients = {n: to_numpy(g)[0] for n, g in gradients.items()}
        if want_gradient:  # of a batch of which nothing depends on the prediction, as an empty one
            gradients = {**{n: np.zeros_like(x[n]) for n in self.gradients}, **gradients}
        return value, gradients
