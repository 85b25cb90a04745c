"""Prints what the fault suite has counted, area by area; a long run writes it into docs/faults.md.

A plugin of tests/conftest.py, so that it also hears of tests that other processes run side by side.
"""

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "faults"
PAGE = HERE.parents[1] / "docs" / "faults.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)
ALL_FILES = {*HERE.glob("test_*.py")}
LONG = os.environ.get("GPT1VIZ_FAULTS") == "1"
COUNTED = "cases of an area"  # the name under which a test's report carries (area, cases, failures)


@dataclass
class Tally:
    """The cases of an area so far."""

    tests: int = 0
    cases: int = 0
    failures: int = 0


tallies: dict[str, Tally] = {}
ran_files: set[Path] = set()


def pytest_runtest_logreport(report):
    for name, counted in report.user_properties:
        if name == COUNTED and (report.when == "call" or report.failed):
            area, cases, failures = counted
            tally = tallies.setdefault(area, Tally())
            tally.failures += failures
            if report.when != "teardown":
                tally.tests += 1
                tally.cases += cases
            ran_files.add(HERE / Path(report.location[0]).name)


def pytest_terminal_summary(terminalreporter, config):
    if not tallies:
        return
    terminalreporter.section("faults: " + ("long form" if LONG else "short form"))
    terminalreporter.write_line("\n".join(rows(tallies)))
    if LONG and (whole := _whole_areas(config)):
        import torch

        versions = f"Python {platform.python_version()}, PyTorch {torch.__version__.partition('+')[0]}"
        text = PAGE.read_text(encoding="utf-8")
        table = rows({area: tally for area, tally in tallies_in(text).items() if area in _areas(ALL_FILES)} | whole)
        lines = [*table, "", f"Last run with {versions} on {platform.system()}.", ""]
        PAGE.write_text(TABLE.sub(lambda _: "\n".join(lines), text), encoding="utf-8")
        terminalreporter.write_line(f"written to docs/{PAGE.name}: {', '.join(whole)}")


def tallies_in(text: str) -> dict[str, Tally]:
    """What a table that `rows` has made says."""
    found = re.findall(r"^\| ([^|*]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", text, re.MULTILINE)
    return {area: Tally(*(int(number.replace(",", "")) for number in numbers)) for area, *numbers in found}


def rows(tallies: dict[str, Tally]) -> list[str]:
    """The table, as Markdown."""
    lines = ["| area | tests | cases | failures |", "|---|---:|---:|---:|"]
    tallies = dict(sorted(tallies.items()))
    whole = Tally(*(sum(getattr(t, name) for t in tallies.values()) for name in ("tests", "cases", "failures")))
    for area, tally in [*tallies.items(), ("**all**", whole)]:
        lines.append(f"| {area} | {tally.tests:,} | {tally.cases:,} | {tally.failures:,} |")
    return lines


def _whole_areas(config) -> dict[str, Tally]:
    """The areas of which every test has run."""
    asked = config.invocation_params.args
    if config.option.keyword or config.option.maxfail or any("::" in word for word in asked):
        return {}
    partly = _areas(ALL_FILES - ran_files)
    return {area: tally for area, tally in tallies.items() if area not in partly}


def _areas(paths: Iterable[Path]) -> set[str]:
    return {area for path in paths for area in re.findall(r'mark\.area\("(.+?)"\)', path.read_text(encoding="utf-8"))}
