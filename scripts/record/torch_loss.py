#!/usr/bin/env python3
"""Records loss cases from PyTorch's cross_entropy: value, row losses and gradients by its autograd, in float64.

  python3 -m venv VENV && VENV/bin/pip install torch numpy safetensors && VENV/bin/python scripts/record/torch_loss.py tests/cases
"""
import itertools, sys
import numpy as np, torch, torch.nn.functional as F
from cases import Cases, active, batch, poison, reference

torch.manual_seed(1)
PEER = f"PyTorch {torch.__version__.split('+')[0]} nn.functional.cross_entropy, recorded with scripts/record/torch_loss.py"
cases = Cases(sys.argv[1], PEER)
DIVIDE = {"mean": "active", "sum": "one"}


def ask(t, m, reduction, smoothing=0.0, class_weight=None, target=None, ignore=None):
    """PyTorch's answer: rows that do not count are ignore_index -100 (or stay, when `ignore` names a class)."""
    leaves = {k: torch.tensor(np.nan_to_num(t[k].astype(np.float64)), requires_grad=True)
              for k in ("logits", "hidden", "weight", "bias") if t.get(k) is not None}
    z = leaves["logits"] if "logits" in leaves else F.linear(leaves["hidden"], leaves["weight"], leaves["bias"])
    V = z.shape[-1]
    y = torch.tensor(np.where(m, t["targets"], -100)) if target is None else torch.tensor(target.astype(np.float64))
    flat_y = y.reshape(-1) if target is None else y.reshape(-1, V)
    c = None if class_weight is None else torch.tensor(class_weight.astype(np.float64))
    args = dict(weight=c, label_smoothing=smoothing, ignore_index=-100 if ignore is None else ignore)
    value = F.cross_entropy(z.reshape(-1, V), flat_y, reduction=reduction, **args)
    value = value.reshape(y.shape[:2]) if reduction == "none" else value
    value.sum().backward()
    rows = F.cross_entropy(z.reshape(-1, V), flat_y, reduction="none", **args).reshape(y.shape[:2])
    gold = {"value": value.detach().numpy(), "row_loss": rows.detach().numpy()}
    gold.update({"d_" + k: x.grad.numpy() for k, x in leaves.items()})
    return gold


def tensors_of(t, m, **more):
    out = poison(t, m)
    out.update(more)
    return out


seed = 100
for dtype, form, smoothing, weighted, reduction in itertools.product(
        ("f64", "f32"), ("logits", "hidden"), (0.0, 0.1), (False, True), ("mean", "sum", "none")):
    if form == "hidden" and reduction == "none":
        continue
    seed += 1
    t = batch(seed, dtype, B=3, T=4, V=6, D=5 if form == "hidden" else None)
    m = active(t)
    real = t["logits" if form == "logits" else "hidden"].dtype
    c = np.random.default_rng(seed).uniform(0.25, 2, 6).astype(np.float32).astype(real) if weighted else None
    gold = ask(t, m, reduction, smoothing, c)
    loss = {"smoothing": {"epsilon": smoothing}} if smoothing else {}
    loss["reduce"] = {"over": "none", "divide": "one"} if reduction == "none" else {
        "over": "all", "divide": "class_weight" if weighted and reduction == "mean" else DIVIDE[reduction]}
    if weighted:
        loss["weights"] = {"class": {"scope": "class"}}
    name = "_".join([form, dtype, "smoothed" if smoothing else "plain", "class_weights" if weighted else "unweighted", reduction])
    cases.add(name, f"padding holds NaN and id 10^9; reduction {reduction}", loss,
              tensors_of(t, m, class_weight=c), gold)

for dtype, reduction, smoothing in itertools.product(("f64", "f32"), ("mean", "sum"), (0.0, 0.2)):
    seed += 1
    t = batch(seed, dtype, V=4, lengths=False)
    everything = np.ones(t["targets"].shape, bool)
    gold = ask(t, everything, reduction, smoothing, ignore=2)
    m = t["targets"] != 2
    gold["row_loss"] = np.where(m, gold["row_loss"], 0.0)
    loss = {"mask": {"ignore_index": 2}, "reduce": {"over": "all", "divide": DIVIDE[reduction]}}
    if smoothing:
        loss["smoothing"] = {"epsilon": smoothing}
    cases.add(f"ignore_a_class_{dtype}_{reduction}_{'smoothed' if smoothing else 'plain'}",
              "a valid class id is ignored as target and stays in the softmax", loss,
              {k: v for k, v in t.items()}, gold)

