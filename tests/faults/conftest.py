"""Counts the cases of the fault suite by area; `faults_table.py` prints them.

GPT1VIZ_FAULTS=1 (make faults) tries many more cases.
"""

import sys

import pytest
from cases import Cases
from doomed import victims
from faults_table import COUNTED

from gpt1viz import cli


def pytest_configure(config):
    config.addinivalue_line("markers", "area(name): the row of docs/faults.md that a test's cases count in")


@pytest.fixture
def case():
    """`with case(name):` counts a case of the test's area and notes its failure."""
    return Cases()


@pytest.fixture
def run(capsys):
    """Run a command; its exit code, standard output and standard error."""

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([*map(str, arguments)])
        return code, *capsys.readouterr()

    return run


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
    failures = max(failed, report.failed) if call.when == "call" else 1
    area = item.get_closest_marker("area").args[0]
    report.user_properties.append((COUNTED, (area, max(n, 1), failures)))
    return report
