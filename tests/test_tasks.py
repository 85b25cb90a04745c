"""Labelled tasks from files: what their columns mean, how labels become numbers, and what is wrong with bad ones."""

import gzip
import json

import numpy as np
import pytest

from gpt1viz.config import GPT1Config
from gpt1viz.data import papers_tasks
from gpt1viz.data.task import TextExample
from gpt1viz.data.tasks import load_task
from gpt1viz.errors import GPT1VizError
from gpt1viz.tokenizer import Tokenizer

PAIRS = "premise,hypothesis,label\n" + "".join(
    f'"A dog, number {k}.",A pet.,{("no", "yes")[k % 2]}\n' for k in range(20)
)


def write(folder, name: str, text: str | bytes):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# ---- what is read


def test_one_file_is_split(tmp_path):
    task = load_task(write(tmp_path, "pairs.csv", PAIRS))
    assert (task.name, task.kind, task.labels, task.metric) == ("pairs", "entailment", ("no", "yes"), "accuracy")
    assert {split: len(rows) for split, rows in task.splits.items()} == {"train": 16, "validation": 2, "test": 2}
    everything = {example for rows in task.splits.values() for example in rows}
    assert everything == {TextExample((f"A dog, number {k}.", "A pet."), k % 2) for k in range(20)}
    assert load_task(tmp_path / "pairs.csv") == task  # the same rows are held out


def test_a_folder_and_named_files(tmp_path):
    text = "text\tlabel\n" + 'He said "no\tgood\nFine\tgood\nBad\tbad\n'
    write(tmp_path, "train.tsv", text)
    write(tmp_path, "dev.tsv.gz", gzip.compress(text.encode()))
    task = load_task(tmp_path)
    assert set(task.splits) == {"train", "validation"} and task.name == tmp_path.name
    assert task.splits["train"] == task.splits["validation"]
    assert task.splits["train"][0] == TextExample(('He said "no',), 1)  # no quotes in .tsv
    same = load_task({"train": tmp_path / "train.tsv", "validation": tmp_path / "dev.tsv.gz"})
    assert same.splits == task.splits and same.name == "train"


def test_validation_is_held_out_where_it_is_missing(tmp_path):
    write(tmp_path, "train.csv", PAIRS)
    write(tmp_path, "test.csv", PAIRS)
    sizes = {split: len(rows) for split, rows in load_task(tmp_path).splits.items()}
    assert sizes == {"train": 18, "validation": 2, "test": 20}


def test_mapped_columns_and_given_labels(tmp_path):
    path = write(tmp_path, "x.jsonl", lines(*[{"s": f"t{k}", "y": k % 3} for k in range(6)]))
    task = load_task(path, columns={"text": "s", "label": "y"}, metric="f1", labels=("2", "1", "0"))
    assert task.kind == "classification" and task.metric == "f1"
    assert {e.texts[0]: e.label for rows in task.splits.values() for e in rows}["t0"] == 2
    assert load_task(path, columns={"text": "s", "label": "y"}).labels == ("0", "1", "2")


def test_numbers_are_sorted_as_numbers(tmp_path):
    path = write(tmp_path, "x.csv", "text,label\n" + "".join(f"t{k},{11 - k}\n" for k in range(12)))
    with pytest.raises(GPT1VizError, match="line 2: unknown label '11'; known are 1, 2, 9"):
        load_task({"train": write(tmp_path, "y.csv", "text,label\na,9\nb,1\nc,2\n"), "validation": path})
    assert load_task(path).labels == tuple(map(str, range(12)))


def test_columns_by_number_mean_no_header(tmp_path):
    path = write(tmp_path, "cola.tsv", "gj04\t1\t\tIt is so.\ngj04\t0\t*\tIs so it.\ncj99\t1\t\tFine.\n")
    task = load_task(path, columns={"text": 3, "label": 1})
    assert len([e for rows in task.splits.values() for e in rows]) == 3


