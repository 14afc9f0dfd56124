"""Evaluates the mode lines of `explain --json` in one framework and compares them with the engine's values."""
import json
import sys

import numpy as np


def arrays(batch, tokens, mode):
    """nll, m and w [B,T] of a mode, in NumPy; dead cells hold the loss that they would have, or 0."""
    shape = batch["B"], batch["T"]
    own = mode["alone"] if mode["own_row_loss"] else [t["alone"] for t in tokens]
    nll = np.array([a["loss"] if a else 0.0 for a in own]).reshape(shape)
    m = np.array([float(t["mask"]) for t in tokens]).reshape(shape)
    weights = [float(t["token_weight"]) * float(t["example_weight"]) if t["mask"] else 0.0 for t in tokens]
    w = np.array(weights).reshape(shape)  # "nan" is legal where nothing counts
    if mode["class_scope"] == "target":
        w = w * np.array([t["class_sum"] for t in tokens]).reshape(shape)
    return nll, m, w


def names_for(framework, nll, m, w, class_sum):
    b, t = nll.shape
    y = np.arange(b * t).reshape(b, t)  # each cell its own class, whose weight is the cell's: c[y] is class_sum
    c = class_sum.reshape(-1)
    if framework == "pytorch":
        import torch
        x = torch.from_numpy
        return {"nll": x(nll), "m": x(m), "w": x(w), "c": x(c), "y": x(y), "B": b, "T": t, "torch": torch}
    if framework == "d2l":
        import torch
        x = torch.from_numpy
        return {"l": x(nll.reshape(-1)), "mask": x(m.reshape(-1)), "w": x(w.reshape(-1)), "c": x(c), "Y": x(y)}
    if framework == "tensorflow":
        import tensorflow as tf
        x = tf.constant
        return {"nll": x(nll), "m": x(m), "w": x(w), "c": x(c), "y": x(y), "B": b, "T": t, "tf": tf}
    from keras import ops
    x = lambda a: ops.convert_to_tensor(a)  # noqa: E731
    return {"nll": x(nll), "m": x(m), "w": x(w), "c": x(c), "y": x(y), "B": b, "T": t, "ops": ops}


def main():
    framework, files = sys.argv[1], sys.argv[2:]
    checked = wrong = 0
    for file in files:
        with open(file) as f:
            e = json.load(f)
        class_sum = np.array([t["class_sum"] for t in e["tokens"]])
        for mode in e["modes"]:
            line = mode["lines"][framework]
            if not line or mode["refused"]:
                continue
            names = names_for(framework, *arrays(e["batch"], e["tokens"], mode), class_sum)
            got = np.asarray(eval(line, {"__builtins__": {}}, names), dtype=np.float64).reshape(-1)
            want = np.array([float(v) for v in np.atleast_1d(mode["value"])])
            checked += 1
            if got.shape != want.shape or not np.allclose(got, want, rtol=1e-12, atol=1e-12):
                wrong += 1
                print(f"{e['source']} {mode['name']}: {line} is {got}, not {want}")
    print(f"{framework}: {checked} lines, {wrong} wrong")
    sys.exit(1 if wrong or not checked else 0)


main()
