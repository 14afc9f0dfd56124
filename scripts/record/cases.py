"""Writes loss cases (case.yaml + tensors.safetensors) for the recorders beside it; needs numpy and safetensors.

A recorder says what it asked of a peer and what the peer answered; nothing here computes a loss, except `reference`,
plain float64 arithmetic for the cases in which a peer's own answer is wrong or unsafe.
"""
import json, pathlib
import numpy as np
from safetensors.numpy import save_file


def flow(value):
    """A Python value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, str) and value and all(c.isalnum() or c in "_.-" for c in value) and not value[0].isdigit():
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


class Cases:
    """A folder of cases of one peer; the folder's older cases of the same recorder are replaced."""

    def __init__(self, root, peer):
        self.root, self.peer, self.names = pathlib.Path(root) / peer.split()[0].lower(), peer, []

    def add(self, name, about, loss, tensors, gold=None, provenance=None, peer=None, peer_differs=None, tolerance=None,
            expect=None, nan=False):
        name = name.lower()
        assert name not in self.names, name
        self.names.append(name)
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"name: {name}", f"about: {json.dumps(about, ensure_ascii=False)}", f"loss: {flow(loss)}"]
        if expect:
            lines.append(f"expect: {flow(expect)}")
        if nan:
            lines.append("nan: equal")
        if tolerance:
            lines.append(f"tolerance: {flow(tolerance)}")
        if gold:
            lines.append(f"provenance: {json.dumps(provenance or self.peer, ensure_ascii=False)}")
        elif provenance:
            lines.append(f"provenance: {json.dumps(provenance, ensure_ascii=False)}")
        if peer_differs:
            lines.append(f"peer_differs: {json.dumps(peer_differs, ensure_ascii=False)}")
        (folder / "case.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        out = {k: np.ascontiguousarray(v) for k, v in tensors.items() if v is not None}
        for kind, values in (("gold", gold or {}), ("peer", peer or {})):
            out.update({f"{kind}.{k}": np.array(v, dtype=np.float64, order="C") for k, v in values.items()})
        save_file(out, str(folder / "tensors.safetensors"))


def batch(seed, dtype="f64", B=3, T=4, V=5, lengths=True, scale=2.0, D=None):
    """Random inputs whose floats are exact in float32, so that a case in float32 means the same numbers."""
    r = np.random.default_rng(seed)
    real = np.float32 if dtype == "f32" else np.float64
    x = lambda *shape: (scale * r.standard_normal(shape)).astype(np.float32).astype(real)
    out = {"targets": r.integers(0, V, (B, T)), "lengths": None}
    if lengths:
        out["lengths"] = r.integers(0, T + 1, B)
        out["lengths"][0] = T
    if D:
        out.update(hidden=x(B, T, D), weight=(x(V, D) / np.float32(4)).astype(real), bias=(x(V) / 4).astype(real))
    else:
        out["logits"] = x(B, T, V)
    return out


def active(tensors):
    """[B,T] of which positions count, by lengths and mask."""
    shape = tensors["targets"].shape[:2]
    m = np.ones(shape, bool)
    if tensors.get("lengths") is not None:
        m &= np.arange(shape[1])[None, :] < tensors["lengths"][:, None]
    if tensors.get("mask") is not None:
        m &= tensors["mask"] != 0
    return m


def poison(tensors, m):
    """A copy with NaN and impossible ids where nothing counts: what a loss must never read."""
    out = dict(tensors)
    for name in ("logits", "hidden", "probs", "token_weight"):
        if out.get(name) is not None:
            out[name] = out[name].copy()
            out[name][~m] = np.nan
    if np.issubdtype(out["targets"].dtype, np.integer):
        out["targets"] = np.where(m, out["targets"], 10**9)
    return out


def log_softmax(z):
    z = np.asarray(z, np.float64)
    a = z - z.max(-1, keepdims=True)
    return a - np.log(np.exp(a).sum(-1, keepdims=True))


def reference(tensors, divisor, weight=None, m=None):
    """Row losses, value and gradient of weighted cross entropy with ids: Σ ωℓ / divisor, in float64."""
    m = active(tensors) if m is None else m
    w = m.astype(np.float64) if weight is None else np.where(m, weight, 0.0).astype(np.float64)
    z = np.where(m[..., None], tensors["logits"], 0.0).astype(np.float64)
    y = np.where(m, tensors["targets"], 0)
    lp = log_softmax(z)
    one_hot = np.eye(z.shape[-1])[y]
    rows = np.where(m, -(lp * one_hot).sum(-1), 0.0)
    s = 1.0 / divisor if divisor else 0.0
    grad = np.where((w != 0)[..., None], (np.exp(lp) - one_hot) * w[..., None] * s, 0.0)
    return {"row_loss": np.where(w != 0, rows, 0.0), "value": (w * rows).sum() * s, "d_logits": grad}