for dtype, reduction, smoothing, weighted in itertools.product(("f64", "f32"), ("mean", "sum"), (0.0, 0.1), (False, True)):
    seed += 1
    t = batch(seed, dtype, V=5, lengths=False)
    r = np.random.default_rng(seed)
    q = r.dirichlet(np.ones(5), t["targets"].shape).astype(np.float32).astype(t["logits"].dtype)
    q = (q / q.astype(np.float64).sum(-1, keepdims=True)).astype(t["logits"].dtype)
    c = r.uniform(0.25, 2, 5).astype(np.float32).astype(t["logits"].dtype) if weighted else None
    gold = ask(t, np.ones(t["targets"].shape, bool), reduction, smoothing, c, target=q)
    loss = {"target": "dense", "reduce": {"over": "all", "divide": "positions" if reduction == "mean" else "one"}}
    if smoothing:
        loss["smoothing"] = {"epsilon": smoothing}
    if weighted:
        loss["weights"] = {"class": {"scope": "class"}}
    cases.add(f"dense_{dtype}_{reduction}_{'smoothed' if smoothing else 'plain'}_{'class_weights' if weighted else 'unweighted'}",
              "distributions as targets: PyTorch's mean divides by positions, class weights or not", loss,
              {"logits": t["logits"], "targets": q, "class_weight": c}, gold)

# Weighted means as people build them on reduction="none".
for dtype, divide in itertools.product(("f64", "f32"), ("active", "weight", "nonzero", "one", "batch", "positions", "steps")):
    seed += 1
    t = batch(seed, dtype, B=4, T=5, V=7)
    m = active(t)
    w = np.random.default_rng(seed).uniform(0, 2, m.shape).astype(np.float32).astype(t["logits"].dtype)
    w[0, 1] = 0
    e = np.random.default_rng(seed + 5000).uniform(0.5, 2, 4).astype(np.float32).astype(t["logits"].dtype)
    omega = np.where(m, w.astype(np.float64) * e.astype(np.float64)[:, None], 0)
    D = {"active": m.sum(), "weight": omega.sum(), "nonzero": (omega != 0).sum(), "one": 1, "batch": 4,
         "positions": m.size, "steps": 5}[divide]
    z = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    rows = F.cross_entropy(z.reshape(-1, 7), torch.tensor(np.where(m, t["targets"], -100)).reshape(-1), reduction="none").reshape(m.shape)
    value = (rows * torch.tensor(omega)).sum() / float(D)
    value.backward()
    gold = {"value": value.detach().numpy(), "divisor": np.float64(D), "numerator": (rows.detach().numpy() * omega).sum(),
            "row_loss": np.where(omega != 0, rows.detach().numpy(), 0), "d_logits": z.grad.numpy()}
    cases.add(f"weights_{dtype}_over_{divide}", "token and example weights, every divisor", {"reduce": {"over": "all", "divide": divide}},
              tensors_of(t, m, token_weight=np.where(m, w, np.nan).astype(w.dtype), example_weight=e), gold)

# Vector losses with an upstream gradient, and nested divisors.
for dtype, over, divide in itertools.product(("f64", "f32"), ("time", "batch", "none"), ("one", "active", "weight")):
    if over == "none" and divide != "one":
        continue
    seed += 1
    t = batch(seed, dtype, B=3, T=4, V=5)
    m = active(t)
    w = np.random.default_rng(seed).uniform(0.5, 2, m.shape).astype(np.float32).astype(t["logits"].dtype)
    omega = np.where(m, w.astype(np.float64), 0)
    z = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    rows = F.cross_entropy(z.reshape(-1, 5), torch.tensor(np.where(m, t["targets"], -100)).reshape(-1), reduction="none").reshape(m.shape)
    axis = {"time": 1, "batch": 0}.get(over)
    N = rows * torch.tensor(omega) if axis is None else (rows * torch.tensor(omega)).sum(axis)
    D = np.ones(N.shape) if divide == "one" else (m if divide == "active" else omega).sum(axis).astype(np.float64)
    value = torch.where(torch.tensor(D > 0), N / torch.tensor(np.where(D > 0, D, 1)), torch.zeros_like(N))
    up = np.random.default_rng(seed + 9000).standard_normal(N.shape).astype(np.float32).astype(t["logits"].dtype)
    (value * torch.tensor(up.astype(np.float64))).sum().backward()
    gold = {"value": value.detach().numpy(), "d_logits": z.grad.numpy(), "row_loss": np.where(m, rows.detach().numpy(), 0)}
    cases.add(f"vector_{dtype}_over_{over}_by_{divide}", "a vector loss takes its upstream gradient per entry",
              {"reduce": {"over": over, "divide": divide}},
              tensors_of(t, m, token_weight=np.where(m, w, np.nan).astype(w.dtype), upstream=up), gold)

