#!/usr/bin/env python3
"""Runs planted bugs and right losses through `seqgrad conform`, as programs in numpy: every bug must be found under its id,
every right loss conform. Prints what is not so; exit 1.

  run.py SEQGRAD [--seed N] [ID …]
  run.py SEQGRAD --right [--seeds N]     right losses and presets alone, over the seeds 1 to N (20); one preset a formula and seed
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import serve

HERE = pathlib.Path(__file__).resolve().parent
MOST_CELLS, MOST_CLASSES = 6, 3  # of the smallest batch that shows a bug


def run(seqgrad, loss, seed):
    command = [seqgrad, "conform", "--means", loss["means"], "--seed", str(seed), "--json", "--",
               sys.executable, str(HERE / "serve.py"), loss["id"]]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done, time.monotonic() - begin


def size_of(loss, done):
    """[(cells, V, sizes in words)] of the smallest batch of a bug; [] where it needs many numbers, as a fault of a dtype does, or
    has its sizes fixed."""
    smallest = json.loads(done.stdout)["smallest"] if done.returncode <= 1 else None
    if not smallest or "finding" not in loss or {"classes", "steps"} & set(loss.get("hello", {})):
        return []
    b = smallest["batch"]
    return [(b["B"] * b["T"], b["V"], f"{loss['id']}: B={b['B']} T={b['T']} V={b['V']}")]


def judge(loss, done):
    """"" or what is wrong."""
    if done.returncode > 1:
        return f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}"
    found = [f["id"] for f in json.loads(done.stdout)["findings"]]
    if "finding" not in loss:
        return "" if done.returncode == 0 else f"a right loss, and found: {', '.join(found) or 'nothing with a name'}"
    if loss["finding"] not in found:
        return f"expected {loss['finding']}, found {', '.join(found) or 'nothing'} (exit {done.returncode})"
    return "".join(f"the smallest batch has {cells} cells of B·T and V = {v} ({b})" for cells, v, b in size_of(loss, done)
                   if cells > MOST_CELLS or v > MOST_CLASSES)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seqgrad")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--right", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("-v", action="store_true", help="print every loss with its seconds")
    options = parser.parse_intermixed_args()
    known = serve.losses()
    if options.right:
        tasks = serve.right_losses(options.seeds)
    else:
        tasks = [(known[i], options.seed) for i in options.ids or known]
    wrong, sizes = 0, []
    with ThreadPoolExecutor(2) as pool:
        for (loss, seed), (done, seconds) in zip(tasks, pool.map(lambda task: run(options.seqgrad, *task), tasks)):
            problem = judge(loss, done)
            wrong += bool(problem)
            sizes += size_of(loss, done)
            if problem or options.v:
                print(f"{'FAIL' if problem else 'ok'} {loss['id']} (seed {seed}, {seconds:.1f} s){': ' if problem else ''}{problem}", flush=True)
    if sizes:
        widest = max(sizes, key=lambda size: size[1])
        print(f"smallest batch of {len(sizes)} bugs: at most {max(sizes)[0]} cells of B·T ({max(sizes)[2]}), V at most {widest[1]} ({widest[2]})")
    print(f"{len(tasks)} losses, {f'seeds 1 to {options.seeds}' if options.right else f'seed {options.seed}'}: {wrong} not as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
