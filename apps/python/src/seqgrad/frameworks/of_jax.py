"""JAX, and Keras on it: jax.vjp, with 64 bits on for the call."""
from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

name = "jax"
MASKS = ("float", "bool", "int64")  # XLA turns a product with a bool into a selection, which hides what NaN does
WRITABLE = False
DTYPES = ("F64", "F32", "BF16")  # few: each is compiled for each shape
_DTYPES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16", "BOOL": "bool"}


def _x64():
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64
    return enable_x64()


def version() -> str:
    return jax.__version__


def compiled(function) -> bool:
    return True  # below


def tensor(array, dtype: str):
    with _x64():
        return jnp.asarray(array).astype(_DTYPES.get(dtype, "int64"))


@functools.lru_cache(maxsize=64)
def _differentiated(call, wanted: tuple, jit: bool):
    """(tensors, upstream or None) -> value and gradients; compiled for each shape, which is faster than JAX is eagerly."""
    def both(tensors, upstream):
        value, back = jax.vjp(lambda *sources: jnp.asarray(call({**tensors, **dict(zip(wanted, sources))})),
                              *[tensors[n] for n in wanted])
        seed = jnp.ones_like(value) if upstream is None else upstream.astype(value.dtype).reshape(value.shape)
        return value, back(seed)
    if not jit:
        return both
    # Most of a check on a CPU would be the compiler's optimisations of code that runs once or twice.
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(both, compiler_options=options)


_not_traced: set = set()  # functions that look at their numbers


def value_and_gradients(call, tensors: dict, wanted: list, upstream, want_gradient: bool):
    with _x64():
        upstream = None if upstream is None else jnp.asarray(upstream)
        sources = tuple(wanted) if want_gradient else ()
        if call not in _not_traced:
            try:
                value, found = _differentiated(call, sources, True)(tensors, upstream)
                return value, dict(zip(sources, found))
            except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
                _not_traced.add(call)
        value, found = _differentiated(call, sources, False)(tensors, upstream)
        return value, dict(zip(sources, found))
