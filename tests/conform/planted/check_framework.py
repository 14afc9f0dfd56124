#!/usr/bin/env python3
"""Planted bugs and right losses of a framework through `seqgrad.check`: every bug must be named, every
right loss pass. Prints the seconds of each check, and what is not as expected; exit 1.

  VENV/bin/python tests/conform/planted/check_framework.py torch|keras|jax [--seed N] [ID …]
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


def compile_seconds():
    """What JAX's compiler has taken so far: a function of it, or of nothing where JAX is not what runs."""
    if "jax" not in sys.modules:
        return lambda: 0.0
    import jax
    total = []
    jax.monitoring.register_event_duration_secs_listener(lambda event, seconds, **_: total.append(seconds) if "compile" in event else None)
    return lambda: sum(total)


def judge(function, loss, seed):
    """"" or what is wrong."""
    settings = {k: v for k, v in loss.get("hello", {}).items() if k in SETTINGS}
    try:
        seqgrad.check(function, means=loss["means"], seed=seed, **settings)
    except seqgrad.LossMismatch as e:
        found = e.report.findings
        if "finding" not in loss:
            return f"a right loss, and found: {', '.join(found)}\n{e}"
        return "" if loss["finding"] in found else f"expected {loss['finding']}, found {', '.join(found) or 'nothing'}"
    except seqgrad.SeqgradError as e:
        return f"{type(e).__name__}: {e}"
    return f"expected {loss['finding']}, and it passed" if "finding" in loss else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=("torch", "keras", "jax"))
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-most", type=float, default=float("inf"), help="seconds of a check, without what JAX compiles")
    options = parser.parse_intermixed_args()
    modules = [importlib.import_module(f"{options.framework}_{table}") for table in ("bugs", "right")]
    wrong = count = 0
    slowest, compiled = 0.0, compile_seconds()
    for loss in serve.losses().values():
        function = next((getattr(m, loss["id"]) for m in modules if hasattr(m, loss["id"])), None)
        if function is None or options.ids and loss["id"] not in options.ids:
            continue
        begin, before = time.monotonic(), compiled()
        problem = judge(function, loss, options.seed)
        compiling = compiled() - before
        seconds = time.monotonic() - begin - compiling
        count, wrong, slowest = count + 1, wrong + bool(problem), max(slowest, seconds)
        print(f"{'FAIL' if problem else 'ok'} {loss['id']} ({seconds:.1f} s{f' and {compiling:.1f} s of compiling' if compiling else ''}){': ' if problem else ''}{problem}", flush=True)
    print(f"{options.framework}: {count} losses, seed {options.seed}: {wrong} not as expected; slowest check {slowest:.1f} s")
    return 1 if wrong or slowest > options.at_most else 0


if __name__ == "__main__":
    sys.exit(main())
