#!/usr/bin/env python3
"""A planted bug, or a right loss, or a preset as presets.py has it, as a program under test, in numpy:

  seqgrad conform --means torch.mean -- python3 serve.py mean_over_padding
"""
import json
import pathlib
import sys
import types

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import adapter  # noqa: E402
import numpy_bugs  # noqa: E402
import numpy_right  # noqa: E402
import presets  # noqa: E402
from autodiff import Array, gradients  # noqa: E402

DIFFERENTIATED = ("logits", "probs", "log_probs", "row_loss")


def preset_losses(seed=None):
    """Those of presets.py, as losses() has the others."""
    return {p.id: {"id": p.id, "means": p.means, "takes": p.takes, "hello": {"axis": p.axis, **p.hello}, "preset": p} for p in presets.presets(seed)}


def right_losses(seeds):
    """(loss, seed): every right loss with each seed, and of every formula of presets.py one preset a seed."""
    right = [loss for loss in losses().values() if "finding" not in loss]
    return [(loss, seed) for seed in range(1, seeds + 1) for loss in [*right, *preset_losses(seed).values()]]


def losses():
    return {loss["id"]: loss for name in ("bugs", "right") for loss in json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))}


def hello(bug):
    takes = bug["takes"]
    prediction = next(n for n in takes.split() if n in DIFFERENTIATED)
    return {"name": bug["id"], "framework": f"numpy {np.__version__}", "takes": takes, "axis": "all", "dtypes": "F64 F32",
            "gradients": f"d_{prediction}", **bug.get("hello", {})}


def answer(function, tensors, dtypes, meta):
    upstream = tensors.pop("upstream", 1.0)
    prediction = next(n for n in tensors if n in DIFFERENTIATED)
    x = types.SimpleNamespace(**tensors, dtype=dtypes[prediction])
    if "mask" in tensors:
        x.mask = tensors["mask"] != 0
    if "lengths" in tensors and "mask" not in tensors:
        x.mask = np.arange(tensors["targets"].shape[1]) < tensors["lengths"][:, None]
    before = tensors[prediction].copy()
    leaf = Array(tensors[prediction])
    setattr(x, prediction, leaf)
    with np.errstate(all="ignore"):
        value = function(x)
        found, = gradients(value, [leaf], upstream)
    changed = {} if np.array_equal(before, leaf.value, equal_nan=True) else {"changed": prediction}
    return value.value, {f"d_{prediction}": found}, changed


def function_of(preset):
    loss, names = preset.function("numpy"), preset.takes.split()
    return lambda x: loss(**{n: getattr(x, n) for n in names})


def main():
    known = {**losses(), **preset_losses()}
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        sys.exit(f"{__doc__}\nlosses: {', '.join(losses())}\npresets: {', '.join(preset_losses())}")
    preset = known[sys.argv[1]].get("preset")
    function = function_of(preset) if preset else getattr(numpy_bugs, sys.argv[1], None) or getattr(numpy_right, sys.argv[1])
    adapter.serve(lambda *round: answer(function, *round), hello(known[sys.argv[1]]))


if __name__ == "__main__":
    main()
