"""Writes a loss case for `seqgrad check` from any framework's arrays. Copy this one file into your project: it needs
numpy only.

    from seqgrad_case import write_case
    write_case("my_case", loss={"reduce": {"over": "all", "divide": "active"}}, provenance="PyTorch 2.9, train.py",
               logits=z, targets=y, lengths=n,                    # what your loss was given
               gold={"value": value, "d_logits": z_grad})         # what it answered
"""
import json, pathlib, struct
import numpy as np

INPUTS = ("logits", "probs", "hidden", "weight", "bias", "targets", "lengths", "mask", "token_weight", "example_weight",
          "class_weight", "prior", "upstream")
GOLD = ("value", "row_loss", "numerator", "divisor", "d_logits", "d_probs", "d_hidden", "d_weight", "d_bias")
DTYPES = {"float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64", "uint8": "U8", "bool": "BOOL"}


def write_case(folder, loss, provenance, gold, about="", tolerance=None, **tensors):
    """`loss` is the `loss:` section of a config, as a dict. Logits are [B,T,V], targets ids [B,T] or distributions
    [B,T,V]; the dtype of the logits is the one that the case runs in. Whatever counts as padding may hold NaN."""
    arrays = {name: np.asarray(x) for name, x in tensors.items() if x is not None}
    unknown = [n for n in arrays if n.split(".")[0] not in INPUTS] + [n for n in gold if n.split(".")[0] not in GOLD]
    if unknown:
        raise ValueError(f"unknown: {unknown}; inputs are {INPUTS}, gold is {GOLD}")
    arrays.update({f"gold.{name}": np.asarray(x, np.float64) for name, x in gold.items()})
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"name": folder.name, "about": about, "loss": loss, "tolerance": tolerance, "provenance": provenance}
    lines = [f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in keys.items() if v not in (None, "")]  # JSON is YAML
    (folder / "case.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header, data = {}, b""
    for name, x in arrays.items():
        if x.dtype.name not in DTYPES:
            raise ValueError(f"{name} is {x.dtype}; write one of {list(DTYPES)}")
        raw = np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": DTYPES[x.dtype.name], "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "tensors.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
