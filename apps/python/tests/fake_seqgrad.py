#!/usr/bin/env python3
"""Plays `seqgrad conform --stdio` for the tests of the protocol: the scene is in $FAKE_SCENE. Its own writing of frames,
apart from the package's."""
import json
import os
import struct
import sys

import numpy as np

stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
NAMES = {"float64": "F64", "float32": "F32", "int64": "I64", "uint8": "U8"}
TYPES = {v: k for k, v in NAMES.items()}


def send(tensors, **meta):
    header, data = {"__metadata__": meta}, b""
    for name, x in tensors.items():
        kind, raw = ("BF16", (x.view(np.uint32) >> 16).astype("<u2").tobytes()) if name == "bf16" else (NAMES[x.dtype.name], x.tobytes())
        name = "logits" if name == "bf16" else name
        header[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    stdout.write(struct.pack("<QQ", 8 + len(text) + len(data), len(text)) + text + data)
    stdout.flush()


def receive():
    body = stdin.read(struct.unpack("<Q", stdin.read(8))[0])
    size = struct.unpack("<Q", body[:8])[0]
    header = json.loads(body[8:8 + size])
    meta = header.pop("__metadata__", {})
    data = body[8 + size:]
    return {n: np.frombuffer(data[slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"]) for n, e in header.items()}, meta


def batch(dtype=np.float64):
    logits = np.arange(24, dtype=dtype).reshape(2, 3, 4) % 5 / 4
    return {"logits": logits, "targets": np.array([[0, 1, 2], [3, 0, 0]]), "mask": np.array([[1, 1, 1], [1, 0, 0]], np.uint8)}


def ask(tensors, number, **meta):
    send(tensors, round=str(number), **{"kind": "value", "want": "value gradient", **meta})
    return receive()


def main():
    scene = os.environ["FAKE_SCENE"]
    if "--help-me" in sys.argv:
        sys.exit("error: unknown option")
    if scene == "refuses":
        print("error: no preset 'torch.meen'; did you mean torch.mean?", file=sys.stderr)
        sys.exit(2)
    if scene == "garbage":
        stdout.write(b"hello, world, this is no frame at all")
        stdout.flush()
        sys.exit(0)
    send({}, protocol="1", seqgrad="0")
    _, hello = receive()
    if scene == "dies":
        print("std::bad_alloc", file=sys.stderr)
        os._exit(3)
    seen = {"hello": hello, "argv": sys.argv[1:], "rounds": []}
    rounds = [(batch(), {}), (batch(np.float32), {"want": "value"}), ({**batch(), "upstream": np.array(-0.5)}, {}),
              ({**batch(np.float32), "bf16": batch(np.float32)["logits"]}, {})]
    rounds[3][0].pop("logits")
    for i, (tensors, meta) in enumerate(rounds):
        answer, words = ask(tensors, i, **meta)
        seen["rounds"].append({"meta": words, **{n: [str(x.dtype), x.tolist()] for n, x in answer.items()}})
    exit_code = {"finds": "1", "crashed": "3"}.get(scene, "0")
    findings = [{"id": "divisor:positions", "sentence": "all cells are counted"}] if scene == "finds" else []
    send(batch() if scene == "finds" else {}, done="1", exit=exit_code, text=f"the report of {scene}\n",
         report=json.dumps({"findings": findings, "seen": seen}), html="<p>page</p>")


main()
