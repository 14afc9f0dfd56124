"""A trained run: translations by a child that stays, its history, its weights."""
from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile
import threading
import weakref
from typing import Iterable

from .child import SeqgradError, executable, start
from .tensor_file import decode


def _stop(child, words) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout, words):
        try:
            stream.close()
        except BrokenPipeError:
            pass


class _Translator:
    """`seqgrad translate RUN`, which answers a line with a line for as long as it is asked."""

    def __init__(self, options):
        self.words = tempfile.TemporaryFile()
        self.child = start([executable(), "translate", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=self.words)
        self.close = weakref.finalize(self, _stop, self.child, self.words)
        self.lock = threading.Lock()

    def translate(self, lines: list) -> list:
        with self.lock:
            out = []
            for first in range(0, len(lines), 64):  # what pipes hold, so that neither side waits for the other
                part = lines[first:first + 64]
                try:
                    self.child.stdin.write("".join(x + "\n" for x in part).encode())
                    self.child.stdin.flush()
                except BrokenPipeError:
                    self._ended()
                for _ in part:
                    answer = self.child.stdout.readline()
                    if not answer.endswith(b"\n"):
                        self._ended()
                    out.append(answer[:-1].decode())
            return out

    def _ended(self):
        self.child.wait()
        self.words.seek(0)
        raise SeqgradError(self.words.read().decode(errors="replace").strip() or "seqgrad translate ended")


class Run:
    """A run directory of `seqgrad train`."""

    def __init__(self, path, checkpoint: str = "best"):
        self.path = pathlib.Path(path)
        if not (self.path / "run.json").is_file():
            raise FileNotFoundError(f"{self.path} is no run directory: it has no run.json")
        self.checkpoint = checkpoint
        self._children: dict = {}

    def translate(self, lines: str | Iterable[str], *, beam: int | None = None, length_penalty: float | None = None,
                  raw: bool = False, threads: int | None = None):
        """Translations of lines, one each; of a single text, one text. `beam` is the config's where it is not given;
        1 is greedy. The child that loads the model stays: the next call answers at once."""
        one = isinstance(lines, str)
        lines = [lines] if one else list(lines)
        for i, line in enumerate(lines):
            if "\n" in line or "\r" in line:
                raise ValueError(f"line {i} holds an end of line: {line!r}")
        options = [str(self.path), "--checkpoint", self.checkpoint, "--quiet"]
        for name, value in (("beam", beam), ("length-penalty", length_penalty), ("threads", threads)):
            options += [f"--{name}", str(value)] if value is not None else []
        options += ["--raw"] if raw else []
        key = tuple(options)
        child = self._children.get(key)
        if child is None or child.child.poll() is not None:
            if child is not None:
                child.close()
            child = self._children[key] = _Translator(options)
        found = child.translate(lines)
        return found[0] if one else found

    @property
    def history(self) -> list:
        """The lines of metrics.jsonl, as dicts; none before the first that was logged."""
        if not (self.path / "metrics.jsonl").is_file():
            return []
        with open(self.path / "metrics.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]

    @property
    def weights(self) -> dict:
        """The checkpoint's parameters by PyTorch's names, as numpy arrays."""
        file = self.path / "checkpoints" / self.checkpoint / "model.safetensors"
        if not file.is_file():
            there = sorted(p.name for p in (self.path / "checkpoints").glob("*"))
            raise FileNotFoundError(f"{file} is not there; checkpoints: {', '.join(there) or 'none'}")
        return decode(file.read_bytes()).tensors

    def close(self) -> None:
        """Ends the children."""
        for child in self._children.values():
            child.close()
        self._children.clear()


def load_run(path, checkpoint: str = "best") -> Run:
    """A trained run: `load_run("runs/phrases-0001").translate("Der Hund liest das Buch.")`."""
    return Run(path, checkpoint)
