"""Counts the cases of the fault suite by area and prints their table; a long run of all writes it into docs/faults.md.

GPT1VIZ_FAULTS=1 (make faults) tries many more cases.
"""

import platform
import re
import sys
import time
from pathlib import Path

import pytest
import torch
from cases import LONG, Cases, Tally, rows
from doomed import victims

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)
tallies: dict[str, Tally] = {}
began = time.monotonic()


def pytest_configure(config):
    config.addinivalue_line("markers", "area(name): the row of docs/faults.md that a test's cases count in")


@pytest.fixture
def case():
    """`with case(name):` counts a case of the test's area and notes its failure."""
    return Cases()


@pytest.fixture(scope="session")
def victim(alone, tmp_path_factory):
    """A process whose children are killed, or run out of disk, where it is asked for (see `victim.py`)."""
    if sys.platform != "linux":
        pytest.skip("needs Linux: processes are forked, killed and cut off by its means")
    with victims(tmp_path_factory.mktemp("victim")) as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    result = yield
    if isinstance(found := pyfuncitem.funcargs.get("case"), Cases):
        found.end()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped or not (call.when == "call" or report.failed):
        return report
    found = item.funcargs.get("case")
    n, failed = (found.n, len(found.failures)) if isinstance(found, Cases) else (1, 0)
    tally = tallies.setdefault(item.get_closest_marker("area").args[0], Tally())
    tally.failures += max(failed, report.failed) if call.when == "call" else 1
    if call.when != "teardown":
        tally.tests += 1
        tally.cases += max(n, 1)
    return report


def pytest_terminal_summary(terminalreporter, config):
    if not tallies:
        return
    terminalreporter.section("faults: " + ("long form" if LONG else "short form"))
    table = rows(tallies)
    terminalreporter.write_line("\n".join(table))
    if LONG and _is_whole(config, terminalreporter):
        minutes = (time.monotonic() - began) / 60
        versions = f"Python {platform.python_version()}, PyTorch {torch.__version__.partition('+')[0]}"
        ran = f"{minutes:.0f} minutes on a {platform.system()} machine with {versions}."
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(TABLE.sub(lambda _: "\n".join([*table, "", ran, ""]), text), encoding="utf-8")
        terminalreporter.write_line(f"written: docs/{PAGE.name}")


def _is_whole(config, terminalreporter) -> bool:
    """Whether every file of this folder has run, and nothing in it was left out."""
    asked = config.invocation_params.args
    folders = [Path(word).resolve() for word in asked if not word.startswith("-")]
    return folders == [HERE] and not config.option.keyword and not terminalreporter.stats.get("deselected")
