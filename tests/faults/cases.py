"""Cases of the fault suite: how many, of which area, which of them failed. `faults_table.py` prints them.

    pytestmark = pytest.mark.area("damaged checkpoints")

    def test_bytes(case):
        for seed in range(times(20, 500)):
            with case(f"seed {seed}"):  # counted; if it fails, that is noted and the next one is tried
                assert ...

A test that has no use for `case` is one case itself.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from faults_table import LONG

from gpt1viz.errors import GPT1VizError
from gpt1viz.text import LANGUAGES

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


LONGEST = 1500  # characters of a sentence; a path may be long


def helpful(fault: GPT1VizError) -> str:
    """The code of a refusal, which must be a sentence or two in each language, on one line, of readable length."""
    said = {lang: fault.message(lang) for lang in LANGUAGES}
    for sentence in said.values():
        assert sentence.strip() and "\n" not in sentence.strip() and len(sentence) <= LONGEST, sentence[:3000]
        assert "Traceback" not in sentence and "Error(" not in sentence, sentence
    assert any("\u4e00" <= c <= "\u9fff" for c in said["zh"]) and said["zh"] != said["en"], said
    return fault.code
