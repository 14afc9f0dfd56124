"""JAX, and Keras on it: jax.vjp, with 64 bits on for the call."""
from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

name = "jax"
MASKS = ("float", "bool", "int64")  # XLA turns a product with a bool into a selection, which hides what NaN does
WRITABLE = False
DTYPES = ("F64", "F32", "BF16")  # few: each is compiled for each shape
_DTYPES = {"F64": np.float64, "F32": np.float32, "BF16": jnp.bfloat16, "F16": np.float16, "BOOL": np.bool_}


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
        return jax.device_put(np.asarray(array).astype(_DTYPES.get(dtype, np.int64)))  # by numpy: JAX would compile it a shape


# Most of a check on a CPU would be the compiler's optimisations of code that runs once or twice.
_QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}


@functools.lru_cache(maxsize=1)
def _compiler_options():
    """Those of _QUICK that this version of XLA knows; None where it does not compile for a CPU."""
    if jax.default_backend() != "cpu":
        return None
    known = {}
    for name, value in _QUICK.items():
        try:
            jax.jit(lambda x: x + 1, compiler_options={name: value})(1.0)
            known[name] = value
        except jax.errors.JaxRuntimeError:
            pass
    return known


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
    return jax.jit(both, compiler_options=_compiler_options())


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
