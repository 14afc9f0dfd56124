"""Loss cases: folders that `seqgrad check`, `explain` and `gradcheck` open (tests/cases/README.md has the format)."""
from __future__ import annotations

import json
import pathlib
import tempfile
import textwrap
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

import numpy as np

from .child import run
from .tensor_file import decode, encode
from .to_numpy import to_numpy

INPUTS = ("logits", "probs", "hidden", "weight", "bias", "row_loss", "targets", "lengths", "mask", "token_weight",
          "example_weight", "class_weight", "prior", "upstream")
GOLD = ("value", "row_loss", "numerator", "divisor", "d_logits", "d_probs", "d_hidden", "d_weight", "d_bias", "d_row_loss")
CLASSES = {"bfloat16": "bf16", "float16": "f16", "float32": "f32", "float64": "f64"}  # coarsest first


@dataclass
class Case:
    """A case as it stands in its folder. `loss` is the section as a dict, or its YAML text where it is no JSON and
    PyYAML is not installed; `keys` are the others of case.yaml, in the same way."""
    path: pathlib.Path
    loss: Any
    tensors: dict = field(default_factory=dict)
    gold: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)


@dataclass
class CaseResult:
    """What `seqgrad check` said. True where all is as expected."""
    ok: bool
    text: str

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self.text


def _input(name: str, x):
    """An input as one of the dtypes that a case holds, its numbers unchanged."""
    x, dtype = to_numpy(x)
    if name.split(".")[0] == "mask":
        if not np.isin(x, (0, 1)).all():
            raise ValueError(f"{name} holds numbers other than 0 and 1: a weight goes in token_weight")
        x = x.astype(np.uint8)
    elif x.dtype.kind in "iub" and x.dtype.name not in ("int32", "int64"):
        x = x.astype(np.int64)
    elif x.dtype.name not in ("float32", "float64", "int32", "int64"):
        x = x.astype(np.float64)
    return x, dtype


def section_of(loss):
    """A `loss:` section from a preset's name, a dict, or YAML with or without its `loss:`."""
    if not isinstance(loss, str):
        return loss or {}
    text = textwrap.dedent(loss).strip()
    if text.startswith("loss:"):
        text = textwrap.dedent(text[len("loss:"):].strip("\n")).strip()
    if ":" not in text:
        return {"preset": text}
    return text if text.startswith("{") else "\n" + textwrap.indent(text, "  ")


def write_case(folder, loss, provenance: str = "", gold: Mapping | None = None, about: str = "",
               tolerance: Mapping | None = None, **tensors) -> pathlib.Path:
    """Writes a case from any framework's arrays and returns its folder.

    `loss` is a preset's name, or the `loss:` section of a config as a dict or as YAML: {"preset": "torch.mean"}. Tensors: logits or probs
    [B,T,V], or hidden [B,T,D] with weight [V,D] and bias [V]; targets ids [B,T] or a distribution [B,T,V]; lengths [B],
    mask [B,T], token_weight [B,T], example_weight [B], class_weight [V]. Flat [N,V] beside [N] is one sentence. `gold`
    is what your loss answered: value, row_loss, d_logits, … The coarsest dtype among prediction and gold says how near
    is near enough. Padding may hold NaN.
    """
    gold = dict(gold or {})
    unknown = [n for n in tensors if n.split(".")[0] not in INPUTS] + [n for n in gold if n.split(".")[0] not in GOLD]
    if unknown:
        raise ValueError(f"unknown: {unknown}; inputs are {', '.join(INPUTS)}, gold is {', '.join(GOLD)}")
    arrays, seen = {}, set()
    for name, x in tensors.items():
        if x is not None:
            arrays[name], dtype = _input(name, x)
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
    keys = {"name": folder.name, "about": about, "loss": section_of(loss), "tolerance": tolerance, "provenance": provenance}
    lines = [f"{k}: {v if k == 'loss' and isinstance(v, str) else json.dumps(v, ensure_ascii=False)}"
             for k, v in keys.items() if v not in (None, "")]  # JSON is YAML
    (folder / "case.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tensors.safetensors").write_bytes(encode(arrays))
    return folder


def _keys(text: str) -> dict:
    try:
        return {k: json.loads(v) for k, v in (line.split(": ", 1) for line in text.splitlines())}
    except ValueError:
        pass  # written by hand
    try:
        import yaml
        return yaml.safe_load(text)
    except ImportError:
        lines = [x.split(": ", 1) for x in text.splitlines() if ": " in x and not x.startswith((" ", "#"))]
        return {k: v.strip() for k, v in lines}


def read_case(folder) -> Case:
    """Reads a case's folder: inputs and gold as numpy arrays."""
    folder = pathlib.Path(folder)
    if not (folder / "case.yaml").is_file():
        raise FileNotFoundError(f"{folder} is no case: it has no case.yaml")
    keys = _keys((folder / "case.yaml").read_text(encoding="utf-8"))
    file = folder / "tensors.safetensors"
    tensors = decode(file.read_bytes()).tensors if file.is_file() else {}
    gold = {n[5:]: tensors.pop(n) for n in list(tensors) if n.startswith("gold.")}
    return Case(folder, keys.pop("loss", {}), tensors, gold, keys)


def run_case(folder, function: Callable | None = None, *, framework: str | None = None,
             takes: Mapping[str, str] | None = None) -> CaseResult:
    """`seqgrad check` of a case as it stands; or, with `function`, of what that answers to the case's tensors (any
    framework; its arguments are found by name, as in `check`), under the loss that the case means."""
    if function is None:
        return _check(folder)
    from .program import Program
    case = read_case(folder)
    program = Program(function, framework=framework, takes=takes)
    value, gradients = program.answer(dict(case.tensors))
    gold = {"value": value, **{f"d_{n}": g for n, g in gradients.items()}}
    with tempfile.TemporaryDirectory() as place:
        written = write_case(pathlib.Path(place) / case.path.name, case.loss, gold=gold,
                             provenance=program.name, **case.tensors)
        return _check(written)


def _check(folder) -> CaseResult:
    code, text = run(["check", "-v", folder], ok=(0, 1))
    return CaseResult(code == 0, text)
