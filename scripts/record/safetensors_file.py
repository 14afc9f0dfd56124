#!/usr/bin/env python3
"""Writes tests/golden/safetensors.safetensors with Python's safetensors, and reads files of seqgrad with it.

  safetensors_file.py tests/golden                   (needs safetensors and numpy; the version is in the metadata)
  safetensors.py --read RUN/checkpoints/best/model.safetensors …
"""
import importlib.metadata
import pathlib
import sys

sys.path.pop(0)  # this file has the library's name
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file


def record(folder):
    tensors = {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3) / 8,
        "double": np.array([[[1e-300], [-0.0]], [[np.pi], [np.inf]]], dtype=np.float64),
        "ids": np.array([-2**31, -1, 0, 2**31 - 1], dtype=np.int32),
        "long": np.array([-2**63, 2**63 - 1], dtype=np.int64),
        "bytes": np.array([0, 1, 255], dtype=np.uint8),
        "flags": np.array([True, False, True]),
        "scalar": np.array(2.5, dtype=np.float32),
        "empty": np.zeros((0, 4), dtype=np.float32),
        'quote " \\ ü': np.array([7], dtype=np.int32),
    }
    path = pathlib.Path(folder) / "safetensors.safetensors"
    save_file(tensors, path, metadata={"safetensors": importlib.metadata.version("safetensors"), "note": 'ü "quoted"\n'})
    print(f"{len(tensors)} tensors -> {path}")


def read(path):
    with safe_open(path, framework="np") as f:
        names = list(f.keys())
        for name in names:
            x = f.get_tensor(name)
            print(f"{name:32} {str(x.dtype):8} {str(x.shape):16} sum {float(x.astype(np.float64).sum())!r}")
        print(f"{path}: {len(names)} tensors, metadata keys {len(f.metadata() or {})}")


if __name__ == "__main__":
    if len(sys.argv) >= 3 and sys.argv[1] == "--read":
        for each in sys.argv[2:]:
            read(each)
    elif len(sys.argv) == 2:
        record(sys.argv[1])
    else:
        sys.exit(__doc__)
