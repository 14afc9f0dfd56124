#!/usr/bin/env python3
"""Runs planted bugs and right losses through `seqgrad conform`, as programs in numpy: every bug must be found under its id,
every right loss conform. Prints what is not so; exit 1.

  run.py SEQGRAD [--seed N] [ID …]
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


def run(seqgrad, loss, seed):
    command = [seqgrad, "conform", "--means", loss["means"], "--seed", str(seed), "--json", "--",
               sys.executable, str(HERE / "serve.py"), loss["id"]]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done, time.monotonic() - begin


def judge(loss, done):
    """"" or what is wrong."""
    if done.returncode > 1:
        return f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}"
    found = [f["id"] for f in json.loads(done.stdout)["findings"]]
    if "finding" not in loss:
        return "" if done.returncode == 0 else f"a right loss, and found: {', '.join(found) or 'nothing with a name'}"
    if loss["finding"] not in found:
        return f"expected {loss['finding']}, found {', '.join(found) or 'nothing'} (exit {done.returncode})"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seqgrad")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", action="store_true", help="print every loss with its seconds")
    options = parser.parse_intermixed_args()
    known = serve.losses()
    losses = [known[i] for i in options.ids] or list(known.values())
    wrong = 0
    with ThreadPoolExecutor(2) as pool:
        for loss, (done, seconds) in zip(losses, pool.map(lambda x: run(options.seqgrad, x, options.seed), losses)):
            problem = judge(loss, done)
            wrong += bool(problem)
            if problem or options.v:
                print(f"{'FAIL' if problem else 'ok'} {loss['id']} ({seconds:.1f} s){': ' if problem else ''}{problem}", flush=True)
    print(f"{len(losses)} losses, seed {options.seed}: {wrong} not as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
