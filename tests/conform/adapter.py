#!/usr/bin/env python3
"""The protocol of `seqgrad conform` in numpy alone, around a right loss: copy it and put your own in `loss`.

  seqgrad conform --means torch.mean -- python3 tests/conform/adapter.py
"""
import json
import os
import struct
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "U8": "u1"}
HELLO = {"name": "mean over tokens", "framework": f"numpy {np.__version__}", "takes": "logits targets mask",
         "dtypes": "F64 F32", "gradients": "d_logits", "axis": "all"}


def loss(x):
    """(value, {gradient: array}) of a batch: logits [B,T,V], targets [B,T], mask [B,T], all of which may be empty."""
    live = x["mask"] != 0
    z, y = x["logits"][live], x["targets"][live]  # selected, never multiplied: padding may hold NaN and any id
    rows, n = np.arange(len(y)), max(1, len(y))
    z = z - z.max(-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    d = np.exp(log_p)
    d[rows, y] -= 1
    gradient = np.zeros_like(x["logits"])
    gradient[live] = d / n * x.get("upstream", 1.0)
    return -log_p[rows, y].sum() / n, {"d_logits": gradient}


def read(stream):
    """(tensors, their dtypes, metadata) of a frame: a u64 length, then a safetensors file, all little-endian."""
    head = stream.read(8)
    if len(head) < 8:
        sys.exit(0)  # seqgrad has ended
    body = stream.read(struct.unpack("<Q", head)[0])
    size = struct.unpack("<Q", body[:8])[0]
    header, data = json.loads(body[8:8 + size]), body[8 + size:]
    tensors, dtypes, meta = {}, {}, header.pop("__metadata__", {})
    for name, entry in header.items():
        raw, dtypes[name] = data[slice(*entry["data_offsets"])], entry["dtype"]
        if entry["dtype"] == "BF16":  # the upper half of a float32
            flat = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            flat = np.frombuffer(raw, DTYPES[entry["dtype"]])
        tensors[name] = flat.astype(np.float32 if entry["dtype"] == "F16" else flat.dtype).reshape(entry["shape"])
    return tensors, dtypes, meta


def write(stream, tensors, meta):
    header, data = {"__metadata__": meta}, b""
    for name, x in tensors.items():
        x = np.asarray(x, "<f4" if np.asarray(x).dtype == np.float32 else "<f8")
        header[name] = {"dtype": "F32" if x.itemsize == 4 else "F64", "shape": x.shape, "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.tobytes()
    text = json.dumps(header).encode()
    stream.write(struct.pack("<QQ", 8 + len(text) + len(data), len(text)) + text + data)
    stream.flush()


def serve(answer, hello):
    """Answers rounds until the last frame. `answer` gets tensors, dtypes and metadata, and returns (value, gradients)."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints to standard error
    read(stdin)
    write(stdout, {}, {"protocol": "1", **hello})
    while True:
        tensors, dtypes, meta = read(stdin)
        if "done" in meta:
            return
        try:
            value, gradients, *more = answer(tensors, dtypes, meta)
            write(stdout, {"value": value, **gradients}, {"round": meta["round"], **(more[0] if more else {})})
        except Exception as e:  # a refusal is an answer
            write(stdout, {}, {"round": meta["round"], "error": f"{type(e).__name__}: {e}"})


if __name__ == "__main__":
    serve(lambda tensors, dtypes, meta: loss(tensors), HELLO)
