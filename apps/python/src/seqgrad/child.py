"""Where the executable is, and how it is run."""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from typing import Sequence

HERE = pathlib.Path(__file__).resolve().parent


class SeqgradError(RuntimeError):
    """What the executable refused, in its own words; or that it is not there."""


def is_refusal(excinfo) -> bool:
    """For __tracebackhide__: pytest shows the caller's line and the words, and none of our frames."""
    return excinfo.errisinstance(SeqgradError)


def _is_program(path) -> bool:
    """A compiled program: not the console script of this package, which would look for itself."""
    try:
        with open(path, "rb") as file:
            head = file.read(2)
        return head != b"#!" and os.access(path, os.X_OK)
    except OSError:
        return False


def start(command: Sequence, **kwargs) -> subprocess.Popen:
    """Popen, which says in SeqgradError's words what could not be started."""
    try:
        return subprocess.Popen(command, **kwargs)
    except OSError as e:
        raise SeqgradError(f"{command[0]} cannot be started: {e.strerror}") from e


def _why_not(path: str) -> str:
    """Why a path is no program, or ""."""
    if not os.path.exists(path):
        return "there is no such program"
    if os.path.isdir(path):
        return "it is a folder; write the program in it"
    return "" if os.access(path, os.X_OK) else "it is not executable"


def executable() -> str:
    """The path of `seqgrad`: $SEQGRAD_EXECUTABLE, then the wheel's own, then PATH, then a checkout's build/."""
    named = os.environ.get("SEQGRAD_EXECUTABLE")
    if named:
        if _why_not(named):
            raise SeqgradError(f"SEQGRAD_EXECUTABLE={named}: {_why_not(named)}")
        return named
    own = HERE / "bin" / "seqgrad"
    if own.exists():
        return str(own)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which("seqgrad", path=folder or ".")
        if found and _is_program(found):
            return found
    if len(HERE.parents) > 3 and _is_program(HERE.parents[3] / "build" / "seqgrad"):  # apps/python/src/seqgrad
        return str(HERE.parents[3] / "build" / "seqgrad")
    raise SeqgradError("the executable `seqgrad` is not in this package, not named by SEQGRAD_EXECUTABLE and not on "
                       "PATH; build it with scripts/build.sh, and set SEQGRAD_EXECUTABLE=…/build/seqgrad")


def run(arguments: Sequence[str], ok: Sequence[int] = (0,)) -> tuple[int, str]:
    """(exit code, standard output) of `seqgrad ARGUMENTS…`. Raises SeqgradError with its words for an exit not in `ok`."""
    with start([executable(), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
               stdin=subprocess.DEVNULL) as child:
        words, errors = child.communicate()
    if child.returncode not in ok:
        raise SeqgradError(errors.decode(errors="replace").strip() or f"seqgrad ended with {child.returncode}")
    return child.returncode, words.decode(errors="replace")
