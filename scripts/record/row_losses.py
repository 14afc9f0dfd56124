#!/usr/bin/env python3
"""Writes cases of reductions that other losses have: verl's agg_loss, DPO's and SimPO's sequence log-probabilities are run
from their sources; TRL's, which stands inside a method, is written out again and says so.

  pip download --no-deps verl==0.9.1 verl==0.6.1 verl==0.5.0   (and unzip each into VERL/VERSION)
  VENV/bin/pip install torch numpy safetensors
  VENV/bin/python scripts/record/row_losses.py tests/cases VERL DPO/trainers.py SIMPO/scripts/simpo_trainer.py
"""
import ast, pathlib, sys, types, typing
import numpy as np, torch
from cases import Cases

cases = Cases(sys.argv[1], "row losses")
cases.root = cases.root.parent / "row_losses"


def function_of(path, name, **names):
    """One function of a file, without the imports of the rest of it."""
    tree = ast.parse(pathlib.Path(path).read_text())
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name)
    node.decorator_list = []
    scope = {"torch": torch, "Optional": typing.Optional, **names}
    exec(compile(ast.Module([node], []), str(path), "exec"), scope)
    return scope[name]


def batch(seed, empty):
    r = np.random.default_rng(seed)
    lengths = np.array([6, 2, 0 if empty else 1, 4])
    losses = r.normal(size=(4, 6)).astype(np.float32).astype(np.float64)
    mask = np.arange(6) < lengths[:, None]
    return losses, mask, lengths


def add(name, about, loss, provenance, reduce, seed, empty=True):
    losses, mask, lengths = batch(seed, empty)
    leaf = torch.tensor(losses, requires_grad=True)
    value = reduce(leaf, torch.tensor(mask, dtype=torch.float64))
    value.backward()
    poisoned = np.where(mask, losses, np.nan)
    cases.add(name, about, loss, {"row_loss": poisoned, "lengths": lengths},
              {"value": value.detach().numpy(), "d_row_loss": leaf.grad.numpy()}, provenance)


def add_nothing(name, loss, provenance, reduce):
    """The value where no position counts, alone: where the peer's is NaN so is its gradient, and ours is 0."""
    value = reduce(torch.ones(3, 2, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.float64))
    cases.add(f"{name}_nothing", "no position counts", loss, {"row_loss": np.full((3, 2), np.nan), "lengths": np.zeros(3, int)},
              {"value": value.numpy()}, provenance, nan=bool(value.isnan()))


def verl(version):
    root = pathlib.Path(sys.argv[2]) / version / "verl"
    functions = types.SimpleNamespace()
    for name in ("masked_sum", "masked_mean"):
        function = function_of(root / "utils/torch_functional.py", name)
        function.__globals__.update(vars(functions))
        setattr(functions, name, function)
    agg = function_of(root / "trainer/ppo/core_algos.py", "agg_loss", verl_F=functions)
    return lambda mode: lambda x, m: agg(x, m, mode)


for i, (name, version, mode, empty) in enumerate((
        ("verl.token-mean", "0.9.1", "token-mean", True), ("verl.token-sum", "0.9.1", "token-sum", True),
        ("verl.seq-mean-token-sum", "0.9.1", "seq-mean-token-sum", True), ("verl.seq-mean-token-sum@0.5", "0.5.0", "seq-mean-token-sum", True),
        ("verl.seq-mean-token-mean", "0.9.1", "seq-mean-token-mean", True),
        ("verl.seq-mean-token-sum-norm", "0.9.1", "seq-mean-token-sum-norm", True),
        ("verl.seq-mean-token-sum-norm@0.6", "0.6.1", "seq-mean-token-sum-norm", True))):
    folder, reduce = name.replace(".", "_").replace("@", "_"), verl(version)(mode)
    provenance = f"verl {version} core_algos.agg_loss, run from its source on torch {torch.__version__}"
    add(folder, f"losses of positions reduced as {mode}", {"preset": name}, provenance, reduce, 70 + i, empty)
    add_nothing(folder, {"preset": name}, provenance, reduce)

TRL = {"trl.grpo": (lambda x, m: ((x * m).sum(-1) / m.sum(-1).clamp(min=1)).mean(), {}),
       "trl.bnpo": (lambda x, m: (x * m).sum() / m.sum().clamp(min=1), {}),
       "trl.dr_grpo": (lambda x, m: (x * m).sum() / (len(x) * 24), {"reduce": {"divide": {"const": 24.0, "times": "batch"}}}),
       "trl.dapo": (lambda x, m: (x * m).sum() / m.sum().clamp(min=1), {}),
       "trl.luspo": (lambda x, m: (x * m).sum(-1).mean(), {})}
for i, (name, (reduce, more)) in enumerate(TRL.items()):
    add(name.replace(".", "_"), "a loss type of GRPOTrainer", {"preset": name, **more},
        "source, not run: TRL 1.16.0 trainer/grpo_trainer.py, float64 in scripts/record/row_losses.py", reduce, 80 + i)

for name, path, version, average in (("dpo.sequence_log_prob", sys.argv[3], "direct-preference-optimization f8b8c0f", False),
                                     ("simpo.sequence_mean", sys.argv[4], "SimPO 1b3e8f3", True)):
    source = "_get_batch_logps" if "dpo" in name else "get_batch_logps"
    log_probs = function_of(path, source)
    _, mask, lengths = batch(90, False)
    r = np.random.default_rng(91)
    logits = torch.tensor(r.normal(size=(4, 7, 5)))
    labels = torch.tensor(np.concatenate([np.zeros((4, 1), int), np.where(mask, r.integers(0, 5, size=(4, 6)), -100)], 1))
    value = -log_probs(logits, labels, average_log_prob=average).numpy()
    rows = -logits[:, :-1].log_softmax(-1).gather(2, labels[:, 1:, None].clamp(min=0))[..., 0].numpy()
    cases.add(name.replace(".", "_"), "the log-probability of a sequence, negated", {"preset": name},
              {"row_loss": np.where(mask, rows, np.nan), "lengths": lengths}, {"value": value},
              f"{version} {source}, run from its source on torch {torch.__version__}")
