#!/usr/bin/env python3
"""Right losses of one framework, drawn at random, through `seqgrad check`: none may fail.

  VENV/bin/python scripts/record/right_losses.py torch|jax|keras SEQGRAD [--count N] [--seed S] [--keep DIR]

A loss is drawn as a recipe (dtype, sizes, scale of the logits, target, weights, reduction); the framework computes it the
way people write it, in float32, bfloat16 or float16, and its answer becomes a case. Prints the framework with its version,
how many losses there were and how many failed; exit 1 where one did, with the case's name and what check said."""

import argparse
import importlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "apps/python/src"))
from seqgrad import write_case  # noqa: E402

MOST_NUMBERS = 700_000  # of one loss's logits
VOCABULARIES = (2, 3, 7, 30, 200, 1000, 5000, 32000, 128000)
DIVIDE = ("active", "weight", "one", "batch", "positions", "steps", "sentences")


def recipe(seed, **fixed):
    """What to compute: numpy arrays in float32 (rounded later) and choices. `fixed` replaces what was drawn."""
    r = np.random.default_rng(seed)
    c = dict(seed=seed, dtype=str(r.choice(["f32", "f32", "bf16", "f16"])), V=int(r.choice(VOCABULARIES)), sd=float(r.choice([0.3, 1, 2, 4, 8])),
             offset=float(r.choice([0, 0, 0, 30, -200])), sure=bool(r.random() < 0.2), hidden=bool(r.random() < 0.25),
             target=r.choice(["ids", "ids", "ids", "dense"]), smoothing=float(r.choice([0, 0, 0.1, 0.3])),
             divide=r.choice(DIVIDE), over=r.choice(["all", "all", "all", "time", "none"]), weighted=bool(r.random() < 0.4),
             class_weights=bool(r.random() < 0.15), z_loss=float(r.choice([0, 0, 0, 1e-4, 1e-2])),
             softcap=float(r.choice([0, 0, 0, 0, 30])), ignore=bool(r.random() < 0.2), style=int(r.integers(3)))
    c.update(fixed)
    if c["dtype"] == "f16" and c["V"] > 200:  # sums over the classes leave its range
        c["dtype"] = "bf16"
    B, T = fixed.get("B", int(r.choice([1, 2, 4]))), fixed.get("T", int(r.choice([1, 2, 5])))  # few: JAX compiles for each
    while B * T * c["V"] > MOST_NUMBERS and B * T > 2:
        B, T = (B // 2, T) if B > 1 else (B, 2)
    V, D = c["V"], int(r.integers(2, 9))
    c.update(B=B, T=T, lengths=r.integers(0, T + 1, B), y=r.integers(0, V, (B, T)))
    c["lengths"][0] = T
    c["logits"] = c["offset"] + c["sd"] * r.standard_normal((B, T, V))
    if c["sure"]:  # as of a trained model: the target stands out
        np.put_along_axis(c["logits"], c["y"][..., None], c["logits"].max(-1, keepdims=True) + r.uniform(2, 20), -1)
    c["h"], c["W"], c["b"] = r.standard_normal((B, T, D)), c["sd"] / 2 * r.standard_normal((V, D)), r.standard_normal(V)
    q = r.dirichlet(np.full(V, 0.3), (B, T)) if V <= 32000 else np.eye(1)
    c["q"] = q
    if c["target"] == "dense" and V > 32000:
        c["target"] = "ids"
    c["w"], c["e"], c["c"] = r.uniform(0.1, 2, (B, T)), r.uniform(0.5, 2, B), r.uniform(0.25, 2, V)
    if c["class_weights"]:  # over the weights, as PyTorch has it
        c.update(weighted=False, z_loss=0.0, softcap=0.0, over="all", divide="class_weight" if c["target"] == "ids" else "positions")
    c["ignored"] = int(c["y"].flat[0]) if c["ignore"] and c["target"] == "ids" else None
    m = np.arange(T) < c["lengths"][:, None]
    if c["ignored"] is not None and not (m & (c["y"] != c["ignored"])).any():
        c["ignored"] = None  # a mean of nothing is NaN there and 0 here, which is no rounding
    c["m"] = m & (c["y"] != c["ignored"]) if c["ignored"] is not None else m
    return c


class Framework:
    """What the recipes need of one. `real` makes a float array of the loss's dtype, `grad` the value and gradients."""

    def loss(self, c, z, a):
        """The value of a recipe from logits `z`; a holds arrays of the framework: m (as 0 and 1), w, y, q, c."""
        if c["softcap"]:
            z = c["softcap"] * self.tanh(z / c["softcap"])
        rows = self.rows(c, z, a)
        if c["z_loss"]:
            lam = self.logsumexp(z)
            rows = rows + c["z_loss"] * lam * lam
        rows = self.where(a["live"], rows, self.real(c, np.zeros((c["B"], c["T"]))))
        w = a["w"]
        total = lambda x, axis=None: self.sum(x, axis)
        if c["over"] == "none":
            return w * rows
        if c["over"] == "time":
            D = {"active": total(a["m"], 1), "weight": total(w, 1), "steps": c["T"]}.get(c["divide"], 1)
            return total(w * rows, 1) / self.maximum(D, 1e-6) if c["divide"] in ("active", "weight") else total(w * rows, 1) / D
        if c["divide"] == "sentences":
            each = total(w * rows, 1) / self.maximum(total(a["m"], 1), 1)
            return total(each) / max(1, int(c["m"].any(1).sum()))
        D = {"one": 1, "batch": c["B"], "positions": c["B"] * c["T"], "steps": c["T"], "active": total(a["m"]), "weight": total(w),
             "class_weight": total(w * a["cy"]) if c["target"] == "ids" else 1}[c["divide"]]
        return total(w * rows) / D


def section(c):
    """The loss section that says what the recipe computes."""
    loss = {"reduce": {"over": c["over"], "divide": c["divide"]}}
    if c["over"] == "none":
        loss["reduce"]["divide"] = "one"
    if c["over"] == "time" and c["divide"] not in ("active", "weight", "steps"):
        loss["reduce"]["divide"] = "one"
    if c["divide"] == "sentences" and c["over"] == "all":
        loss["reduce"]["divide"] = {"time": "active", "batch": "active_batch"}
    if c["target"] == "dense":
        loss.update(target="dense", dense_sum="allow")
    if c["smoothing"]:
        loss["smoothing"] = {"epsilon": c["smoothing"]}
    if c["class_weights"]:
        loss["weights"] = {"class": {"scope": "class"}}
    if c["z_loss"]:
        loss["z_loss"] = c["z_loss"]
    if c["softcap"]:
        loss["softcap"] = c["softcap"]
    if c["ignored"] is not None:
        loss["mask"] = {"ignore_index": c["ignored"]}
    return loss


class Torch(Framework):
    name = "torch"

    def __init__(self):
        self.t = importlib.import_module("torch")
        self.t.set_num_threads(2)
        self.version = f"torch {self.t.__version__.split('+')[0]}"
        t = self.t
        self.types = {"f32": t.float32, "bf16": t.bfloat16, "f16": t.float16}
        self.tanh, self.where = t.tanh, t.where

    def real(self, c, x):
        return self.t.tensor(np.asarray(x, np.float32)).to(self.types[c["dtype"]])

    def ids(self, x):
        return self.t.tensor(x)

    def sum(self, x, axis=None):
        return x.sum() if axis is None else x.sum(axis)

    def maximum(self, x, low):
        return x.clamp(min=low)

    def logsumexp(self, z):
        return self.t.logsumexp(z, -1)

    def rows(self, c, z, a):
        F, V = self.t.nn.functional, c["V"]
        if c["target"] == "ids" and c["style"] and not c["smoothing"] and not c["class_weights"]:
            y = a["y"].clamp(min=0)[..., None]
            if c["style"] == 1:
                return -F.log_softmax(z, -1).gather(-1, y)[..., 0]
            return self.t.logsumexp(z, -1) - z.gather(-1, y)[..., 0]
        if c["target"] == "dense":
            if c["style"] and not c["class_weights"] and not c["smoothing"]:
                return -(a["q"] * F.log_softmax(z, -1)).sum(-1)
            return F.cross_entropy(z.reshape(-1, V), a["q"].reshape(-1, V), weight=a["c"] if c["class_weights"] else None,
                                   label_smoothing=c["smoothing"], reduction="none").reshape(c["B"], c["T"])
        return F.cross_entropy(z.reshape(-1, V), a["y"].reshape(-1), weight=a["c"] if c["class_weights"] else None,
                               label_smoothing=c["smoothing"], reduction="none", ignore_index=-100).reshape(c["B"], c["T"])

    def loss(self, c, z, a):
        mean = c["divide"] == "class_weight" if c["class_weights"] else c["divide"] == "active"
        native = c["over"] == "all" and not c["weighted"] and c["target"] == "ids" and not c["z_loss"] and not c["softcap"]
        if native and (mean or c["divide"] == "one") and c["style"] == 0:
            return self.t.nn.functional.cross_entropy(
                z.reshape(-1, c["V"]), a["y"].reshape(-1), weight=a["c"] if c["class_weights"] else None,
                label_smoothing=c["smoothing"], reduction="mean" if mean else "sum", ignore_index=-100)
        return super().loss(c, z, a)

    def grad(self, function, leaves):
        leaves = [x.requires_grad_() for x in leaves]
        value = function(*leaves)
        value.sum().backward()
        return value, [x.grad for x in leaves]


class Jax(Framework):
    name = "jax"

    def __init__(self):
        self.j, self.np = importlib.import_module("jax"), importlib.import_module("jax.numpy")
        self.version = f"jax {self.j.__version__}"
        self.types = {"f32": self.np.float32, "bf16": self.np.bfloat16, "f16": self.np.float16}
        self.tanh, self.where = self.np.tanh, self.np.where

    def real(self, c, x):
        return self.np.asarray(np.asarray(x, np.float32)).astype(self.types[c["dtype"]])

    def ids(self, x):
        return self.np.asarray(x)

    def sum(self, x, axis=None):
        return self.np.sum(x, axis=axis)

    def maximum(self, x, low):
        return self.np.maximum(x, low)

    def logsumexp(self, z):
        return self.j.nn.logsumexp(z, -1)

    def rows(self, c, z, a):
        n, V = self.np, c["V"]
        if c["style"] == 2 and c["target"] == "ids" and not c["smoothing"] and not c["class_weights"]:
            return self.j.nn.logsumexp(z, -1) - n.take_along_axis(z, n.maximum(a["y"], 0)[..., None], -1)[..., 0]
        log_p = self.j.nn.log_softmax(z, -1)
        if c["target"] == "ids" and not c["smoothing"] and c["style"]:
            row = -n.take_along_axis(log_p, n.maximum(a["y"], 0)[..., None], -1)[..., 0]
            return row * a["cy"] if c["class_weights"] else row
        q = a["q"] if c["target"] == "dense" else self.j.nn.one_hot(a["y"], V, dtype=z.dtype)
        if c["smoothing"]:
            q = (1 - c["smoothing"]) * q + c["smoothing"] / V
        if c["class_weights"]:
            q = q * a["c"]
        return -n.sum(q * log_p, -1)

    def grad(self, function, leaves):
        each = lambda *x: (self.np.sum(function(*x)), function(*x))
        (_, value), grads = self.j.value_and_grad(each, argnums=tuple(range(len(leaves))), has_aux=True)(*leaves)
        return value, grads


class Keras(Framework):
    name = "keras"

    def __init__(self):
        self.k, self.tf = importlib.import_module("keras"), importlib.import_module("tensorflow")
        self.version = f"keras {self.k.__version__} on tensorflow {self.tf.__version__}"
        o = self.k.ops
        self.types = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
        self.tanh, self.where = o.tanh, o.where

    def real(self, c, x):
        return self.tf.cast(np.asarray(x, np.float32), self.types[c["dtype"]])

    def ids(self, x):
        return self.tf.constant(x)

    def sum(self, x, axis=None):
        return self.k.ops.sum(x, axis)

    def maximum(self, x, low):
        return self.k.ops.maximum(x, low)

    def logsumexp(self, z):
        return self.k.ops.logsumexp(z, -1)

    def rows(self, c, z, a):
        k, o, V = self.k, self.k.ops, c["V"]
        # A loss with a dtype casts the ids to it: in 16 bits other classes than were meant, and no right loss.
        casts = c["style"] == 2 and (c["target"] == "dense" or c["dtype"] == "f32" or V <= 256)
        options = dict(reduction=None, from_logits=True, dtype=self.types[c["dtype"]] if casts else None)
        y = o.maximum(a["y"], 0)
        if c["target"] == "ids" and not c["smoothing"] and not c["class_weights"]:
            if c["style"] == 1:
                return self.tf.nn.sparse_softmax_cross_entropy_with_logits(y, z)
            return o.cast(k.losses.SparseCategoricalCrossentropy(**options)(y, z), z.dtype)
        q = a["q"] if c["target"] == "dense" else o.one_hot(y, V, dtype=z.dtype)
        if c["class_weights"]:
            q = (1 - c["smoothing"]) * q + c["smoothing"] / V
            return -o.sum(q * a["c"] * o.log_softmax(z, -1), -1)
        return o.cast(k.losses.CategoricalCrossentropy(label_smoothing=c["smoothing"], **options)(q, z), z.dtype)

    def grad(self, function, leaves):
        with self.tf.GradientTape() as tape:
            for x in leaves:
                tape.watch(x)
            value = function(*leaves)
        return value, [self.tf.convert_to_tensor(g) for g in tape.gradient(value, leaves)]


def record(framework, c, folder):
    """One recipe computed and written as a case."""
    f = framework
    lone = {"weight": c["e"], "one": np.ones(c["B"])}["weight" if c["weighted"] else "one"]
    w = np.where(c["m"], (c["w"] if c["weighted"] else 1.0) * np.ones(c["m"].shape), 0.0)
    token, example, classes = f.real(c, w), f.real(c, lone), f.real(c, c["c"])
    y = np.where(c["m"], c["y"], -100)
    a = {"live": f.ids(c["m"]), "m": f.real(c, c["m"]), "w": token * example[:, None], "y": f.ids(y), "c": classes,
         "cy": f.real(c, c["c"][np.maximum(y, 0)])}
    tensors = {"targets": c["y"], "lengths": c["lengths"]}
    if c["target"] == "dense":
        a["q"] = f.real(c, c["q"])
        tensors["targets"] = a["q"]
    if c["weighted"]:
        tensors.update(token_weight=token, example_weight=example)
    if c["class_weights"]:
        tensors["class_weight"] = classes
    if c["hidden"]:
        leaves = [f.real(c, c[x]) for x in "hWb"]
        function = lambda h, W, b: f.loss(c, f.product(h, W) + b, a)
        names = ("hidden", "weight", "bias")
    else:
        leaves, names = [f.real(c, c["logits"])], ("logits",)
        function = lambda z: f.loss(c, z, a)
    value, grads = f.grad(function, leaves)
    tensors.update(zip(names, leaves))
    gold = {"value": value, **{f"d_{n}": g for n, g in zip(names, grads)}}
    choices = ", ".join(f"{k}={v}" for k, v in c.items() if np.isscalar(v) or v is None)
    write_case(folder, section(c), f.version, gold, about=choices, **tensors)


Torch.product = lambda self, h, W: h @ W.T
Jax.product = lambda self, h, W: h @ W.T
Keras.product = lambda self, h, W: self.k.ops.matmul(h, self.k.ops.transpose(W))
FRAMEWORKS = {"torch": Torch, "jax": Jax, "keras": Keras}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("seqgrad")
    parser.add_argument("--count", type=int, default=340)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="where the cases that fail are kept")
    o = parser.parse_args()
    framework = FRAMEWORKS[o.framework]()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for first in range(0, o.count, 20):  # a few at a time, so that they need little room
            batch = pathlib.Path(scratch) / "batch"
            for seed in range(o.seed + first, o.seed + min(first + 20, o.count)):
                record(framework, recipe(seed), batch / f"{seed}")
            done = subprocess.run([o.seqgrad, "check", batch], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                print(done.stdout, done.stderr, sep="", file=sys.stderr)
                bad = [line.split("/")[-1] for line in done.stdout.splitlines() if line.startswith(("FAIL", "unreadable"))]
                failed += max(1, len(bad))
                for name in bad:
                    print(name, (batch / name / "case.yaml").read_text().splitlines()[1], file=sys.stderr)
                    if o.keep:
                        shutil.copytree(batch / name, pathlib.Path(o.keep) / f"{framework.name}_{name}", dirs_exist_ok=True)
            shutil.rmtree(batch)
    print(f"{o.count} {failed} {framework.version}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
