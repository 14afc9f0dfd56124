"""What an argument of `check` and its like means that is not given: set by the pytest plugin for the test that runs. Alone in a
file, so that the plugin costs a test run without checks nothing."""
from __future__ import annotations

import difflib
from typing import Iterable

defaults: dict = {}
TAKEN = ("means", "only", "skip", "seed", "batches", "save", "sizes", "strict")


def check_names(who: str, given: Iterable[str], *known: Iterable[str]) -> None:
    """Raises TypeError for the first name that is none of those known."""
    names = [n for group in known for n in group]
    for name in given:
        if name not in names:
            like = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {like[0]}?" if like else f"there are {', '.join(names)}"
            raise TypeError(f"{who}: no argument {name!r}; {hint}")
