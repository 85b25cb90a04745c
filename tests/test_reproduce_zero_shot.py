"""Zero-shot over pre-training: its tasks, and the rows that a run's checkpoints give."""

import pytest
from stores import TEXT, tokenizer
from test_cli_training import run as command  # noqa: F401 (a fixture)
from test_lstm import train as train_lstm
from test_zero_shot import task
from tiny_run import one_thread, train  # noqa: F401 (a fixture)

from gpt1viz import load
from gpt1viz.data.books import VALIDATION, catalogue
from gpt1viz.errors import GPT1VizError
from gpt1viz.reproduce import results, zero_shot
from gpt1viz.reproduce.lstm import load_lstm
from gpt1viz.training.evaluate import glance
from gpt1viz.training.prepare import encode
from gpt1viz.training.zero_shot import zero_shot as heuristic

ENDINGS = [(("the fox", "", "ran", "sat"), 0), (("the cat", "", "ran", "sat"), 1), (("the hen", "", "ran", "sat"), 1)]


def test_one_of_two_sentences_has_two_words_exchanged():
    of = zero_shot.order()
    examples = of.splits[zero_shot.SPLIT]
    every = set(zero_shot.sentences())
    for example in examples:
        right, wrong = (example.texts[2 + k].split() for k in (example.label, 1 - example.label))
        places = [k for k, (a, b) in enumerate(zip(right, wrong, strict=True)) if a != b]
        assert example.texts[2 + example.label] in every and places == [places[0], places[0] + 1]
        assert [right[k] for k in places] == [wrong[k] for k in reversed(places)]
    assert len(examples) > 380 and abs(sum(example.label for example in examples) / len(examples) - 0.5) < 0.01
    assert zero_shot.order(1) != of == zero_shot.order()


def test_the_sentence_that_follows_does_follow():
    every = zero_shot.sentences()
    for k, example in enumerate(zero_shot.following().splits[zero_shot.SPLIT], 2):
        assert example.texts[0] == f"{every[k - 2]} {every[k - 1]}"
        right, wrong = (example.texts[2 + n] for n in (example.label, 1 - example.label))
        assert right == every[k] != wrong


@pytest.fixture
def shelf(tmp_path) -> str:
    """A folder with the five books that were held out, of a few words each."""
    (tmp_path / "books").mkdir()
    for number, book in enumerate(book for book in catalogue() if book.id in VALIDATION):
        (tmp_path / "books" / book.file).write_text(TEXT * (number + 3), encoding="utf-8")
    return str(tmp_path / "books")


def test_rows_of_both_models(tmp_path, monkeypatch, shelf):
    known = task("choice", ENDINGS)
    monkeypatch.setattr(zero_shot, "tasks", lambda: [known])
    runs, found = {"transformer": tmp_path / "gpt", "lstm": tmp_path / "lstm"}, tmp_path / "results.jsonl"
    train(runs["transformer"], steps=3, prompts=())
    train_lstm(runs["lstm"], steps=3)
    zero_shot.measure(runs, found, shelf)
    rows = results.read(found)
    text = encode(["books:validation"], tokenizer(), shelf)
    for model, load_one, n_ctx in (("transformer", load, 11), ("lstm", load_lstm, 16)):
        asked, own = results.zero_shot(rows)["known"][model], results.bits(rows)[model]
        assert [(row.step, row.tokens) for row in asked] == [(n, n * 4 * n_ctx) for n in (0, 1, 2, 3)]
        assert [(row.step, row.tokens) for row in own] == [(n, n * 4 * n_ctx) for n in (0, 1, 2, 3)]
        lm = load_one(f"{runs[model]}@2").model
        assert own[2].value == glance(lm, text)["bits_per_character"]
        assert {"zero_shot_known": asked[2].value} == heuristic(known, tokenizer())(lm)
        assert len({row.value for row in own}) > 2 and asked[0].chance == 0.5


def test_it_goes_on_where_it_was_stopped(tmp_path, monkeypatch, shelf):
    monkeypatch.setattr(zero_shot, "tasks", lambda: [task("choice", ENDINGS)])
    runs, found = {"lstm": tmp_path / "lstm"}, tmp_path / "results.jsonl"
    train_lstm(runs["lstm"], steps=3)
    zero_shot.measure(runs, found, shelf)
    whole, asked = results.read(found), []
    lines = found.read_text().splitlines(keepends=True)
    found.write_text("".join(lines[:3]))  # the first checkpoint's, and of the second the task's without the bits
    zero_shot.measure(runs, found, shelf, asked.append)
    assert results.read(found) == whole and [rows[0].step for rows in asked] == [1, 2, 3]


def test_the_command(command, tmp_path, monkeypatch, shelf):  # noqa: F811
    monkeypatch.setattr(zero_shot, "tasks", lambda: [task("choice", ENDINGS)])
    train_lstm(tmp_path / "lstm", steps=1)
    arguments = ["--parts", "zero_shot", "--lstm-run", tmp_path / "lstm", "--books", shelf, "--out", tmp_path / "out"]
    code, out, _ = command("reproduce", *arguments)
    assert code == 0 and "LSTM, step 1: " in out
    rows = results.zero_shot(results.read(tmp_path / "out" / "results.jsonl"))["known"]["lstm"]
    table = (tmp_path / "out" / "tables.md").read_text()
    assert [row.step for row in rows] == [0, 1] and "| known | LSTM | 50 |" in table


def test_what_is_no_run_of_such_a_model(tmp_path, shelf):
    train(tmp_path / "gpt", steps=1, prompts=())
    with pytest.raises(GPT1VizError) as refused:
        next(zero_shot.zero_shot_rows(tmp_path / "gpt", "lstm", shelf))
    assert refused.value.code == "checkpoint_foreign"
    with pytest.raises(GPT1VizError) as refused:
        next(zero_shot.zero_shot_rows(tmp_path / "nothing", "transformer", shelf))
    assert refused.value.code == "training_no_run"
