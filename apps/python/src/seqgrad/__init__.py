"""seqgrad: what a sequence loss is, and whether it is the one that you mean.

    print(seqgrad.which(my_loss))                    # in words
    seqgrad.check(my_loss, means="torch.mean")       # in a test

The work is done by the executable `seqgrad`, which this package starts and talks to; numpy is its only need.
"""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arguments import ArgumentsError
    from .cases import Case, CaseResult, read_case, run_case, write_case
    from .child import SeqgradError, executable
    from .conform import LossMismatch, Report, check, check_step, which
    from .frameworks import FrameworkError
    from .oracle import Loss, Page, explain, loss
    from .runs import Run, load_run

    __version__: str

__all__ = ["ArgumentsError", "Case", "CaseResult", "FrameworkError", "Loss", "LossMismatch", "Page", "Report", "Run",
           "SeqgradError", "check", "check_step", "executable", "explain", "load_run", "loss", "read_case", "run_case",
           "which", "write_case"]

# Modules are imported when they are needed, so that the command `seqgrad` and pytest do not wait for numpy.
_MODULES = {"arguments": "ArgumentsError", "cases": "Case CaseResult read_case run_case write_case",
            "child": "SeqgradError executable", "conform": "LossMismatch Report check check_step which",
            "frameworks": "FrameworkError", "oracle": "Loss Page explain loss", "runs": "Run load_run"}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str):
    from importlib import import_module
    if name in _MODULE_OF:
        return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version
        try:
            return version("seqgrad")
        except PackageNotFoundError:  # from a checkout
            return import_module(".child", __name__).run(["--version"])[1].split()[-1]
    raise AttributeError(f"module 'seqgrad' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__, "__version__"])