for dtype, inner, outer in itertools.product(("f64", "f32"), ("one", "steps", "active", "weight"), ("one", "batch", "active_batch")):
    seed += 1
    t = batch(seed, dtype, B=4, T=4, V=5)
    t["lengths"][2] = 0
    m = active(t)
    w = np.random.default_rng(seed).uniform(0.5, 2, m.shape).astype(np.float32).astype(t["logits"].dtype)
    omega = np.where(m, w.astype(np.float64), 0)
    D1 = {"one": np.ones(4), "steps": np.full(4, 4.0), "active": m.sum(1), "weight": omega.sum(1)}[inner].astype(np.float64)
    D2 = {"one": 1, "batch": 4, "active_batch": m.any(1).sum()}[outer]
    z = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
    rows = F.cross_entropy(z.reshape(-1, 5), torch.tensor(np.where(m, t["targets"], -100)).reshape(-1), reduction="none").reshape(m.shape)
    per = (rows * torch.tensor(omega)).sum(1) * torch.tensor(np.where(D1 > 0, 1 / np.where(D1 > 0, D1, 1), 0))
    value = per.sum() / float(D2)
    value.backward()
    gold = {"value": value.detach().numpy(), "d_logits": z.grad.numpy(), "divisor": np.float64(D2)}
    cases.add(f"nested_{dtype}_{inner}_{outer}", "a mean of sentences, each over its own divisor; one sentence is empty",
              {"reduce": {"over": "all", "divide": {"time": inner, "batch": outer}}},
              tensors_of(t, m, token_weight=np.where(m, w, np.nan).astype(w.dtype)), gold)

# Edges.
for dtype in ("f64", "f32"):
    t = batch(7000, dtype, lengths=False)
    t["lengths"] = np.zeros(3, np.int64)
    m = active(t)
    z = np.zeros(t["logits"].shape)
    cases.add(f"all_ignored_{dtype}_mean", "nothing counts: PyTorch's mean is NaN, its gradient 0", {"preset": "torch.mean"},
              tensors_of(t, m), {"value": ask(t, m, "mean")["value"], "d_logits": z}, nan=True)
    cases.add(f"all_ignored_{dtype}_sum", "nothing counts: the sum is 0", {"preset": "sum"}, tensors_of(t, m), ask(t, m, "sum"))
    for what, z in (("saturated", [[[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]]), ("equal", [[[5.0, 5.0, 5.0], [-3.0, -3.0, -3.0]]]),
                    ("minus_inf", [[[0.5, -np.inf, 1.0], [2.0, 1.0, -np.inf]]])):
        t = {"logits": np.array(z, t["logits"].dtype), "targets": np.array([[2, 1]]), "lengths": None}
        leaf = torch.tensor(t["logits"].astype(np.float64), requires_grad=True)
        value = F.cross_entropy(leaf.reshape(-1, 3), torch.tensor([2, 1]))
        value.backward()
        cases.add(f"{what}_{dtype}", "logits at the ends of their range", {"preset": "torch.mean"}, t,
                  {"value": value.detach().numpy(), "d_logits": leaf.grad.numpy()})
    t = batch(7100, dtype, V=1, lengths=False)
    cases.add(f"one_class_{dtype}", "a softmax of one class: loss and gradient 0", {"preset": "torch.mean"}, t,
              ask(t, np.ones((3, 4), bool), "mean"))
t = batch(7200, "f64", lengths=False, V=3)
c = np.zeros(3)
asked = ask(t, np.ones((3, 4), bool), "mean", class_weight=c)
cases.add("class_weights_all_zero", "0/0: PyTorch's gradient is NaN, ours is 0", {"reduce": {"over": "all", "divide": "class_weight", "on_zero": "nan"}, "weights": {"class": {"scope": "class"}}},
          {**t, "class_weight": c}, {"value": np.float64(np.nan), "d_logits": np.zeros((3, 4, 3))}, nan=True,
          peer={"d_logits": asked["d_logits"]}, peer_differs="PyTorch's gradient of 0/0 is NaN; a step with it destroys the model",
          provenance="float64 arithmetic in scripts/record/torch_loss.py, " + PEER)
# A NaN in an ignored row survives PyTorch's selection of the loss, by 0 times NaN in the gradient of log_softmax.
t = batch(7300, "f64", V=4)
t["lengths"][:] = [4, 2, 1]
m = active(t)
leaf = torch.tensor(np.where(m[..., None], t["logits"], np.nan), requires_grad=True)
value = F.cross_entropy(leaf.reshape(-1, 4), torch.tensor(np.where(m, t["targets"], -100)).reshape(-1))
value.backward()
ours = reference(t, m.sum())
cases.add("nan_in_ignored_rows", "NaN in padding: ours reads it never", {"preset": "torch.mean"}, tensors_of(t, m), ours,
          peer={"d_logits": leaf.grad.numpy()} if np.isnan(leaf.grad.numpy()).any() else None,
          peer_differs="PyTorch's gradient holds NaN in the ignored rows" if np.isnan(leaf.grad.numpy()).any() else None,
          provenance="float64 arithmetic in scripts/record/torch_loss.py, " + PEER)
# pytorch issue 8062: the mean under class weights divides by the weights.
t = {"logits": np.array([[[-100.0, 100.0], [-100.0, 100.0]]]), "targets": np.array([[0, 1]]), "lengths": None}
c = np.array([20.0, 10.0])
for reduction, divide in (("mean", "class_weight"), ("sum", "one")):
    cases.add(f"issue_8062_{reduction}", "c = [20, 10]: the mean divides by 30", {"reduce": {"over": "all", "divide": divide}},
              {**t, "class_weight": c}, ask(t, np.ones((1, 2), bool), reduction, class_weight=c))
print(len(cases.names), "cases of", PEER)
