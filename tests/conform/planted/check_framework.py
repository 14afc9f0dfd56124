#!/usr/bin/env python3
"""Planted bugs and right losses of a framework through `seqgrad.check`: every bug must be named, every
right loss pass. Prints the seconds of each check, and what is not as expected; exit 1.

  VENV/bin/python tests/conform/planted/check_framework.py torch|keras|jax [--seed N] [ID …]
  VENV/bin/python tests/conform/planted/check_framework.py torch|keras|jax --right [--seeds N]   right losses and presets alone
"""
import argparse
import importlib
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "apps" / "python" / "src"))
import seqgrad  # noqa: E402
import serve  # noqa: E402

SETTINGS = ("classes", "smoothing", "softcap", "z_loss")


def judge(function, loss, seed, framework=None):
    """("" or what is wrong, the report)."""
    settings = {k: v for k, v in loss.get("hello", {}).items() if k in SETTINGS}
    try:
        report = seqgrad.check(function, means=loss["means"], seed=seed, framework=framework, **settings)
    except seqgrad.LossMismatch as e:
        found = e.report.findings
        if "finding" not in loss:
            return f"a right loss, and found: {', '.join(found)}\n{e}", e.report
        return "" if loss["finding"] in found else f"expected {loss['finding']}, found {', '.join(found) or 'nothing'}", e.report
    except seqgrad.SeqgradError as e:
        return f"{type(e).__name__}: {e}", None
    return f"expected {loss['finding']}, and it passed" if "finding" in loss else "", report


def tasks(options, function_of):
    """(function, loss, seed) of all that is to be checked."""
    if not options.right:
        found = [(function_of(loss), loss, options.seed) for loss in serve.losses().values() if not options.ids or loss["id"] in options.ids]
    else:
        presets = {p.id: p.function(options.framework) for p in serve.presets.presets()}
        found = [(presets.get(loss["id"]) or function_of(loss), loss, seed) for loss, seed in serve.right_losses(options.seeds)]
    return [task for task in found if task[0]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=("torch", "keras", "jax"))
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-most", type=float, default=float("inf"), help="seconds of a check, without first rounds, in which JAX compiles")
    parser.add_argument("--right", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_intermixed_args()
    modules = [importlib.import_module(f"{options.framework}_{table}") for table in ("bugs", "right")]
    wrong = count = 0
    slowest = 0.0
    for function, loss, seed in tasks(options, lambda loss: next((getattr(m, loss["id"]) for m in modules if hasattr(m, loss["id"])), None)):
        begin = time.monotonic()
        problem, report = judge(function, loss, seed, options.framework if "preset" in loss else None)
        compiling = report.data.get("answers", {}).get("first", 0.0) if report else 0.0
        seconds = time.monotonic() - begin - compiling
        count, wrong, slowest = count + 1, wrong + bool(problem), max(slowest, seconds)
        print(f"{'FAIL' if problem else 'ok'} {loss['id']} (seed {seed}, {seconds:.2f} s and {compiling:.2f} s of first rounds)"
              f"{': ' if problem else ''}{problem}", flush=True)
    seeds = f"seeds 1 to {options.seeds}" if options.right else f"seed {options.seed}"
    print(f"{options.framework}: {count} losses, {seeds}: {wrong} not as expected; slowest check {slowest:.1f} s, its first rounds apart")
    return 1 if wrong or slowest > options.at_most else 0


if __name__ == "__main__":
    sys.exit(main())