def test_choices(tmp_path):
    rows = [{"question": f"q{k}", "choices": ["x", "y", "z"], "label": k % 3} for k in range(5)]
    path = write(tmp_path, "c.jsonl", lines(*rows))
    task = load_task(path, columns={"answers": "choices"})
    assert (task.kind, task.labels) == ("choice", ()) and len(task.splits["train"]) == 3
    assert TextExample(("", "q4", "x", "y", "z"), 1) in [e for rows in task.splits.values() for e in rows]
    table = write(
        tmp_path, "c.csv", "context,answer_1,answer_2,label\nIt rained.,wet,dry,A\nSun.,wet,dry,B\nFog.,a,b,A\n"
    )
    found = [e for rows in load_task(table).splits.values() for e in rows]
    assert TextExample(("Sun.", "", "wet", "dry"), 1) in found


def test_words_with_labels(tmp_path):
    listed = {"text": ["the", "fox"], "labels": ["other", "animal"]}
    task = load_task(
        write(tmp_path, "w.jsonl", lines(listed, {"text": "a cat ran", "labels": "other animal other"}, listed))
    )
    assert (task.kind, task.labels, task.metric) == ("token", ("animal", "other"), "f1")
    assert TextExample(("a cat ran",), (1, 0, 1)) in [e for rows in task.splits.values() for e in rows]


def test_scores(tmp_path):
    path = write(tmp_path, "s.csv", "a,b,label\nx,y,3.8\nx,z,0\nu,v,5\n")
    task = load_task(path, metric="pearson")
    assert (task.kind, task.labels, task.scores) == ("similarity", ("0", "1", "2", "3", "4", "5"), True)
    assert {e.label for rows in task.splits.values() for e in rows} == {3.8, 0.0, 5.0}
    tokenizer = Tokenizer.train(["x y z u v"] * 3, 32)
    config = GPT1Config(n_vocab=tokenizer.n_vocab, n_special=3, n_ctx=16, n_embd=12, n_layer=1, n_head=3)
    (example,) = task.lay_out("train", tokenizer, config)
    assert len(example.rows) == 2 and len(example.label) == 6 and sum(example.label) == pytest.approx(1)


# ---- what is wrong


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "text,label\na,1\n,0\n", "x.csv, line 3: nothing in column 'text'"),
        ("x.csv", "text,label\na,1\nb\n", "x.csv, line 3: there is no column 'label'"),
        ("x.csv", "text,label\na,1\nb,\n", "x.csv, line 3: nothing in column 'label'"),
        ("x.csv", "text,mood\na,1\n", "x.csv, line 1: the columns mood, text fit no kind of task"),
        ("x.csv", "text,label\na,1\nb,1\nc,1\n", "x.csv, up to line 4: every label is '1'"),
        ("x.csv", 'text,label\na,1\n"b,0\n', "x.csv, line 3: this row cannot be read"),
        ("x.csv", b"text,label\na,1\nb\x00c,0\n", "x.csv, line 3: binary data"),
        ("x.csv", "text,label\na,1\ncaf\xe9,0\n".encode("latin-1"), "x.csv, line 3: not UTF-8"),
        ("x.csv", "text,label\n", "x.csv holds no labelled rows"),
        ("x.csv", "", "x.csv holds no labelled rows"),
        ("x.csv", "text,label\na,1\nb,0\n", "x.csv: 2 rows are too few"),
        ("x.jsonl", '{"text": "a", "label": 1}\n\nno\n', "x.jsonl, line 3: not a JSON object"),
        ("x.jsonl", '{"text": "a b", "labels": ["x"]}\n', "x.jsonl, line 1: 1 labels for 2 words"),
        ("x.jsonl", '{"text": "a", "labels": ["x"]}\n' * 3, "x.jsonl, up to line 3: every label is 'x'"),
        (
            "x.jsonl",
            '{"question": "a", "answers": ["x"], "label": 0}\n',
            "x.jsonl, line 1: column 'answers' holds no list",
        ),
        (
            "x.jsonl",
            lines(
                {"question": "a", "answers": ["x", "y"], "label": 0},
                {"question": "a", "answers": ["x"] * 3, "label": 0},
            ),
            "x.jsonl, line 2: 3 answers where the rows before have 2",
        ),
        (
            "x.csv",
            "question,answer_1,answer_2,label\nq,x,y,0\nq,x,y,2\n",
            "x.csv, line 3: unknown label '2'; known are 0-1, A-B",
        ),
        ("x.csv", "context,answer_1,answer_2,label\n,x,y,0\n", "x.csv, line 2: nothing in column 'question'"),
        ("x.txt", "a", "x.txt is not a text file that can be read; it must end in one of .csv, .tsv, .jsonl"),
    ],
)
def test_bad_data_is_named_with_file_and_line(tmp_path, name, text, said):
    path = write(tmp_path, name, text)
    with pytest.raises(GPT1VizError) as fault:
        load_task(path)
    assert said in str(fault.value) and "\n" not in str(fault.value)
    assert fault.value.message("zh")


