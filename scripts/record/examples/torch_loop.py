"""A PyTorch loop over micro-batches that is meant to be a mean over tokens. It is not; `--fixed` is.

  VENV/bin/python scripts/record/examples/torch_loop.py FOLDER [--fixed]
"""
import pathlib, sys
import numpy as np, torch, torch.nn.functional as F
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "apps/python/src"))  # or pip install ./apps/python
from seqgrad import write_case

B, T, V, micro = 6, 5, 8, 2
r = np.random.default_rng(7)
logits = r.standard_normal((B, T, V)).astype(np.float32)
targets, lengths = r.integers(0, V, (B, T)), np.array([5, 4, 1, 2, 5, 1])
padding = np.arange(T) >= lengths[:, None]

z = torch.tensor(logits, requires_grad=True)
y = torch.tensor(np.where(padding, -100, targets))
total = 0.0
for part in torch.arange(B).split(micro):
    loss = F.cross_entropy(z[part].flatten(0, 1), y[part].flatten(), reduction="sum")
    if "--fixed" in sys.argv:
        loss = loss / int(lengths.sum())
    else:
        loss = loss / int(lengths[part].sum()) / (B // micro)  # the bug: each micro-batch is averaged, then the averages
    loss.backward()
    total += loss.item()

write_case(sys.argv[1], loss={"reduce": {"over": "all", "divide": "active"}}, provenance=f"PyTorch {torch.__version__}, torch_loop.py",
           about="a loop over micro-batches", logits=logits, targets=targets, lengths=lengths,
           gold={"value": total, "d_logits": z.grad.numpy()})
