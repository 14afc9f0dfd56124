#!/usr/bin/env python3
"""Records what PyTorch's optimisers and learning rate schedulers do, in float64.

  optim.py tests/golden/optim.json        (needs torch; its version is in the file)
Every optimiser case: parameters after each of 12 steps from the same gradients. Every schedule case: the rate of each
step, numbered from 1; the plateau case: the rate after each validation.
"""
import json, math, sys, warnings, torch
from torch.optim import lr_scheduler as sched

warnings.filterwarnings("ignore")  # schedulers are stepped without an optimiser step here
torch.manual_seed(5)
START = torch.randn(5, dtype=torch.float64)
GRADS = [torch.randn(5, dtype=torch.float64) * (10.0 ** (i % 4 - 2)) for i in range(12)]
LR, WARMUP, TOTAL, FLOOR = 0.02, 4, 20, 0.1


def optimiser(make):
    p = torch.nn.Parameter(START.clone())
    opt, out = make([p]), []
    for g in GRADS:
        p.grad = g.clone()
        opt.step()
        out.append(p.detach().tolist())
    return out


O = torch.optim
optimisers = [
    ("adam", {}, lambda p: O.Adam(p, lr=LR)),
    ("adam", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.1}, lambda p: O.Adam(p, lr=LR, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ("adamw", {"weight_decay": 0.1}, lambda p: O.AdamW(p, lr=LR, weight_decay=0.1)),
    ("adamw", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3}, lambda p: O.AdamW(p, lr=LR, betas=(0.8, 0.95), eps=1e-3, weight_decay=0)),
    ("sgd", {}, lambda p: O.SGD(p, lr=LR)),
    ("sgd", {"weight_decay": 0.1}, lambda p: O.SGD(p, lr=LR, weight_decay=0.1)),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.1}, lambda p: O.SGD(p, lr=LR, momentum=0.9, weight_decay=0.1)),
]


def rates(make):
    opt = O.SGD([torch.nn.Parameter(START.clone())], lr=LR)
    s, out = make(opt), []
    for _ in range(TOTAL):
        out.append(opt.param_groups[0]["lr"])
        s.step()
    return out


def after_warmup(make):  # s/WARMUP of the rate at step s, then the scheduler
    return lambda o: sched.SequentialLR(o, [sched.LinearLR(o, 1 / WARMUP, 1.0, WARMUP - 1), make(o)], [WARMUP - 1])


schedules = {
    "constant": after_warmup(lambda o: sched.ConstantLR(o, 1.0)),
    "linear": after_warmup(lambda o: sched.LinearLR(o, 1.0, FLOOR, TOTAL - WARMUP)),
    "cosine": after_warmup(lambda o: sched.CosineAnnealingLR(o, TOTAL - WARMUP, FLOOR * LR)),
    # Vaswani et al. 2017 without the width: PyTorch has no scheduler of its own for it.
    "inverse_sqrt": lambda o: sched.LambdaLR(o, lambda e: min((e + 1) / WARMUP, max(FLOOR, math.sqrt(WARMUP / (e + 1))))),
}

METRICS = [5, 4, 4.1, 3.9999, 3.99995, 3.9, 3.95, 3.91, 3.92, 3.93, 3.94, 3.8, 3.81, 3.82, 3.83, 3.84, 3.85, 3.86, 3.87, 3.88, 3.7]


def plateau(mode, values):
    opt = O.SGD([torch.nn.Parameter(START.clone())], lr=LR)
    s, out = sched.ReduceLROnPlateau(opt, mode=mode, factor=0.5, patience=2, min_lr=FLOOR * LR), []
    for v in values:
        s.step(v)
        out.append(opt.param_groups[0]["lr"])
    return {"larger_is_better": mode == "max", "metrics": values, "rates": out}


result = {
    "torch": torch.__version__,
    "recorded_by": "scripts/record/optim.py",
    "lr": LR, "warmup": WARMUP, "total": TOTAL, "floor": FLOOR, "factor": 0.5, "patience": 2,
    "start": START.tolist(),
    "grads": [g.tolist() for g in GRADS],
    "optimisers": [{"name": n, "options": o, "values": optimiser(m)} for n, o, m in optimisers],
    "schedules": {n: rates(m) for n, m in schedules.items()},
    "plateau": [plateau("min", METRICS), plateau("max", [0.0, 0.0] + [10 - m for m in METRICS])],
}
with open(sys.argv[1], "w") as f:
    json.dump(result, f, separators=(",", ":"))
    f.write("\n")
print(sys.argv[1], torch.__version__)
