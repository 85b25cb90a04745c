"""Counts the cases of the fault suite by area and prints their table; a long run writes it into docs/faults.md.

GPT1VIZ_FAULTS=1 (make faults) tries many more cases.
"""

import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from cases import LONG, Cases, Tally, rows, tallies_in
from doomed import victims

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)
ALL_FILES = {*HERE.glob("test_*.py")}
tallies: dict[str, Tally] = {}
ran_files: set[Path] = set()


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
    ran_files.add(item.path)
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
    if LONG and (whole := _whole_areas(config)):
        versions = f"Python {platform.python_version()}, PyTorch {torch.__version__.partition('+')[0]}"
        text = PAGE.read_text(encoding="utf-8")
        table = rows({area: tally for area, tally in tallies_in(text).items() if area in _areas(ALL_FILES)} | whole)
        lines = [*table, "", f"Last run with {versions} on {platform.system()}.", ""]
        PAGE.write_text(TABLE.sub(lambda _: "\n".join(lines), text), encoding="utf-8")
        terminalreporter.write_line(f"written to docs/{PAGE.name}: {', '.join(whole)}")


def _whole_areas(config) -> dict[str, Tally]:
    """The areas of which every test has run."""
    asked = config.invocation_params.args
    if config.option.keyword or config.option.maxfail or any("::" in word for word in asked):
        return {}
    partly = _areas(ALL_FILES - ran_files)
    return {area: tally for area, tally in tallies.items() if area not in partly}


def _areas(paths: Iterable[Path]) -> set[str]:
    return {area for path in paths for area in re.findall(r'mark\.area\("(.+?)"\)', path.read_text(encoding="utf-8"))}
