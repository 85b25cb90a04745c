"""Cases of the fault suite: how many, of which area, which of them failed. `conftest.py` prints them as a table.

    pytestmark = pytest.mark.area("damaged checkpoints")

    def test_bytes(case):
        for seed in range(times(20, 500)):
            with case(f"seed {seed}"):  # counted; if it fails, that is noted and the next one is tried
                assert ...

A test that has no use for `case` is one case itself.
"""

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from gpt1viz.errors import GPT1VizError
from gpt1viz.text import LANGUAGES

LONG = os.environ.get("GPT1VIZ_FAULTS") == "1"
SHOWN = 10  # failures of a test that are printed


def times(short: int, long: int) -> int:
    """How many cases to try: few in `make test`, many in `make faults`."""
    return long if LONG else short


@dataclass
class Cases:
    """The cases of one test."""

    n: int = 0
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: object) -> Iterator[None]:
        self.n += 1
        try:
            yield
        except (Exception, pytest.fail.Exception):
            self.failures.append(f"{name}\n{traceback.format_exc(limit=-4)}")

    def end(self) -> None:
        """Fails where a case has."""
        if self.failures:
            text = "\n".join(self.failures[:SHOWN])
            pytest.fail(f"{len(self.failures)} of {self.n} cases failed:\n{text}", pytrace=False)


@dataclass
class Tally:
    """The cases of an area so far."""

    tests: int = 0
    cases: int = 0
    failures: int = 0


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


LONGEST = 1500  # characters of a sentence; a path may be long


def helpful(fault: GPT1VizError) -> str:
    """The code of a refusal, which must be a sentence or two in each language, on one line, of readable length."""
    said = {lang: fault.message(lang) for lang in LANGUAGES}
    for sentence in said.values():
        assert sentence.strip() and "\n" not in sentence.strip() and len(sentence) <= LONGEST, sentence[:3000]
        assert "Traceback" not in sentence and "Error(" not in sentence, sentence
    assert any("\u4e00" <= c <= "\u9fff" for c in said["zh"]) and said["zh"] != said["en"], said
    return fault.code
