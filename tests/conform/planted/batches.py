"""Forty ragged batches, the same on every machine: what frameworks were asked when their answers were recorded."""
import hashlib

import numpy as np


class Numbers:
    """Integers below n, from SHA-256 in counter mode: no library's generator, which may change."""

    def __init__(self, seed):
        self.seed, self.count = seed, 0

    def below(self, n, shape):
        size = int(np.prod(shape))
        blocks = []
        while len(blocks) * 8 < size:
            blocks.append(hashlib.sha256(f"{self.seed} {self.count}".encode()).digest())
            self.count += 1
        return (np.frombuffer(b"".join(blocks), "<u4")[:size] % n).astype(np.int64).reshape(shape)


def batch(seed, takes, classes=None):
    """Logits and weights are odd 128ths and eighths, which every dtype holds and no bound is; dead cells hold numbers, too."""
    r = Numbers(seed)
    B, T, V = ((2, 4, 5), (4, 3, 4), (3, 6, 8), (5, 5, 3))[seed % 4]  # few: some frameworks compile for each
    V = classes or V
    lengths = 1 + r.below(T, (B,))
    lengths[int(r.below(B, ()))] = T
    mask = np.arange(T) < lengths[:, None]
    x = {"logits": (2 * r.below(256, (B, T, V)) - 255) / 128, "targets": r.below(V, (B, T)), "mask": mask.astype(np.uint8),
         "lengths": lengths, "token_weight": r.below(20, (B, T)) / 8 + 0.125, "class_weight": r.below(20, (V,)) / 8 + 0.125,
         "num_items": np.array(float(mask.sum())), "row_loss": r.below(200, (B, T)) / 64 + 0.125}
    e = np.exp(x["logits"])
    x["probs"] = e / e.sum(-1, keepdims=True)
    x["labels"] = np.where(mask, x["targets"], -100)
    return {n: x[n] for n in takes.split()}


def batches(takes, classes=None):
    return [batch(seed, takes, classes) for seed in range(40)]


def digest(arrays):
    """Of all batches, so that a recorded answer is not compared with another question's. Probabilities are left out:
    their last digits are the machine's."""
    h = hashlib.sha256()
    for x in arrays:
        for name in sorted(set(x) - {"probs"}):
            h.update(f"{name} {x[name].shape} {x[name].dtype.name} ".encode() + np.ascontiguousarray(x[name]).tobytes())
    return h.hexdigest()[:16]


def projection(gradient):
    """One number that any change of a gradient changes: its product with cosines of the index."""
    g = np.asarray(gradient, np.float64).reshape(-1)
    return float(g @ np.cos(1.0 + np.arange(g.size)))
