"""What the tests share: the package of this checkout on the path, or the installed one; the executable; a program that
plays the parent."""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
INSTALLED = bool(os.environ.get("SEQGRAD_INSTALLED"))  # the package that this Python has, not the checkout's
SOURCE = "" if INSTALLED else str(HERE.parent / "src")
if SOURCE:
    sys.path.insert(0, SOURCE)
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")

import seqgrad  # noqa: E402


@contextlib.contextmanager
def environment(**values):
    before = {k: os.environ.get(k) for k in values}
    for k, v in values.items():
        os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)
    try:
        yield
    finally:
        for k, v in before.items():
            os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)


@contextlib.contextmanager
def fake_parent(scene: str):
    """`seqgrad` is fake_seqgrad.py for a while, which plays that scene."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "seqgrad"
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{HERE / 'fake_seqgrad.py'}' \"$@\"\n")
        program.chmod(0o755)
        with environment(SEQGRAD_EXECUTABLE=str(program), FAKE_SCENE=scene):
            yield


def needs_executable(test):
    """The tests are for the executable of a build: SEQGRAD_EXECUTABLE, or the checkout's build/."""
    try:
        seqgrad.executable()
        return test
    except seqgrad.SeqgradError as e:
        return unittest.skip(str(e))(test)


def run_python(code: str, **kwargs):
    env = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, **kwargs)
