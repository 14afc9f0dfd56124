#!/usr/bin/env python3
"""Right losses over wide vocabularies, by PyTorch in float32 and bfloat16, between them all that planted faults can spoil.

  VENV/bin/python scripts/record/wide_losses.py FOLDER       # FOLDER/V_DTYPE/NAME, 0.4 GB
"""
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "apps/python/src"))
from seqgrad import write_case  # noqa: E402

B, T, D = 3, 2, 4
LENGTHS = np.array([2, 1, 0])
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Batch:
    """Logits, ids (0 among them) and weights for one vocabulary and dtype; numbers are exact in the dtype."""

    def __init__(self, V, dtype):
        self.V, self.dtype, self.r = V, TYPES[dtype], np.random.default_rng(V)
        self.y = self.r.integers(1, V, (B, T))
        self.y[0, 1] = 0
        self.m = np.arange(T) < LENGTHS[:, None]
        self.z = self.real(2 * self.r.standard_normal((B, T, V)))

    def real(self, x):
        return torch.tensor(np.asarray(x, np.float32)).to(self.dtype)

    def r_of(self, on, off):
        """A target distribution: `off` [V] everywhere and `on` more at the target."""
        q = np.broadcast_to(off, (B, T, self.V)).copy()
        q[np.arange(B)[:, None], np.arange(T), self.y] += on
        return self.real(q)


def rows_of(z, q):
    return -(q * torch.log_softmax(z, -1)).sum(-1)


def by_ids(z, b):
    return torch.nn.functional.cross_entropy(z.flatten(0, 1), torch.tensor(b.y).flatten(), reduction="none").view(B, T)


def kept(rows, m):
    return torch.where(torch.tensor(m), rows, torch.zeros_like(rows))


def answer(leaves, function, upstream=None):
    leaves = {n: x.detach().clone().requires_grad_() for n, x in leaves.items()}
    value = function(**leaves)
    value.backward(upstream if upstream is not None else torch.ones_like(value))
    return {"value": value, **{f"d_{n}": x.grad for n, x in leaves.items()}}


def poisoned(z, m):
    z = z.clone()
    z[~torch.tensor(m)] = float("nan")
    return z


