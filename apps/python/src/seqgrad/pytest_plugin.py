"""pytest: --seqgrad-seed, --seqgrad-batches, --seqgrad-save; the marker seqgrad(means=…, …) gives the checks of a test
their defaults; a failing check adds a section with its finding to the report."""
from __future__ import annotations

import pathlib
import re
import sys

import pytest

from .defaults import TAKEN, check_names, defaults


def pytest_addoption(parser):
    group = parser.getgroup("seqgrad")
    group.addoption("--seqgrad-seed", type=int, help="seed of the batches that losses are checked on")
    group.addoption("--seqgrad-batches", type=int, help="how many batches a loss is checked on")
    group.addoption("--seqgrad-save", metavar="DIR", help="save the smallest failing batches, a folder for each test")


def pytest_configure(config):
    config.addinivalue_line("markers", "seqgrad(means=…, only=…, skip=…, seed=…, batches=…, …): what seqgrad.check takes "
                                       "where the test does not say it")


def pytest_runtest_setup(item):
    for marker in item.iter_markers("seqgrad"):
        if marker.args:
            pytest.fail(f"mark.seqgrad takes its arguments by name: means={marker.args[0]!r}", pytrace=False)
        try:
            check_names("mark.seqgrad", marker.kwargs, TAKEN)
        except TypeError as e:
            pytest.fail(str(e), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    option = item.config.getoption
    given = {"seed": option("--seqgrad-seed"), "batches": option("--seqgrad-batches")}
    if option("--seqgrad-save"):
        given["save"] = str(pathlib.Path(option("--seqgrad-save")) / re.sub(r"[^A-Za-z0-9_.-]+", "_", item.nodeid))
    for marker in reversed(list(item.iter_markers("seqgrad"))):
        given.update(marker.kwargs)
    defaults.update({k: v for k, v in given.items() if v is not None})
    yield
    defaults.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    error = call.excinfo.value if call.excinfo else None
    conform = sys.modules.get("seqgrad.conform")  # not there: no test has checked a loss
    if conform and isinstance(error, conform.LossMismatch):
        report = outcome.get_result()
        found = error.report.data.get("findings", [])
        report.sections.append(("seqgrad", "\n".join(f"{f['id']}: {f.get('sentence', '')}" for f in found) or "no finding with a name"))
        report.user_properties += [("seqgrad_finding", f) for f in error.report.findings]
