"""Safetensors files in numpy: the body of a protocol frame, and the tensors of a loss case."""
from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Mapping

import numpy as np

NUMPY_OF = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
            "U8": "u1", "BOOL": "?"}
NAME_OF = {np.dtype(v): k for k, v in NUMPY_OF.items()}
MOST_HEADER = 100_000_000


class BadTensors(ValueError):
    """Bytes that are no safetensors file; the text says what is wrong with them."""


@dataclass
class TensorFile:
    """What a file holds. bfloat16, which numpy lacks, and float16 are widened to float32; `dtypes` has the names that
    stood in the file ("F32", "BF16", …)."""
    tensors: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    dtypes: dict = field(default_factory=dict)


def _array(name: str, entry, data: memoryview):
    try:
        dtype, shape, (begin, end) = entry["dtype"], [int(n) for n in entry["shape"]], entry["data_offsets"]
        if not (0 <= begin <= end <= len(data)) or min(shape, default=0) < 0:
            raise BadTensors(f"tensor {name!r} lies outside the file")
        raw = data[begin:end]
        if dtype == "BF16":
            flat = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            flat = np.frombuffer(raw, NUMPY_OF[dtype])
        flat = flat.astype(np.float32) if dtype == "F16" else flat
        return flat.reshape(shape).copy(), dtype
    except BadTensors:
        raise
    except (KeyError, TypeError, ValueError) as e:
        raise BadTensors(f"tensor {name!r}: {entry!r} ({e})") from e


def decode(data) -> TensorFile:
    """Reads the bytes of a safetensors file. Raises BadTensors."""
    data = memoryview(data)
    if len(data) < 8:
        raise BadTensors(f"a safetensors file has at least 8 bytes, not {len(data)}")
    (size,) = struct.unpack("<Q", data[:8])
    if size > min(MOST_HEADER, len(data) - 8):
        raise BadTensors(f"a header of {size} bytes in a file of {len(data)}")
    try:
        header = json.loads(bytes(data[8:8 + size]))
        metadata = header.pop("__metadata__", {}) or {}
    except (ValueError, AttributeError, TypeError) as e:
        raise BadTensors(f"the header is no JSON object: {e}") from e
    out = TensorFile(metadata=dict(metadata))
    for name, entry in header.items():
        out.tensors[name], out.dtypes[name] = _array(name, entry, data[8 + size:])
    return out


def encode(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file; every array's dtype is one of NUMPY_OF, metadata are strings."""
    header: dict = {"__metadata__": {k: str(v) for k, v in metadata.items()}} if metadata else {}
    parts, at = [], 0
    for name, x in tensors.items():
        x = np.asarray(x)
        little = x.dtype.newbyteorder("<") if x.dtype.byteorder == ">" else x.dtype
        if little not in NAME_OF:
            raise BadTensors(f"tensor {name!r} is {x.dtype}; expected one of {', '.join(NUMPY_OF)}")
        raw = x.astype(little).tobytes()  # in C order
        header[name] = {"dtype": NAME_OF[little], "shape": list(x.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        parts.append(raw)
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])
