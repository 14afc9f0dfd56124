"""Our loss of the caller's own arrays, and the page that explains it: a round trip to the executable each."""
from __future__ import annotations

import html as html_text
import json
import pathlib
import tempfile
from dataclasses import dataclass, field
from typing import Any, Sequence

import numpy as np

from .cases import write_case
from .child import run
from .tensor_file import decode


@dataclass
class Loss:
    """value [] (or the vector that `means` makes), row_loss [B,T] (0 where nothing counts), numerator, divisor, and
    `gradients` by the names of the inputs; all float64."""
    value: Any
    row_loss: np.ndarray
    numerator: Any
    divisor: Any
    gradients: dict = field(default_factory=dict)


def loss(logits=None, targets=None, *, means: Any = "token_mean", **tensors) -> Loss:
    """The loss that `means` names (a preset, or a `loss:` section as a dict or YAML) of your own arrays, computed in float64.

    logits [B,T,V] (or probs=, or hidden= [B,T,D] with weight= [V,D] and bias= [V]), targets ids [B,T] or distributions
    [B,T,V]; mask= [B,T], lengths= [B], token_weight= [B,T], example_weight= [B], class_weight= [V]. Arrays of any
    framework, on any device. Padding may hold anything. Raises SeqgradError with the words of the loss for what it refuses.
    """
    with tempfile.TemporaryDirectory() as place:
        case = write_case(pathlib.Path(place) / "case", means, logits=logits, targets=targets, **tensors)
        out = pathlib.Path(place) / "out.safetensors"
        run(["loss", case, "--out", out])
        found = decode(out.read_bytes()).tensors
    gradients = {n[2:]: x for n, x in found.items() if n.startswith("d_")}
    value = found["value"]
    return Loss(float(value) if value.ndim == 0 else value, found.get("row_loss"), found.get("numerator"),
                found.get("divisor"), gradients)


@dataclass
class Page:
    """A page that opens without a network, its self-check included: shown in a notebook, `.save("x.html")`."""
    html: str
    text: str

    def save(self, path) -> pathlib.Path:
        path = pathlib.Path(path)
        path.write_text(self.html, encoding="utf-8")
        return path

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return (f'<iframe sandbox="allow-scripts" srcdoc="{html_text.escape(self.html)}" '
                'style="width:100%;height:45em;border:0"></iframe>')


def _words(tokens: Sequence[str], classes) -> list:
    """The words of the V classes of logits [B,T,V], or of a weight [V,D]."""
    words, shape = list(tokens), getattr(classes, "shape", ())
    wrong = next((w for w in words if not isinstance(w, str)), None)
    if wrong is not None:
        raise ValueError(f"tokens: expected a text for each class, got {wrong!r}")
    count = 0 if not shape else shape[0] if len(shape) == 2 else shape[-1]
    if shape and len(words) != count:
        raise ValueError(f"tokens: {len(words)} for {count} classes")
    return words


def explain(logits=None, targets=None, mask=None, *, tokens: Sequence[str] | None = None, means: Any = "token_mean",
            **tensors) -> Page:
    """What masks and weights do to the loss of your own batch: every token's share, every reduction, experiments.

    The arrays are those of `loss`; `tokens` are the words of the V classes. A page is for a batch that fits one: a few
    sentences of a few words.
    """
    words = None if tokens is None else _words(tokens, tensors["weight"] if "hidden" in tensors else tensors.get("probs", logits))
    with tempfile.TemporaryDirectory() as place:
        case = write_case(pathlib.Path(place) / "batch", means, logits=logits, targets=targets, mask=mask, **tensors)
        if words is not None:
            with open(case / "case.yaml", "a", encoding="utf-8") as file:
                file.write(f"words: {json.dumps(words, ensure_ascii=False)}\n")
        page = pathlib.Path(place) / "page.html"
        run(["explain", case, "--html", page])
        return Page(page.read_text(encoding="utf-8"), run(["explain", case])[1])
