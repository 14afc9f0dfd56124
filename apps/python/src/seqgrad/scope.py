"""Whether a loss that is meant is one of each micro-batch alone, whose gradients are not those of one loss of the whole batch."""
from __future__ import annotations

import pathlib
import re
from typing import Any, Mapping

from .child import run


def _micro_presets() -> set:
    """Names of the presets beside which `seqgrad info --presets` writes "scope: micro": in the indented line below a name."""
    found, name = set(), ""
    for line in run(["info", "--presets"])[1].splitlines():
        if line[:1].strip():
            name = line.split()[0]
        elif re.search(r"\bscope: micro\b", line):
            found.add(name)
    return found


def of_micro_batches(means: Any) -> str:
    """The name of a loss whose scope is a micro-batch, "this loss" for a section without a preset; "" for others. `means` as
    `check` takes it."""
    if isinstance(means, Mapping):
        section = means.get("loss", means)
        preset, scope = section.get("preset"), (section.get("normalizer") or {}).get("scope")
    elif means is not None and pathlib.Path(means).is_file():
        text = pathlib.Path(means).read_text(encoding="utf-8")
        preset, scope = (re.search(rf"\b{key}\W+([\w.@-]+)", text) for key in ("preset", "scope[\"']?:"))
        preset, scope = preset and preset[1], scope and scope[1]
    else:
        preset, scope = means, None
    name = str(preset or "").split("[")[0]
    return (name or "this loss") if scope == "micro" else name if name and name in _micro_presets() else ""
