"""One adapter a framework. Each is imported when a function of that framework is given, and imports the framework."""
from __future__ import annotations

import importlib
import inspect
import types
from typing import Callable

NAMES = ("torch", "tensorflow", "keras", "jax", "mlx", "numpy")
_ROOTS = {"jaxlib": "jax", "flax": "jax", "optax": "jax", "tf_keras": "tensorflow", "transformers": "torch", "trl": "torch"}


class FrameworkError(TypeError):
    """A function that its framework's adapter cannot call; the text says which line to write."""


def _root(module) -> str | None:
    root = (module or "").split(".")[0]
    root = _ROOTS.get(root, root)
    return root if root in NAMES else None


def _names(code, seen=()) -> set:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*[_names(c) for c in inner])


def _used(function, depth: int = 3) -> list:
    """Frameworks that a function's source names, those of the functions that it calls after its own."""
    function = getattr(function, "__wrapped__", None) or getattr(function, "func", None) or function
    kinds = [_root(k.__module__) for k in type(function).__mro__ if k.__module__ != "builtins"]
    own = [_root(getattr(function, "__module__", None)), *kinds]
    if any(own):
        return [x for x in own if x]
    call = function if hasattr(function, "__code__") else getattr(function, "__func__", None) or getattr(type(function), "__call__", None)
    code = getattr(call, "__code__", None)
    if code is None:
        return []
    names = _names(code)
    found = [x for x in map(_root, names) if x]  # imported inside
    values = [call.__globals__[n] for n in sorted(names) if n in call.__globals__]
    for cell in call.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:
            pass  # not bound yet
    for v in values:
        module = v.__name__ if isinstance(v, types.ModuleType) else getattr(v, "__module__", None)
        found += [x for x in [_root(module if isinstance(module, str) else "")] if x]
    if not [x for x in found if x != "numpy"] and depth:
        for v in values:
            if callable(v) and not inspect.isclass(v):
                found += _used(v, depth - 1)
    return found


def _imported(function) -> list:
    """Frameworks that the file imports in which a function stands: for one that only uses operators."""
    function = getattr(function, "__wrapped__", None) or getattr(function, "func", None) or function
    call = function if hasattr(function, "__globals__") else getattr(type(function), "__call__", None)
    return [x for v in getattr(call, "__globals__", {}).values() if isinstance(v, types.ModuleType)
            for x in [_root(v.__name__)] if x]


def guess(function: Callable) -> str:
    """The framework of a function, by the modules that its source uses, else that its file imports. A function that
    names none, and whose file imports none, is numpy's. Keras's own operations go with the backend that Keras has."""
    for found in (_used(function), _imported(function)):
        for name in ("torch", "jax", "tensorflow", "keras", "mlx"):
            if name in found:
                return name
        if found:
            return "numpy"
    return "numpy"


def framework(name: str):
    """The adapter of that name: a module with `name`, `version()`, `tensor(array, dtype)` and `value_and_gradients`."""
    if name not in NAMES:
        raise FrameworkError(f"framework={name!r}: expected one of {', '.join(NAMES)}")
    try:
        if name == "keras":
            backend = importlib.import_module("keras").backend.backend()
            if backend not in NAMES:
                raise FrameworkError(f"keras's backend {backend!r} has no gradients here; set KERAS_BACKEND to torch, jax or tensorflow")
            name = backend
        return importlib.import_module(f"{__name__}.of_{name}")
    except ImportError as e:
        raise FrameworkError(f"framework={name!r} cannot be imported: {e}") from e


def framework_text(name: str, adapter) -> str:
    """"torch 2.15.0"; "keras 3.15.1, tensorflow 2.21.0"."""
    own = f"{adapter.name} {adapter.version()}"
    return f"keras {importlib.import_module('keras').__version__}, {own}" if name == "keras" else own
