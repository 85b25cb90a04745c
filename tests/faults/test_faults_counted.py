"""The suite's own counting: a case that fails fails its test, and the table adds up."""

import re
from pathlib import Path

import pytest
from cases import Cases
from faults_table import Tally, rows, tallies_in

from gpt1viz.text import strings

pytestmark = pytest.mark.area("the suite itself")


def test_a_failed_case_is_noted_and_the_next_one_tried():
    case, tried = Cases(), []
    for n in range(4):
        with case(f"case {n}"):
            tried.append(n)
            assert n != 1
    with pytest.raises(pytest.fail.Exception, match="1 of 4 cases failed:\ncase 1"):
        case.end()
    assert tried == [0, 1, 2, 3]


def test_the_table_adds_up():
    table = rows({"b": Tally(1, 2000, 1), "a": Tally(2, 3, 0)})
    assert tallies_in("\n".join(table)) == {"a": Tally(2, 3, 0), "b": Tally(1, 2000, 1)}
    assert table[2:] == ["| a | 2 | 3 | 0 |", "| b | 1 | 2,000 | 1 |", "| **all** | 3 | 2,003 | 1 |"]


def test_the_sentences_of_the_document_are_those_of_the_program():
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    known = [re.sub(r"\\{.*?\\}", ".+", re.escape(text)) for text in strings("errors", "en").values()]
    quoted = re.findall(r"^> (.+)$", page, re.MULTILINE)
    assert len(quoted) >= 7
    assert [sentence for sentence in quoted if not any(re.fullmatch(text, sentence) for text in known)] == []
