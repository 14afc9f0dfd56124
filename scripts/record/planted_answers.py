#!/usr/bin/env python3
"""Records what a framework answers where tests/conform/planted has a loss for it, planted bugs and right ones: value and
gradient of forty batches. A test holds the numpy twins against these numbers.

  VENV/bin/python scripts/record/planted_answers.py torch|keras|jax      writes tests/conform/planted/answers/NAME.safetensors
"""
import importlib
import json
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANTED = ROOT / "tests" / "conform" / "planted"
sys.path[:0] = [str(PLANTED), str(ROOT / "apps" / "python" / "src")]
from batches import batches, digest, projection  # noqa: E402
from seqgrad.program import Program  # noqa: E402
from seqgrad.tensor_file import encode  # noqa: E402

SETTINGS = ("classes", "smoothing", "softcap", "z_loss")


def answers(function, loss):
    """{dtype: [[value's sum, projection of the gradient], …]}: float64, and bfloat16 where the bug is one of it."""
    hello = loss.get("hello", {})
    program = Program(function, **{k: v for k, v in hello.items() if k in SETTINGS})
    if set(program.arguments.takes) != set(loss["takes"].split()):
        sys.exit(f"error: {loss['id']} takes {program.arguments.takes}, and its table says {loss['takes']}")
    out = {}
    for dtype in ["F64"] + ["BF16"] * ("BF16" in hello.get("dtypes", "")):
        rows = []
        for x in batches(loss["takes"], int(hello.get("classes", 0)) or None):
            value, gradients = program.answer(x, dtype)
            rows.append([float(np.sum(value)), projection(next(iter(gradients.values())))])
        out[dtype] = np.array(rows)
    return program, out


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("torch", "keras", "jax"):
        sys.exit(__doc__)
    tensors, meta = {}, {"batches": digest(batches("logits targets mask"))}
    for table in ("bugs", "right"):
        module = importlib.import_module(f"{sys.argv[1]}_{table}")
        for loss in json.loads((PLANTED / f"{table}.json").read_text(encoding="utf-8")):
            if hasattr(module, loss["id"]):
                program, found = answers(getattr(module, loss["id"]), loss)
                meta["framework"] = program.hello()["framework"]
                tensors.update({f"{loss['id']}.{dtype}": rows for dtype, rows in found.items()})
    path = PLANTED / "answers" / f"{sys.argv[1]}.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(tensors, meta))
    print(f"{meta['framework']}: {len(tensors)} tensors of 40 answers -> {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