def cases(b):
    """(name, loss, tensors, gold) of each."""
    V, real, m, z = b.V, b.real, b.m, b.z
    ids = {"logits": z, "targets": b.y, "lengths": LENGTHS}
    mean = lambda rows, D: kept(rows, m).sum() / D
    far = real(z.float() + 200)
    yield "token_mean", {"preset": "token_mean"}, dict(ids, logits=poisoned(far, m)), answer(
        {"logits": far}, lambda logits: mean(by_ids(logits, b), 3))

    mask = np.array([[1, 0], [1, 1], [0, 1]], np.uint8)
    live = (mask == 1) & (b.y != b.y[2, 1])
    lam = lambda x: torch.logsumexp(x, -1)
    yield "mask", {"reduce": {"over": "all", "divide": "active"}, "mask": {"ignore_index": int(b.y[2, 1])}, "z_loss": 0.1}, {
        "logits": z, "targets": b.y, "mask": mask}, answer(
        {"logits": z}, lambda logits: kept(by_ids(logits, b) + 0.1 * lam(logits) ** 2, live).sum() / int(live.sum()))

    yield "positions", {"reduce": {"over": "all", "divide": "positions"}, "softcap": 5.0}, ids, answer(
        {"logits": z}, lambda logits: mean(by_ids(5 * torch.tanh(logits / 5), b), B * T))

    out = [int(v) for v in b.r.choice(V, V // 8, replace=False) if v not in b.y]
    off = np.full(V, 0.3 / (V - 1 - len(out)))
    on = 0.7 - off[0]
    off[out] = 0
    q = b.r_of(on, off).float().numpy().astype(np.float64)
    entropy = -(q * np.log(np.where(q > 0, q, 1))).sum(-1)
    kl = lambda x: rows_of(x, b.r_of(on, off)) - real(entropy)
    yield "batch", {"reduce": {"over": "all", "divide": "batch"}, "smoothing": {
        "epsilon": 0.3, "kind": "others_excluding", "excluding": out, "report": "kl"}}, ids, answer(
        {"logits": z}, lambda logits: mean(kl(logits), B))

    w, e = real([[1.5, 0.5], [0.25, 1], [1, 1]]), real([0.5, 2, 1])
    tiny = real(1e-5 * b.r.uniform(0.5, 2, (B, T)))
    prior = b.r.dirichlet(np.full(V, 0.3)).astype(np.float32)
    prior = real(prior / prior.sum(dtype=np.float64))
    omega = kept(tiny * e[:, None], m)
    yield "weight", {"reduce": {"over": "all", "divide": "weight"}, "smoothing": {"epsilon": 0.3, "kind": "prior"}}, dict(
        ids, token_weight=tiny, example_weight=e, prior=prior / 1), answer(
        {"logits": z}, lambda logits: (omega * kept(rows_of(logits, b.r_of(0.7, 0.3 * prior.float().numpy())), m)).sum() / omega.sum())

    weights = kept(w * e[:, None], m)
    off = np.full(V, 0.3 / (V - 1))
    others = b.r_of(0.7 - off[0], off)
    yield "active", {"reduce": {"over": "all", "divide": "active"}, "smoothing": {"epsilon": 0.3, "kind": "others"}}, dict(
        ids, token_weight=w, example_weight=e), answer(
        {"logits": z}, lambda logits: (weights * kept(rows_of(logits, others), m)).sum() / 3)

    holes = real([[1.5, 0], [0.25, 1], [1, 1]])
    dense = real(1.5 * b.r.dirichlet(np.full(V, 0.3), (B, T)))
    yield "nonzero", {"target": "dense", "dense_sum": "allow", "reduce": {"over": "all", "divide": "nonzero"}}, {
        "logits": z, "targets": dense, "lengths": LENGTHS, "token_weight": holes}, answer(
        {"logits": z}, lambda logits: kept(holes * rows_of(logits, dense), m & (holes.float().numpy() != 0)).sum() / 2)

    c = real(b.r.uniform(0.25, 2, V))
    F = torch.nn.functional.cross_entropy
    target = torch.tensor(np.where(m, b.y, -100)).flatten()
    yield "class_weight", {"reduce": {"over": "all", "divide": "class_weight"}, "smoothing": {"epsilon": 0.3},
                           "weights": {"class": {"scope": "class"}}}, dict(ids, class_weight=c), answer(
        {"logits": z}, lambda logits: F(logits.flatten(0, 1), target, weight=c, label_smoothing=0.3))

    n = real(np.maximum(LENGTHS, 1))
    swapped = lambda x: x.transpose(0, 1).contiguous()
    gold = answer({"logits": z}, lambda logits: (kept(by_ids(logits, b), m).sum(1) / n).sum() / 2)
    yield "sentences", {"layout": "time", "reduce": {"over": "all", "divide": {"time": "active", "batch": "active_batch"}}}, {
        "logits": swapped(z), "targets": np.ascontiguousarray(b.y.T), "lengths": LENGTHS}, dict(gold, d_logits=swapped(gold["d_logits"]))

    up = real([0.5, -3, 1])
    yield "vector", {"reduce": {"over": "time", "divide": "one"}}, dict(ids, upstream=up), answer(
        {"logits": z}, lambda logits: kept(by_ids(logits, b), m).sum(1), up)

    nothing = {"value": np.zeros(()), "d_logits": torch.zeros_like(z)}
    yield "nothing_counts", {"reduce": {"over": "all", "divide": "active"}}, dict(ids, lengths=np.zeros(B, np.int64)), nothing

    h, W, bias = (real(b.r.standard_normal(s)) for s in ((B, T, D), (V, D), (V,)))
    yield "hidden", {"reduce": {"over": "all", "divide": "active"}, "smoothing": {"epsilon": 0.3}}, {
        "hidden": h, "weight": W, "bias": bias, "targets": b.y, "lengths": LENGTHS}, answer(
        {"hidden": h, "weight": W, "bias": bias},
        lambda hidden, weight, bias: F((hidden @ weight.T + bias).flatten(0, 1), target, label_smoothing=0.3))

    p = b.r.dirichlet(np.full(V, 0.3), (B, T)) * 0.5
    p[np.arange(B)[:, None], np.arange(T), b.y] = 0.5
    p[0, 0, b.y[0, 0]] = 1e-9  # clipped
    p = real(p)

    def probabilities(probs):
        share = probs / probs.sum(-1, keepdim=True)
        return mean(-torch.log(share.clamp(1e-7, 1 - 1e-7)).gather(-1, torch.tensor(b.y)[..., None])[..., 0], 3)

    p = real(p.float() * 0.75)
    yield "probs", {"input": "probs", "probs": {"mode": "renorm_clip"}, "reduce": {"over": "all", "divide": "active"}}, {
        "probs": p, "targets": b.y, "lengths": LENGTHS}, answer({"probs": p}, probabilities)


def main(root):
    for V in (5000, 32000, 128000):
        for dtype in TYPES:
            b = Batch(V, dtype)
            folder = pathlib.Path(root) / f"{V}_{dtype}"
            for name, loss, tensors, gold in cases(b):
                write_case(folder / name, loss, f"PyTorch {torch.__version__}, wide_losses.py", gold, **tensors)
            write_case(folder / "float_ids", {}, "a refusal", {}, logits=b.z[:1, :1], targets=b.y[:1, :1].astype(np.float32))
            with open(folder / "float_ids/case.yaml", "a", encoding="utf-8") as file:
                file.write("expect: {error: E05}\n")


if __name__ == "__main__":
    main(sys.argv[1])
