"""The benchmarks' own arithmetic, and what they write."""

import sys

import numpy as np
import pytest
import torch
from house import ROOT
from tiny import tiny_model

sys.path.append(str(ROOT))  # for `pytest` without `python -m`

from benchmarks import growth, loading, memory, report, text, timing
from gpt1viz.config import GPT1Config
from gpt1viz.trace import Trace

FACTS = {"cores": 2, "torch": "9.9", "load average before": 0.3, "seconds": 7, "date": "2026-01-01"}
FIRST = report.Row("a peer", "1 ms", "2 ms", "2.00 times as fast", "1.90 to 2.10", "no slower", True)
SECOND = report.Row("a limit", "3 ms", "1 ms", "33 %", "exact", "60 %", False)
THIRD = report.Row("no aim", "3 ms", "1 ms", "3 times", "exact")


def test_contenders_run_in_turn_and_each_round_begins_with_another():
    ran = []
    contenders = {name: lambda name=name: ran.append(name) for name in "abc"}
    ticks = iter(range(100))
    seconds = timing.interleaved(contenders, 3, lambda: next(ticks))
    assert "".join(ran) == "abc" + "abc" + "bca" + "cab"
    assert seconds == {name: [1, 1, 1] for name in "abc"}


def test_results_are_kept_by_part_and_written_as_one_table(tmp_path):
    results, document = tmp_path / "results.json", tmp_path / "benchmarks.md"
    report.keep("one", "Title one", FACTS, [SECOND], "Note one.", results)
    report.keep("two", "Title two", FACTS | {"torch": "8.8"}, [THIRD], "Note two.", results)
    report.keep("one", "Title one", FACTS | {"seconds": 8}, [FIRST, SECOND], "Note one.", results)
    assert report.kept(["two", "one", "three"], results) == [("two", THIRD), ("one", FIRST), ("one", SECOND)]
    report.write(["one", "two", "three"], results, document)
    lines = document.read_text(encoding="utf-8").splitlines()
    assert "| one | a peer | 1 ms | 2 ms | 2.00 times as fast | 1.90 to 2.10 | no slower | yes |" in lines
    assert "|  | a limit | 3 ms | 1 ms | 33 % | exact | 60 % | **no** |" in lines
    assert "| two | no aim | 3 ms | 1 ms | 3 times | exact |  |  |" in lines
    assert "Machine: cores 2, torch 9.9." in lines
    assert (
        lines[lines.index("## one: Title one") + 4] == "Measured: load average before 0.3, seconds 8, date 2026-01-01."
    )
    assert "torch 8.8" in lines[lines.index("## two: Title two") + 4]


def test_exponents_are_those_of_the_growth():
    sizes = (16, 32, 64, 512)
    assert growth.exponent(sizes, [3 * n**1.5 for n in sizes]) == pytest.approx(1.5)
    shape = GPT1Config()
    assert growth.operations(shape, 64, 12) == pytest.approx(12 * growth.operations(shape, 64, 1))
    assert growth.operations(shape, 128, 12) > 2 * growth.operations(shape, 64, 12)


def test_memory_counts_what_tensors_hold_on_to_once():
    whole = torch.zeros(10, 3)
    assert memory.size([whole[2:], whole[:, 1], torch.zeros(5)]) == 4 * (30 + 5)
    model, trace = tiny_model(), Trace(fields=("weights", "logits"))
    logits = model(torch.tensor([[1, 2, 3, 4, 5]]), trace=trace).logits
    config = model.config
    assert memory.size(list(memory.tensors(trace))) == 4 * (config.n_layer * config.n_head * 25 + logits.numel())


def test_without_the_shared_texts_their_row_says_so(tmp_path):
    row = text.golden(tmp_path)
    assert "missing" in row.ratio and row.met is None


def test_made_up_entries_make_a_vocabulary():
    made = loading.vocabulary(5000)
    assert made.n_vocab == 5000 and sorted(made.vocab.values()) == list(range(5000))
    assert all(left + right in made.vocab for left, right in made.merges)
    assert np.unique(list(made.vocab)).size == 5000
