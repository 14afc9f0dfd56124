#!/usr/bin/env python3
"""Writes loss cases of peers that are not run here: their documented formulas, written out again in float64 on PyTorch's
autograd, and values that they publish. Each says so in its provenance.

  VENV/bin/pip install torch numpy safetensors && VENV/bin/python scripts/record/source_loss.py tests/cases
"""
import itertools, sys
import numpy as np, torch
from cases import Cases, active, batch, poison

cases = Cases(sys.argv[1], "source, not run")
cases.root = cases.root.parent / "source"
HERE = "float64 in scripts/record/source_loss.py"


def rows_of(z, q, report_kl=False):
    """Cross entropy of distributions q, and with report_kl minus their entropy."""
    lp = torch.log_softmax(z, -1)
    rows = -(torch.where(q > 0, q * lp, torch.zeros_like(lp))).sum(-1)
    return rows + torch.where(q > 0, q * torch.log(torch.where(q > 0, q, torch.ones_like(q))), torch.zeros_like(q)).sum(-1) if report_kl else rows


def smoothed(y, V, eps, kind, excluding=(), prior=None):
    one = np.eye(V)[y]
    if kind == "uniform":
        u = np.full(one.shape, 1 / V)
    elif kind == "prior":
        u = np.broadcast_to(prior, one.shape)
    else:
        u = (1 - one) / (V - 1 - len(excluding))
        for i in excluding:
            u[..., i] = 0
    return (1 - eps) * one + eps * u


def gold_of(t, m, rows, D, leaf, weight=None):
    w = torch.tensor(np.where(m, 1.0 if weight is None else weight, 0.0))
    value = (torch.where(w != 0, rows, torch.zeros_like(rows)) * w).sum() / float(D)
    value.backward()
    return {"value": value.detach().numpy(), "row_loss": np.where(m, rows.detach().numpy(), 0), "d_logits": np.where(m[..., None], leaf.grad.numpy(), 0)}


seed = 60000
for dtype, (kind, peer), eps in itertools.product(("f64", "f32"), (("others", "fairseq label_smoothed_nll_loss"), ("others_excluding", "JoeyNMT XentLoss"),
                                                                   ("uniform", "Marian cross_entropy, Liger, MLX"), ("prior", "unigram smoothing")), (0.1, 0.4)):
    seed += 1
    t = batch(seed, dtype, V=6)
    excluding = [0] if kind == "others_excluding" else []
    if excluding:
        t["targets"] = np.where(t["targets"] == 0, 1, t["targets"])
    prior = np.random.default_rng(seed).dirichlet(np.ones(6)).astype(np.float32).astype(np.float64) if kind == "prior" else None
    m = active(t)
    leaf = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    rows = rows_of(leaf, torch.tensor(smoothed(t["targets"], 6, eps, kind, excluding, prior)))
    section = {"smoothing": {"epsilon": eps, "kind": kind}}
    if excluding:
        section["smoothing"]["excluding"] = excluding
    x = poison(t, m)
    if prior is not None:
        x["prior"] = prior
    cases.add(f"smoothing_{kind}_{str(eps).replace('.', '')}_{dtype}", f"where the smoothing mass goes: {peer}", section, x,
              gold_of(t, m, rows, m.sum(), leaf), provenance=f"source, not run: {peer}, {HERE}")

for dtype, report in itertools.product(("f64", "f32"), ("ce", "kl")):
    seed += 1
    t = batch(seed, dtype, V=5)
    t["targets"] = np.maximum(t["targets"], 1)
    m = active(t)
    leaf = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    rows = rows_of(leaf, torch.tensor(smoothed(t["targets"], 5, 0.2, "others_excluding", [0])), report == "kl")
    cases.add(f"report_{report}_{dtype}", "JoeyNMT reports the divergence: the same gradient, another number",
              {"smoothing": {"epsilon": 0.2, "kind": "others_excluding", "excluding": [0], "report": report}}, poison(t, m),
              gold_of(t, m, rows, m.sum(), leaf), provenance=f"source, not run: JoeyNMT XentLoss, {HERE}")

for dtype, cap, zeta in itertools.product(("f64", "f32"), (None, 2.0, 30.0), (0.0, 0.01)):
    if cap is None and zeta == 0:
        continue
    seed += 1
    t = batch(seed, dtype, V=5)
    m = active(t)
    leaf = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    a = cap * torch.tanh(leaf / cap) if cap else leaf
    rows = rows_of(a, torch.tensor(np.eye(5)[t["targets"]]))
    value = ((rows + zeta * torch.logsumexp(a, -1) ** 2) * torch.tensor(m.astype(np.float64))).sum() / float(m.sum())
    value.backward()
    section = {}
    if cap:
        section["softcap"] = cap
    if zeta:
        section["z_loss"] = zeta
    cases.add(f"cap_{str(cap or 'off').replace('.', '')}_z_{str(zeta).replace('.', '')}_{dtype}", "soft cap (Gemma 2) and z-loss (PaLM)", section, poison(t, m),
              {"value": value.detach().numpy(), "row_loss": np.where(m, rows.detach().numpy(), 0), "d_logits": np.where(m[..., None], leaf.grad.numpy(), 0)},
              provenance=f"source, not run: Gemma 2 and PaLM reports, {HERE}")

