"""Writes a loss case for `seqgrad check` from any framework's arrays. Copy this one file into your project: it needs
numpy only.

    from seqgrad_case import write_case
    write_case("my_case", loss={"reduce": {"over": "all", "divide": "active"}}, provenance="PyTorch 2.9, train.py",
               logits=z, targets=y, lengths=n,                    # what your loss was given
               gold={"value": value, "d_logits": z.grad})         # what it answered

Tensors of PyTorch, TensorFlow and JAX are taken as they are: on any device, with their gradient attached, of any dtype.
"""
import json, pathlib, struct
import numpy as np

INPUTS = ("logits", "probs", "hidden", "weight", "bias", "targets", "lengths", "mask", "token_weight", "example_weight",
          "class_weight", "prior", "upstream", "row_loss")
GOLD = ("value", "row_loss", "numerator", "divisor", "d_logits", "d_probs", "d_hidden", "d_weight", "d_bias",
        "d_row_loss")
DTYPES = {"float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64", "uint8": "U8"}
CLASSES = {"bfloat16": "bf16", "float16": "f16", "float32": "f32", "float64": "f64"}  # coarsest first


def to_numpy(x):
    """(array, name of the dtype that it had): detached, on the host, 16-bit floats as float32, which holds them all."""
    dtype = getattr(x, "dtype", "")
    name = getattr(dtype, "name", str(dtype).removeprefix("torch."))
    if hasattr(x, "detach"):  # PyTorch
        x = x.detach().cpu()
        x = x.float() if name in ("bfloat16", "float16") else x
    x = x.numpy() if callable(getattr(x, "numpy", None)) else np.asarray(x)
    return (x.astype(np.float32) if name in ("bfloat16", "float16") else x), name


def input_array(name, x):
    """An input as one of the dtypes that a case holds, its numbers unchanged."""
    x, dtype = to_numpy(x)
    if name.split(".")[0] == "mask":
        if not np.isin(x, (0, 1)).all():
            raise ValueError(f"{name} holds numbers other than 0 and 1: a weight goes in token_weight")
        x = x.astype(np.uint8)
    elif x.dtype.kind in "iub" and x.dtype.name not in ("int32", "int64"):
        x = x.astype(np.int64)
    elif x.dtype.name not in DTYPES:
        x = x.astype(np.float64)
        if x.dtype.kind != "f":
            raise ValueError(f"{name} is {dtype}; expected numbers")
    return x, dtype


def write_case(folder, loss, provenance, gold, about="", tolerance=None, **tensors):
    """`loss` is the `loss:` section of a config, as a dict. Logits are [B,T,V], targets ids [B,T] or distributions
    [B,T,V]; flat [N,V] and [N] are one sentence, or with `lengths` several. The dtype of the logits is the one that the
    case runs in. The coarsest dtype among the prediction and the gold says how near is near enough: `tolerance: {class:
    bf16}`. Whatever counts as padding may hold NaN."""
    unknown = [n for n in tensors if n.split(".")[0] not in INPUTS] + [n for n in gold if n.split(".")[0] not in GOLD]
    if unknown:
        raise ValueError(f"unknown: {unknown}; inputs are {INPUTS}, gold is {GOLD}")
    arrays, seen = {}, set()
    for name, x in tensors.items():
        if x is not None:
            arrays[name], dtype = input_array(name, x)
            seen |= {dtype} if name.split(".")[0] in ("logits", "probs", "hidden", "row_loss") else set()
    for name, x in gold.items():
        x, dtype = to_numpy(x)
        seen |= {dtype}
        arrays[f"gold.{name}"] = x.astype(np.float64)
    coarsest = next((c for name, c in CLASSES.items() if name in seen), None)
    if coarsest:
        tolerance = {"class": coarsest, **(tolerance or {})}
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"name": folder.name, "about": about, "loss": loss, "tolerance": tolerance, "provenance": provenance}
    lines = [f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in keys.items() if v not in (None, "")]  # JSON is YAML
    (folder / "case.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header, data = {}, []
    at = 0
    for name, x in arrays.items():
        raw = np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": DTYPES[x.dtype.name], "shape": list(x.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "tensors.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(data)
