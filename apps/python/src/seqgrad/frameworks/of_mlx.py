"""MLX: mx.vjp, float32 and the half floats."""
from __future__ import annotations

import mlx.core as mx

name = "mlx"
MASKS = ("bool", "float", "int64")
WRITABLE = False
DTYPES = ("F32", "BF16", "F16")
_DTYPES = {"F64": mx.float32, "F32": mx.float32, "BF16": mx.bfloat16, "F16": mx.float16, "BOOL": mx.bool_}


def version() -> str:
    return mx.__version__


def compiled(function) -> bool:
    return False


def tensor(array, dtype: str):
    return mx.array(array).astype(_DTYPES.get(dtype, mx.int64))


def value_and_gradients(call, tensors: dict, wanted: list, upstream, want_gradient: bool):
    if not want_gradient:
        return call(tensors), {}
    value = call(tensors)
    seed = mx.ones_like(value) if upstream is None else mx.array(upstream).astype(value.dtype).reshape(value.shape)
    _, found = mx.vjp(lambda *sources: [call({**tensors, **dict(zip(wanted, sources))})], [tensors[n] for n in wanted], [seed])
    return value, dict(zip(wanted, found))
