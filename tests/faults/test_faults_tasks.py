"""Labelled files as nobody should write them: through load_task, the command line and the app's own reading."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from cases import LONG, helpful, times
from hostile import FILES, HALVES, MARKUP, computed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tuned import base

import gpt1viz
from gpt1viz.data.rows import COLUMNS
from gpt1viz.data.tasks import load_task
from gpt1viz.errors import GPT1VizError
from gpt1viz.inputs import KINDS
from gpt1viz.text import LANGUAGES

sys.path.insert(0, str(Path(__file__).parents[2] / "app"))  # as Streamlit does for the app
import saving
import task_files

pytestmark = pytest.mark.area("labelled files")
DRAWN = settings(
    max_examples=times(30, 3_000),
    derandomize=not LONG,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def code_of(read, *args, **options) -> str | None:
    """The code of the refusal, which must help; None for none."""
    try:
        read(*args, **options)
    except GPT1VizError as fault:
        return helpful(fault)
    return None


def test_each_is_read_or_refused_with_its_line(case, tmp_path):
    for name, (content, code) in FILES.items():
        with case(name):
            path = tmp_path / name
            path.write_bytes(content)
            assert code_of(load_task, path) == code
            for kind in KINDS:
                code_of(load_task, path, kind=kind)
            code_of(load_task, path, columns={"text": 0, "label": 1})


def test_the_app_reads_what_load_task_reads(case):
    for name, (content, code) in FILES.items():
        for kind in KINDS:
            with case(f"{name} as {kind}"):
                try:
                    rows = task_files.rows_of.__wrapped__(name, content)
                    found = list(dict.fromkeys(column for _, row in rows[:50] for column in row))
                    chosen = {role: column for role, column in task_files.likely(kind, found).items() if column}
                    task = task_files.read.__wrapped__(task_files.mapped(rows, chosen), kind, name)
                    task_files.listed(task.labels).encode()
                    assert len(task_files.preview(task, ("a", "b"))) < 100_000
                except GPT1VizError as fault:
                    helpful(fault)
                    assert kind != "classification" or name.endswith(".gz") or code, fault


CELLS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["x", "1", "", " ", "=1+1", '"', ",", "\n", "\t", "\x1b[0m", "\u202e", "nan", MARKUP]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CELLS | st.just(HALVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(sorted({name for columns in COLUMNS.values() for name in columns} | {"answer_1", "answer_2"}))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_drawn_files_are_read_or_refused(case, suffix, tmp_path):
    @DRAWN
    @given(st.lists(NAMES | CELLS, max_size=5), st.data(), st.sampled_from([None, *KINDS]))
    def read(names, data, kind):
        path = tmp_path / f"drawn.{suffix}"
        if suffix == "jsonl":
            rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, VALUES)), max_size=8))
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names) + 1), max_size=8))
            text = io.StringIO()
            csv.writer(text, delimiter="\t" if suffix == "tsv" else ",").writerows([names, *rows])
            path.write_bytes(text.getvalue().encode())
        with case((suffix, names, rows, kind)):
            code_of(load_task, path, kind=kind)

    read()
    assert case.n  # some were drawn


def test_fuzzed_bytes_are_read_or_refused(case, tmp_path):
    content = {name: whole for name, (whole, code) in FILES.items() if len(whole) < 2_000}

    @DRAWN
    @given(st.sampled_from(sorted(content)), st.data())
    def read(name, data):
        whole = bytearray(content[name])
        for at in data.draw(st.lists(st.integers(0, max(0, len(whole) - 1)), max_size=4)) if whole else ():
            whole[at] = data.draw(st.integers(0, 255))
        path = tmp_path / name
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        with case((name, bytes(whole))):
            code_of(load_task, path)

    read()
    assert case.n  # some were drawn


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return base(tmp_path_factory.mktemp("models"), n_layer=1, n_ctx=16)


SOME = ("halves.jsonl", "formulas.csv", "controls.jsonl")  # in the short form
LEARN = ("--steps", 1, "--set", "batch_size=2", "--set", "device=cpu")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_commands_refuse_in_one_sentence(case, lang, model, run, tmp_path):
    for name, (content, code) in FILES.items():
        if not code or (lang == "zh" and not LONG):
            continue
        path = tmp_path / name
        path.write_bytes(content)
        for more in ("--run", tmp_path / "run"), ("--dry-run",):
            if more[1:] and not LONG:
                continue
            with case(f"{name} {more[0]}"):
                found, out, err = run("--lang", lang, "finetune", model, path, *more)
                assert (found, out) == (2, "") and len(err.splitlines()) == 1 and "Traceback" not in err
                assert not (tmp_path / "run").exists()


def test_what_can_be_learned_from_is_learned_from_and_shown_without_harm(case, model, run, tmp_path):
    for name, (content, code) in FILES.items():
        if code or (not LONG and name not in SOME):
            continue
        with case(name):
            path, tuned = tmp_path / name, tmp_path / f"run-{name}"
            path.write_bytes(content)
            assert run("finetune", model, path, "--run", tuned, *LEARN)[::2] == (0, ""), name
            told, out, err = run("evaluate", tuned, "--out", tmp_path / "said.jsonl")
            assert told == 0 and "clf_loss" in out, err
            rows = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text(encoding="utf-8").splitlines()]
            task = load_task(path)
            assert [row["texts"] for row in rows] == [list(e.texts) for e in task.splits["test"]]
            told, out, err = run("info", tuned)
            assert told == 0 and not {"\x1b", "\u202e"} & {*out}
            assert gpt1viz.load(tuned).task.labels == task.labels


def test_tables_that_are_saved_compute_nothing(case):
    texts = [*"=+-@", "--", "the", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "a\rb", "=cmd|'x'!A0"]
    content = saving.csv_bytes({"=1+1": texts, "n": range(len(texts)), "p": [-0.5] * len(texts)})
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert head == ["'=1+1", "n", "p"]
    for text, row in zip(texts, rows, strict=True):
        with case(text):
            assert row[0] == (f"'{text}" if computed(text) else text) and float(row[2]) == -0.5
            assert not computed(row[0])
