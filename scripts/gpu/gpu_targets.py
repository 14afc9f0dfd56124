#!/usr/bin/env python3
"""The targets T1 to T8 of a GPU from one result of scripts/gpu/gpu_check.sh: a line each, and how many are met as the last.
Exit 1 when one was not measured.    gpu_targets.py gpu_check.json"""
import json
import sys

RESULT = json.load(open(sys.argv[1]))
FIGURES = RESULT["figures"]
rows = []


def judge(target, what, value, bound, text, at_most=False):
    """A line: `value` (None: not measured) against `bound`; `text` says what was measured."""
    if value is None:
        verdict = "not measured"
    else:
        verdict = "met" if (value <= bound if at_most else value >= bound) else "missed"
    rows.append(verdict)
    print(f"{target}  {verdict:12}  {what}: {text if value is not None else 'no figure'}")


def step(preset, attention, precision):
    return FIGURES.get(f"step_{preset}_{attention}_{precision}")


def torch_steps(preset, precision):
    """{variant: ms} of PyTorch's training step."""
    results = FIGURES.get("torch_gpu_step.py", {}).get("results", [])
    return {r["variant"]: r["ms_wall"] for r in results if (r["preset"], r["dtype"]) == (preset, precision) and "ms_wall" in r}


def against(target, what, preset, attention, torch_preset, variants, bound):
    for precision in ("tf32", "bf16"):
        ours, peers = step(preset, attention, precision), torch_steps(torch_preset, precision)
        peers = {v: ms for v, ms in peers.items() if not variants or v in variants}
        if precision == "bf16" and not (ours and peers):
            continue  # beside tf32, where there is time
        best = min(peers, key=peers.get) if peers else None
        ms = ours and ours["ms_per_step"]["median"]
        ratio = peers[best] / ms if ours and best else None
        judge(target, f"{what}, {attention}, {precision}", ratio, bound,
              ratio and f"{ms:.3f} ms, PyTorch {best} {peers[best]:.3f} ms: {ratio:.2f}x, target {bound}")


EAGER = {"eager"}
for attention, torch_name, eager, best in (("additive", "reference", 3, 2), ("general", "reference_luong", 1.5, 1.2)):
    against("T1", "gpu_ref8k, eager", "gpu_ref8k", attention, torch_name, EAGER, eager)
    against("T2", "gpu_ref8k, the best", "gpu_ref8k", attention, torch_name, None, best)
for attention, torch_name, bound in (("additive", "small", 5), ("general", "small_luong", 1.5)):
    against("T3", "gpu_small, eager", "gpu_small", attention, torch_name, EAGER, bound)
for attention, torch_name, bound in (("additive", "reference_v32k", 2.5), ("general", "reference_luong_v32k", 1.2)):
    against("T4", "gpu_ref32k, the best", "gpu_ref32k", attention, torch_name, None, bound)

losses = sorted((f for name, f in FIGURES.items() if name.startswith("loss_")), key=lambda f: f["vocab"])
if not losses:
    judge("T5", "loss of logits", None, 0.8, "")
for f in losses:
    judge("T5", f"loss of {f['rows']} x {f['vocab']}", f["share_of_copy"], 0.8,
          f"{f['bytes'] / f['total_ms']['median'] / 1e6:.0f} GB/s of {f['copy_gb_per_s']:.0f} of a copy: "
          f"{f['share_of_copy']:.0%}, target 80 %")

linear_peers = [r for name in FIGURES if name.startswith("torch_gpu_ce") for r in FIGURES[name].get("linear", [])]
fused = [f for name, f in FIGURES.items() if name.startswith("linear_")]
if not fused:
    judge("T6", "linear + loss", None, 1, "")
for f in fused:
    size = (f["rows"], f["hidden"], f["vocab"])
    peers = {r["provider"]: r for r in linear_peers
             if (r["N"], r["D"], r["V"]) == size and r["dtype"] == f["precision"] and "fwd_bwd_ms" in r
             and r["provider"] in ("eager", "compile", "torch_native")}
    what = "linear + loss, N={} D={} V={}".format(*size) + f", {f['precision']}"
    ms, mib = f["total_ms"]["median"], f["extra_bytes"] / 2**20
    best = min(peers, key=lambda p: peers[p]["fwd_bwd_ms"]) if peers else None
    ratio = peers[best]["fwd_bwd_ms"] / ms if best else None
    judge("T6", what, ratio, 1, ratio and f"{ms:.2f} ms, PyTorch {best} {peers[best]['fwd_bwd_ms']:.2f} ms: {ratio:.2f}x, target 1")
    least = min((p["extra_peak_mib"] for p in peers.values() if "extra_peak_mib" in p), default=None)
    judge("T6", what + ", memory", least and least / mib, 1, least and f"{mib:.0f} MiB, PyTorch's least {least:.0f}, logits "
          f"{4 * f['rows'] * f['vocab'] / 2**20:.0f}")

for attention in ("additive", "general"):
    f = step("gpu_ref8k", attention, "tf32")
    judge("T7", f"host time of a step, gpu_ref8k, {attention}", f and f["host_ms_per_step"]["median"], 0.05,
          f and f"{1e3 * f['host_ms_per_step']['median']:.0f} us, target 50 (nodes: tests/device/test_step_graph.cpp)", at_most=True)
    judge("T8", f"allocations and waits, gpu_ref8k, {attention}", f and f["allocations_in_counted_steps"], 0,
          f and f"{f['allocations_in_counted_steps']} allocations, a wait every {f['steps_between_waits']} steps", at_most=True)
same = [p for p in RESULT["parts"] if p["part"] == "same_bits"]
judge("T8", "two runs", same and float(same[0]["verdict"] == "passed") if same and same[0]["verdict"] != "skipped" else None, 1,
      same[0]["said"] if same else "")

print(f"{rows.count('met')} of {len(rows)} met, {rows.count('missed')} missed, {rows.count('not measured')} not measured "
      "(T1 to T8; the result has a line for each)")
sys.exit("not measured" in rows)
