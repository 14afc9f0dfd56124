"""PyTorch: autograd. The function gets tensors that are no leaves, as in training, so that it may write into them."""
from __future__ import annotations

import torch

name = "torch"
MASKS = ("bool", "float", "int64")
WRITABLE = True  # a function can write into its arguments
DTYPES = ("F64", "F32", "BF16", "F16")
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "BOOL": torch.bool}


def version() -> str:
    return torch.__version__.split("+")[0]


def compiled(function) -> bool:
    return hasattr(function, "_torchdynamo_orig_callable") or isinstance(function, torch.jit.ScriptFunction)


def tensor(array, dtype: str):
    return torch.tensor(array).to(_DTYPES.get(dtype, torch.int64))


def value_and_gradients(call, tensors: dict, wanted: list, upstream, want_gradient: bool):
    leaves = {n: tensors[n].detach().requires_grad_(True) for n in wanted} if want_gradient else {}
    with torch.enable_grad():
        value = call({**tensors, **{n: leaf.clone() for n, leaf in leaves.items()}})
        if not torch.is_tensor(value):
            value = torch.as_tensor(value)  # a number, of a batch in which nothing counts
        if not value.requires_grad:
            return value, {}
        seed = None if upstream is None else torch.as_tensor(upstream).to(value.dtype).reshape(value.shape)
        if seed is None:
            seed = torch.ones_like(value)
        found = torch.autograd.grad(value, list(leaves.values()), grad_outputs=seed, allow_unused=True)
    return value, {n: torch.zeros_like(leaf) if g is None else g for (n, leaf), g in zip(leaves.items(), found)}
