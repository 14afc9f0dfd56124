"""The protocol of `seqgrad conform`, spoken by this process: it starts `seqgrad conform --stdio` and answers its rounds.

A frame is a little-endian u64 length and a safetensors file of that length, at most 1 GiB. seqgrad speaks first.
"""
from __future__ import annotations

import json
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import BinaryIO, Sequence

import numpy as np

from .child import SeqgradError, executable, is_refusal, start
from .tensor_file import BadTensors, TensorFile, decode, encode

MOST_BYTES = 1 << 30


def read_frame(stream: BinaryIO) -> TensorFile | None:
    """The next frame; None at the end of the stream. Raises SeqgradError for what is none."""
    head = _exactly(stream, 8)
    if not head:
        return None
    (size,) = struct.unpack("<Q", head)
    if size > MOST_BYTES:
        raise SeqgradError(f"no frame of the protocol: it begins with {head!r}")
    body = _exactly(stream, size)
    if len(body) < size:
        return None
    try:
        return decode(body)
    except BadTensors as e:
        raise SeqgradError(f"no frame of the protocol: {e}") from e


def write_frame(stream: BinaryIO, tensors: dict, metadata: dict) -> None:
    body = encode(tensors, metadata)
    stream.write(struct.pack("<Q", len(body)) + body)
    stream.flush()


def _exactly(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


@dataclass
class Outcome:
    """seqgrad's last frame. `exit`: 0 all that was asked holds, 1 something does not, 2 and 3 it could not be judged.
    `error` is the last exception of the function under test."""
    exit: int
    text: str
    report: dict = field(default_factory=dict)
    html: str = ""
    batch: dict = field(default_factory=dict)
    error: Exception | None = None


def _floats(x: np.ndarray) -> np.ndarray:
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def answer(program, frame: TensorFile):
    """(tensors, metadata, exception) of the answer to a round."""
    x, meta = dict(frame.tensors), {"round": frame.metadata.get("round", "")}
    upstream = x.pop("upstream", None)
    dtype = next((frame.dtypes[n] for n in x if frame.dtypes[n] in ("F64", "F32", "F16", "BF16") and n != "num_items"), "F64")
    gradient = "gradient" in frame.metadata.get("want", "")
    try:
        value, gradients = program.answer(x, dtype, upstream, gradient)
    except Exception as e:  # whatever the function raises is an answer, too
        return {}, {**meta, "error": f"{type(e).__name__}: {e}"}, e
    if program.changed:
        meta["changed"] = " ".join(program.changed)
    gradients = gradients if gradient else {}
    return {"value": _floats(value), **{f"d_{n}": _floats(g) for n, g in gradients.items()}}, meta, None


def converse(program, options: Sequence[str]) -> Outcome:
    """Runs `seqgrad conform --stdio OPTIONS…` on a program. Raises SeqgradError with its words where it ends without an
    outcome."""
    __tracebackhide__ = is_refusal
    command = [executable(), "conform", "--stdio", *options]
    with tempfile.TemporaryFile() as words:
        child = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words)
        try:
            outcome = _rounds(program, child)
            child.stdin.close()
            child.wait()
        except BrokenPipeError:
            outcome = None
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            child.stdout.close()
            try:
                child.stdin.close()
            except BrokenPipeError:
                pass
        if outcome is None:
            words.seek(0)
            text = words.read().decode(errors="replace").strip()
            raise SeqgradError(text or f"{' '.join(command)} ended with {child.returncode} and said nothing")
        return outcome


def _rounds(program, child) -> Outcome | None:
    error = None
    if read_frame(child.stdout) is None:
        return None
    write_frame(child.stdin, {}, program.hello())
    while True:
        frame = read_frame(child.stdout)
        if frame is None:
            return None
        meta = frame.metadata
        if "done" in meta:
            return Outcome(int(meta.get("exit", "3")), meta.get("text", ""), json.loads(meta.get("report") or "{}"),
                           meta.get("html", ""), frame.tensors, error)
        tensors, words, raised = answer(program, frame)
        error = raised or error
        write_frame(child.stdin, tensors, words)
