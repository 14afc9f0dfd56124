"""Work in turns: tasks are tried by a process that runs under the prefix and ends after a while, so that a prefix that takes
a lock gives others a turn; the next process goes on with what is left."""

import concurrent.futures
import json
import pickle
import queue
import subprocess
import sys
import time

from tree import HOME, fail, prefix

HOLD = 150  # seconds


def in_turns(script, state, tasks):
    """Yields {"key": …, …} for each of the tasks [(key, task)], as soon as its evaluation by `script --worker` ends."""
    left = dict(tasks)
    while left:
        child = subprocess.Popen([*prefix(), sys.executable, "-B", script, "--worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.stdin.write(pickle.dumps((state, list(left.items()))))
        child.stdin.close()
        before = len(left)
        for line in child.stdout:
            row = json.loads(line)
            del left[row["key"]]
            yield row
        if child.wait() or len(left) == before:
            fail("the worker failed")


def work(evaluate, jobs):
    """The worker: evaluate(state, task, directory of its own) -> a dictionary."""
    state, tasks = pickle.load(sys.stdin.buffer)
    end = time.monotonic() + HOLD
    slots = queue.SimpleQueue()
    for i in range(jobs(state)):
        slots.put(HOME / f"slot{i}")

    def one(key, task):
        if time.monotonic() < end:
            slot = slots.get()
            row = evaluate(state, task, slot)
            slots.put(slot)
            sys.stdout.write(json.dumps(dict(row, key=key)) + "\n")
            sys.stdout.flush()

    with concurrent.futures.ThreadPoolExecutor(jobs(state)) as pool:
        for done in [pool.submit(one, *item) for item in tasks]:
            done.result()