def test_a_label_that_training_lacks(tmp_path):
    write(tmp_path, "train.csv", "text,label\na,1\nb,0\n")
    write(tmp_path, "test.csv", "text,label\na,1\nb,2\n")
    with pytest.raises(GPT1VizError, match=r"test.csv, line 3: unknown label '2'; known are 0, 1\."):
        load_task(tmp_path)


@pytest.mark.parametrize("score", ["6", "-1", "much", "nan"])
def test_scores_out_of_range(tmp_path, score):
    path = write(tmp_path, "s.csv", f"a,b,label\nx,y,3\nx,y,{score}\n")
    with pytest.raises(GPT1VizError, match=r"line 3: .* is no score from 0 to 5"):
        load_task(path, metric="pearson")


def test_what_is_asked_for_must_be_there(tmp_path):
    with pytest.raises(GPT1VizError, match=r"no task or file 'mood'.*toy/mood.*glue/sst2"):
        load_task("mood")
    with pytest.raises(GPT1VizError, match="no task or file"):
        load_task(tmp_path)  # a folder without a train file
    path = write(tmp_path, "x.csv", PAIRS)
    with pytest.raises(GPT1VizError, match="no kind of task 'ranking'"):
        load_task(path, kind="ranking")
    with pytest.raises(GPT1VizError, match="metric"):
        load_task(path, metric="bleu")
    with pytest.raises(GPT1VizError, match="accuracy, f1, matthews"):
        load_task(path, kind="token", metric="pearson")
    with pytest.raises(GPT1VizError, match="line 2: there is no column 'text', only"):
        load_task(path, kind="classification")
    with pytest.raises(GPT1VizError, match="original files"):
        load_task("story-cloze")


# ---- the paper's sets


def parquet(folder, name: str, **columns):
    arrow, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write_table(arrow.table(columns), path)


def test_a_set_of_the_hub(tmp_path):
    parquet(tmp_path, "sst2/train/0000.parquet", sentence=["fine", "bad", "dull"], label=[1, 0, 0], idx=[0, 1, 2])
    parquet(tmp_path, "sst2/train/0001.parquet", sentence=["good"], label=[1], idx=[3])
    parquet(tmp_path, "sst2/validation/0000.parquet", sentence=["so so"], label=[1], idx=[0])
    parquet(tmp_path, "sst2/test/0000.parquet", sentence=["secret"], label=[-1], idx=[0])
    task = load_task("glue/sst2", folder=tmp_path)
    assert (task.kind, task.labels, task.metric) == ("classification", ("negative", "positive"), "accuracy")
    assert [e.label for e in task.splits["train"]] == [1, 0, 0, 1] and set(task.splits) == {"train", "validation"}