for dtype, eps in itertools.product(("f64", "f32"), (0.0, 0.1)):
    seed += 1
    t = batch(seed, dtype, V=5)
    m = active(t)
    c = np.random.default_rng(seed).uniform(0.25, 2, 5).astype(np.float32).astype(t["logits"].dtype)
    leaf = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    rows = rows_of(leaf, torch.tensor(smoothed(t["targets"], 5, eps, "uniform")))
    w = c.astype(np.float64)[t["targets"]]
    section = {"weights": {"class": {"scope": "target"}}, "reduce": {"over": "all", "divide": "active"}}
    if eps:
        section["smoothing"] = {"epsilon": eps}
    x = poison(t, m)
    x["class_weight"] = c
    cases.add(f"class_scope_target_{'smoothed' if eps else 'plain'}_{dtype}", "Keras's class_weight weights the row by its target",
              section, x, gold_of(t, m, rows, m.sum(), leaf, w), provenance=f"source, not run: Keras class_weight, {HERE}")

# A nearly certain model: 1 - p of the true class is smaller than an ulp of p, so that p - 1 would be 0.
for dtype, top in (("f64", 40.0), ("f32", 20.0)):
    z, y = np.array([[[top, 0, 0], [0.5, top, -1]]]), np.array([[0, 1]])
    others = np.where(np.eye(3)[y] == 1, 0, np.exp(z - top))
    row = np.log1p(others.sum(-1))
    p = others * np.exp(-row)[..., None]
    cases.add(f"nearly_certain_{dtype}", "the true class's gradient where p - 1 cancels", {"preset": "sum"},
              {"logits": z.astype({"f64": np.float64, "f32": np.float32}[dtype]), "targets": y},
              {"value": row.sum(), "row_loss": row, "d_logits": np.where(np.eye(3)[y] == 1, -p.sum(-1)[..., None], p)},
              tolerance={"class": dtype, "basis": "relative: no bit of 1 - p is lost", "d_logits": {"rtol": {"f64": 1e-12, "f32": 1e-5}[dtype], "atol": 0.0}},
              provenance=f"source, not run: softmax cross entropy, {HERE}")

published = "source, not run: published value of "
# One value, one peer's own test: the numbers are theirs to all digits that float64 gives.
lnz = lambda z: np.log(np.exp(z).sum(-1))
z = np.array([[1.0, 1, 1, 1], [4, 2, 2, 2], [1, 1, 1, 1], [1, 1, 1, 1]])[None]
y = np.array([[1, 0, 2, 3]])
g = np.array([[1 / 12, -1 / 4, 1 / 12, 1 / 12], [0, 0, 0, 0], [1 / 12, 1 / 12, -1 / 4, 1 / 12], [1 / 12, 1 / 12, 1 / 12, -1 / 4]])[None]
cases.add("g01_sockeye", "class 0 is ignored as a target: its row has no gradient", {"preset": "sockeye", "mask": {"ignore_index": 0}},
          {"logits": z, "targets": y}, {"value": np.log(4.0), "d_logits": g}, provenance=published + "Sockeye test/unit/test_loss.py")
p = np.full((1, 6, 5), 0.1)
p[..., 2] = 0.6
y = np.array([[2, 1, 2, 0, 1, 0]])
cases.add("g28_joeynmt", "label smoothing 0.4 without mass on padding: 2.1326 as a divergence", {"smoothing": {"epsilon": 0.4, "kind": "others_excluding", "excluding": [0], "report": "kl"},
          "mask": {"ignore_index": 0}, "reduce": {"over": "all", "divide": "one"}}, {"logits": np.log(p), "targets": y},
          {"value": 2.1326001536}, tolerance={"rtol": 0.0, "atol": 1e-9, "basis": "the published value to ten digits"}, provenance=published + "JoeyNMT test/unit/test_loss.py")
z = np.array([[-0.1, -1.2, -0.4], [1.2, 2.3, -3.4], [-2.2, 1, -1.2]])[None]
leaf = torch.tensor(z, requires_grad=True)
rows = rows_of(leaf, torch.tensor(smoothed(np.array([[0, 1, 2]]), 3, 0.1, "uniform")))
rows.sum().backward()
cases.add("g31_marian", "operator_tests: 0.77599596, 0.51650919, 2.30112220", {"preset": "marian.ce-sum", "smoothing": {"epsilon": 0.1}}, {"logits": z, "targets": np.array([[0, 1, 2]])},
          {"value": rows.sum().detach().numpy(), "row_loss": rows.detach().numpy(), "d_logits": leaf.grad.numpy()}, provenance=published + "Marian operator_tests.cpp, digits from " + HERE)
for shift in (1e4, 1e6):
    z = np.array([[[2.0, -1.0]]]) + shift
    cases.add(f"g32_mlx_shift_{int(shift)}", "a constant added to a row changes nothing", {"preset": "sum"}, {"logits": z, "targets": np.array([[0]])},
              {"value": np.log1p(np.exp(-3.0))}, provenance=published + "MLX test_losses.py")
cases.add("g35_liger_bad_id", "an id beyond V that is not masked", {"preset": "liger.mean"}, {"logits": np.zeros((1, 2, 3)), "targets": np.array([[1, 4]])},
          provenance=published + "Liger test_cross_entropy.py", expect={"error": "E04", "message": "target id 4 at (b=0,t=1) is outside [0,3)"})
print(len(cases.names), "cases of", cases.peer)
