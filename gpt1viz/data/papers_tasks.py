"""The paper's labelled sets (table 1), each with its layout and metric.

By hub name: GLUE's, SNLI, SciTail and RACE, from the parquet copies that the Hugging Face hub makes of every set, so
that no set's script is run. From their original files: Story Cloze and STS-B. The test labels of GLUE's sets are not
public, so that these tasks have no test split.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..download import hub_faults
from ..errors import GPT1VizError
from .hub_text import REVISION
from .rows import Column, Raw, build_task, read_raw
from .tables import Row, read_table
from .task import SPLITS, Task

UNLABELLED = ("-1", "-1.0")
NLI = ("entailment", "neutral", "contradiction")
_PAIR = {"premise": "sentence1", "hypothesis": "sentence2"}
_SAME = {"a": "sentence1", "b": "sentence2"}


@dataclass(frozen=True)
class HubSet:
    """Where a set lies on the hub and how it is read.

    `splits` names the hub's splits where they are not called train, validation and test. The hub counts classes from
    0, in the order of `labels`, or writes them out.
    """

    repo: str
    config: str
    kind: str
    columns: Mapping[str, Column]
    labels: tuple[str, ...]
    metric: str = "accuracy"
    splits: Mapping[str, str] = field(default_factory=dict)


def _glue(config: str, kind: str, columns: Mapping[str, Column], labels: tuple[str, ...], metric="accuracy", **options):
    return HubSet("nyu-mll/glue", config, kind, columns, labels, metric, **options)


def _race(config: str) -> HubSet:
    columns = {"context": "article", "question": "question", "answers": "options", "label": "answer"}
    return HubSet("ehovy/race", config, "choice", columns, ())


HUB: dict[str, HubSet] = {
    "glue/cola": _glue("cola", "classification", {"text": "sentence"}, ("unacceptable", "acceptable"), "matthews"),
    "glue/sst2": _glue("sst2", "classification", {"text": "sentence"}, ("negative", "positive")),
    "glue/mrpc": _glue("mrpc", "similarity", _SAME, ("different", "same"), "f1"),
    "glue/qqp": _glue("qqp", "similarity", {"a": "question1", "b": "question2"}, ("different", "same"), "f1"),
    "glue/stsb": _glue("stsb", "similarity", _SAME, ("0", "1", "2", "3", "4", "5"), "pearson"),
    "glue/mnli": _glue("mnli", "entailment", {}, NLI, splits={"validation": "validation_matched", "test": ""}),
    "glue/mnli-mm": _glue("mnli", "entailment", {}, NLI, splits={"validation": "validation_mismatched", "test": ""}),
    "glue/qnli": _glue(
        "qnli", "entailment", {"premise": "sentence", "hypothesis": "question"}, ("entailment", "not_entailment")
    ),
    "glue/rte": _glue("rte", "entailment", _PAIR, ("entailment", "not_entailment")),
    "snli": HubSet("stanfordnlp/snli", "plain_text", "entailment", {}, NLI),
    "scitail": HubSet("allenai/scitail", "tsv_format", "entailment", {}, ("entails", "neutral")),
    "race": _race("all"),
    "race/middle": _race("middle"),
    "race/high": _race("high"),
}
NAMES = (*HUB, "stsb", "story-cloze")


def load(name: str, folder: str | Path | None = None) -> Task:
    """One of NAMES.

    Args:
        folder: for a set of the hub, its files as the hub has them (config/split/*.parquet) instead of a download;
            "stsb": sts-train.csv, sts-dev.csv, sts-test.csv; "story-cloze": the two files of spring 2016.

    Raises:
        GPT1VizError: no network, no such files, pyarrow is not installed, or bad data.
    """
    if name in HUB:
        return _from_parquet(name, HUB[name], _download(HUB[name]) if folder is None else Path(folder))
    if folder is None:
        raise GPT1VizError("task_folder", name=name)
    return {"stsb": _sts_b, "story-cloze": _story_cloze}[name](Path(folder))


# ---- the hub


def _download(of: HubSet) -> Path:
    from huggingface_hub import snapshot_download

    with hub_faults(of.repo):
        pattern = f"{of.config}/*/*.parquet"
        return Path(snapshot_download(of.repo, repo_type="dataset", revision=REVISION, allow_patterns=[pattern]))


def _from_parquet(name: str, of: HubSet, folder: Path) -> Task:
    splits = {}
    for split in SPLITS:
        files = sorted((folder / of.config / (of.splits.get(split, split) or "-")).glob("*.parquet"))
        if not files and split == "train":
            raise GPT1VizError("text_missing", path=folder / of.config / split)
        raws = [
            raw for file in files if (rows := _labelled(file, of)) for raw in read_raw(rows, of.kind, of.columns, file)
        ]
        if raws:
            splits[split] = (raws, files[0])
    return build_task(name, of.kind, of.metric, splits, of.labels)


def _labelled(path: Path, of: HubSet) -> list[tuple[int, Row]]:
    """(number from 1, row) of the rows that have a label, the label by its name."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise GPT1VizError("task_pyarrow") from None
    column = str(of.columns.get("label", "label"))
    names = {} if of.metric == "pearson" else {str(number): name for number, name in enumerate(of.labels)}
    found = []
    for number, row in enumerate(parquet.read_table(path).to_pylist(), 1):
        label = str(row.get(column))
        if label not in UNLABELLED:
            found.append((number, {**row, column: names.get(label, label)}))
    return found


# ---- original files


def _sts_b(folder: Path) -> Task:
    """The STS Benchmark: tab-separated in spite of the name, score in column 5, sentences in 6 and 7."""
    files = {"train": "sts-train.csv", "validation": "sts-dev.csv", "test": "sts-test.csv"}
    columns = {"a": 5, "b": 6, "label": 4}
    splits = {}
    for split, file in files.items():
        path = folder / file
        rows = read_table(path, header=False, tabs=True)
        splits[split] = (read_raw(rows, "similarity", columns, path), path)
    return build_task("stsb", "similarity", "pearson", splits)


def _story_cloze(folder: Path) -> Task:
    """Story Cloze, spring 2016: the 2018 code trains on 1,497 of the validation file's 1,871 stories and keeps 374."""
    validation, test = (_one(folder, f"cloze_test_{part}__spring2016*.csv") for part in ("val", "test"))
    stories = _stories(validation)
    # As train_test_split(test_size=374, random_state=3535999445) of scikit-learn draws them (datasets.py of 2018).
    order = np.random.RandomState(3535999445).permutation(len(stories))
    kept = len(stories) * 374 // 1871
    splits = {
        "train": ([stories[k] for k in order[kept:]], validation),
        "validation": ([stories[k] for k in order[:kept]], validation),
        "test": (_stories(test), test),
    }
    return build_task("story-cloze", "choice", "accuracy", splits)


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise GPT1VizError("text_missing", path=folder / pattern)
    return found[0]


def _stories(path: Path) -> list[Raw]:
    """Four sentences and two endings; AnswerRightEnding is 1 or 2."""

    def rows() -> Iterator[tuple[int, Row]]:
        for line, row in read_table(path):
            story = " ".join(str(row.get(f"InputSentence{k}", "")).strip() for k in range(1, 5))
            right = {"1": "A", "2": "B"}.get(str(row.get("AnswerRightEnding")), row.get("AnswerRightEnding"))
            yield line, {**row, "context": story, "label": right}

    columns = {"answers": ["RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"]}
    return read_raw(rows(), "choice", columns, path)
