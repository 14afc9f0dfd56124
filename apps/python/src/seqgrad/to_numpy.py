"""Arrays of any framework as numpy's."""
from __future__ import annotations

import numpy as np


def to_numpy(x):
    """(array, name of the dtype that it had): detached, on the host; 16-bit floats as float32, which holds them all."""
    dtype = getattr(x, "dtype", "")
    name = getattr(dtype, "name", None) or str(dtype)
    name = name.split(".")[-1]  # "torch.float32", "mlx.core.float32"
    half = name in ("bfloat16", "float16")
    if hasattr(x, "detach"):  # PyTorch, also Keras on PyTorch
        x = x.detach().cpu()
        x = x.float() if half else x
    elif half and type(x).__module__.startswith("mlx"):
        x = x.astype(__import__("mlx.core").core.float32)
    elif hasattr(x, "value") and hasattr(x, "assign"):  # a variable of Keras or TensorFlow
        x = x.value() if callable(x.value) else x.value
        return to_numpy(x)
    x = x.numpy() if callable(getattr(x, "numpy", None)) else np.asarray(x)
    return (x.astype(np.float32) if half else x), name
