"""numpy: the function returns its value, or the value and its gradient by the first prediction it takes, or the value
and a dict of gradients."""
from __future__ import annotations

import warnings

import numpy as np

name = "numpy"
MASKS = ("bool", "float", "int64")
WRITABLE = True  # a function can write into its arguments
DTYPES = ("F64", "F32", "F16")


def version() -> str:
    return np.__version__


def compiled(function) -> bool:
    return False


_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.float32, "BOOL": np.bool_}


def tensor(array, dtype: str):
    return np.array(array, dtype=_DTYPES.get(dtype, np.int64))


def value_and_gradients(call, tensors: dict, wanted: list, upstream, want_gradient: bool):
    with warnings.catch_warnings():  # padding is poisoned and batches are empty on purpose
        warnings.simplefilter("ignore", RuntimeWarning)
        answer = call(tensors)
    if not isinstance(answer, tuple):
        return answer, {}
    value, gradient = answer
    gradients = gradient if isinstance(gradient, dict) else {wanted[0]: gradient}
    scale = np.asarray(1.0 if upstream is None else upstream)
    # Of a vector loss the gradient is that of its sum; an entry's upstream multiplies the rows of that entry.
    return value, {n: g if upstream is None else g * scale.reshape(scale.shape + (1,) * (np.ndim(g) - scale.ndim))
                   for n, g in gradients.items()}