def test_sets_with_scores_choices_and_rows_without_label(tmp_path):
    for split in ("train", "validation"):
        parquet(tmp_path, f"stsb/{split}/0000.parquet", sentence1=["a", "b"], sentence2=["c", "d"], label=[2.5, 0.0])
        options = [["w", "x", "y", "z"]] * 2
        parquet(
            tmp_path,
            f"all/{split}/0.parquet",
            article=["t"] * 2,
            question=["q"] * 2,
            options=options,
            answer=["A", "D"],
        )
        texts = {"premise": ["p"] * 3, "hypothesis": ["h"] * 3}
        parquet(tmp_path, f"plain_text/{split}/0.parquet", **texts, label=[0, -1, 2])
        parquet(tmp_path, f"tsv_format/{split}/0.parquet", **texts, label=["entails", "neutral", "neutral"])
    parquet(tmp_path, "stsb/test/0000.parquet", sentence1=["a"], sentence2=["c"], label=[-1.0])
    assert [e.label for e in load_task("glue/stsb", folder=tmp_path).splits["train"]] == [2.5, 0.0]
    race = load_task("race", folder=tmp_path)
    assert race.splits["train"][1] == TextExample(("t", "q", "w", "x", "y", "z"), 3)
    assert [e.label for e in load_task("snli", folder=tmp_path).splits["train"]] == [0, 2]
    assert [e.label for e in load_task("scitail", folder=tmp_path).splits["validation"]] == [0, 1, 1]
    with pytest.raises(GPT1VizError, match="nothing at"):
        load_task("glue/rte", folder=tmp_path)


def test_every_set_has_layout_metric_and_labels():
    for name, of in papers_tasks.HUB.items():
        assert of.metric == {"glue/cola": "matthews", "glue/mrpc": "f1", "glue/qqp": "f1", "glue/stsb": "pearson"}.get(
            name, "accuracy"
        )
        assert (of.kind == "choice") == (not of.labels)


def test_a_set_of_the_hub_without_network():
    with pytest.raises(GPT1VizError, match="nyu-mll/glue"):
        load_task("glue/sst2")


def test_story_cloze(tmp_path):
    columns = "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4"
    columns += ",RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding\n"
    stories = "".join(f"id{k},One {k}.,Two.,Three.,Four.,Good.,Bad.,{1 + k % 2}\n" for k in range(1871))
    write(tmp_path, "cloze_test_val__spring2016 - cloze_test_ALL_val.csv", columns + stories)
    write(tmp_path, "cloze_test_test__spring2016 - cloze_test_ALL_test.csv", columns + stories[:700])
    with pytest.raises(GPT1VizError, match="line 18"):  # a row that was cut short
        load_task("story-cloze", folder=tmp_path)
    write(
        tmp_path, "cloze_test_test__spring2016 - cloze_test_ALL_test.csv", columns + stories[:1000].rpartition("\n")[0]
    )
    task = load_task("story-cloze", folder=tmp_path)
    assert (len(task.splits["train"]), len(task.splits["validation"])) == (1497, 374)  # as in 2018
    first = np.random.RandomState(3535999445).permutation(1871)[0]
    assert task.splits["validation"][0] == TextExample(
        (f"One {first}. Two. Three. Four.", "", "Good.", "Bad."), first % 2
    )


def test_sts_benchmark(shared):
    task = load_task("stsb", folder=shared / "tasks" / "similarity" / "stsb")
    assert [len(task.splits[split]) for split in ("train", "validation", "test")] == [5749, 1500, 1379]
    assert task.splits["train"][1] == TextExample(("A man is playing a large flute.", "A man is playing a flute."), 3.8)


def test_other_files_in_their_original_formats(shared):
    cola = shared / "tasks" / "classification" / "cola"
    files = {"train": cola / "in_domain_train.tsv", "validation": cola / "in_domain_dev.tsv"}
    task = load_task(files, columns={"text": 3, "label": 1}, metric="matthews")
    assert [len(rows) for rows in task.splits.values()] == [8551, 527] and task.labels == ("0", "1")
    assert task.splits["train"][0] == TextExample(
        ("Our friends won't buy this analysis, let alone the next one we propose.",), 1
    )
    book = load_task(shared / "tasks" / "multiple_choice" / "openbookqa", columns={"answers": "choices"})
    assert (len(book.splits["test"]), len(book.splits["train"]) + len(book.splits["validation"])) == (500, 4957)
