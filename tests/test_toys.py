"""The toy tasks are settled: their very texts, their balance, and how little a bag of words learns from them."""

import re
from collections import Counter
from functools import cache
from hashlib import sha256

import numpy as np
import pytest

from gpt1viz.checkpoints import load
from gpt1viz.config import GPT1Config
from gpt1viz.data.task import Task
from gpt1viz.data.tasks import load_task
from gpt1viz.data.toys import TOYS, belongings, endings, kinds, mood, same, toy
from gpt1viz.data.toys.words import TEST, TRAIN
from gpt1viz.errors import GPT1VizError
from gpt1viz.training.metrics import accuracy, f1

CHANCE = {"toy/mood": 1 / 2, "toy/belongings": 1 / 3, "toy/same": 1 / 2, "toy/endings": 1 / 2}
every_task = pytest.mark.parametrize("name", TOYS)


@cache
def task(name: str) -> Task:
    return toy(name)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|[.,!?:]", text.lower())


# ---- settled


DIGESTS = {
    "toy/mood": "a320cfd889c34ae6",
    "toy/belongings": "15f6e471a94fdf6c",
    "toy/same": "c190c1945ba018a2",
    "toy/endings": "d449dd39ab048a5d",
    "toy/kinds": "5049ebde58b64b4c",
}


@every_task
def test_the_examples_do_not_change(name):
    """Fine-tuned models and the figures of the README rest on these very texts."""
    whole = repr([(split, [(e.texts, e.label) for e in rows]) for split, rows in task(name).splits.items()])
    assert sha256(whole.encode()).hexdigest()[:16] == DIGESTS[name]
    assert toy(name).splits == task(name).splits
    assert toy(name, seed=1).splits["test"] != task(name).splits["test"]


@every_task
def test_sizes_and_kinds(name):
    found = task(name)
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 2000, "validation": 400, "test": 400}
    assert load_task(name) == found
    assert toy(name, sizes={"train": 20, "test": 5}).splits["train"] == toy(name, sizes={"train": 20}).splits["train"]


def test_there_is_one_of_each_kind():
    assert [task(name).kind for name in TOYS] == ["classification", "entailment", "similarity", "choice", "token"]
    with pytest.raises(GPT1VizError, match="toy/mood"):
        toy("toy/joke")


# ---- fair


@every_task
def test_no_text_occurs_twice(name):
    texts = [example.texts for rows in task(name).splits.values() for example in rows]
    assert len(set(texts)) == len(texts)


@every_task
def test_labels_are_balanced(name):
    for rows in task(name).splits.values():
        if name == "toy/kinds":
            counts = Counter(label for example in rows for label in example.label)
            shares = [counts[k] / sum(counts[j] for j in range(1, 5)) for k in range(1, 5)]
            assert max(shares) - min(shares) < 0.05
        else:
            counts = Counter(example.label for example in rows)
            assert len(counts) == round(1 / CHANCE[name]) and max(counts.values()) - min(counts.values()) <= 1


@every_task
def test_length_tells_nothing(name):
    """The label goes neither with the number of words nor with the order of the examples."""
    if name == "toy/kinds":
        assert {sum(label > 0 for label in e.label) >= 4 for e in task(name).splits["train"]} == {True}
        return
    rows = task(name).splits["train"]
    labels = np.array([example.label for example in rows])
    if name == "toy/endings":
        lengths = np.array([len(words(e.texts[2])) - len(words(e.texts[3])) for e in rows])
    else:
        lengths = np.array([len(words(" ".join(e.texts))) for e in rows])
    for value in (lengths, np.arange(len(rows))):
        for label in set(labels):
            assert abs(np.corrcoef(value, labels == label)[0, 1]) < 0.1


def test_the_words_of_the_test_are_new():
    assert not {*TRAIN.names, *TRAIN.animals, *TRAIN.things} & {*TEST.names, *TEST.animals, *TEST.things}
    assert not {place for place, _ in TRAIN.places} & {place for place, _ in TEST.places}
    for part in (mood, belongings, same, endings, kinds):
        train, test = (set(templates(part.PARTS[name])) for name in ("train", "test"))
        assert len(train) > 10 and len(test) > 5
        shared = {text for text in train & test if " " in text.strip() and "named" not in text}
        assert all(len(text.split()) <= 3 for text in shared), shared  # "the {beast}" and the like


def templates(part) -> list[str]:
    """Every text in a Part, however deep."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [text for value in part.values() for text in templates(value)]
    if isinstance(part, tuple):
        return [text for value in part for text in templates(value)]
    if hasattr(part, "girls"):  # words.Words
        return []
    return [text for value in vars(part).values() for text in templates(value)]


@every_task
def test_names_and_nouns_stay_apart(name):
    train, validation, test = (
        {word for example in task(name).splits[split] for text in example.texts for word in words(text)}
        for split in ("train", "validation", "test")
    )
    own = {word.lower() for word in (*TRAIN.names, *TRAIN.animals, *TRAIN.things)}
    assert not own & test and len(own & train) > 20
    assert len(validation - train) <= 2


# ---- for children, and for the bundled model


@every_task
def test_the_bundled_vocabulary_knows_every_word(name):
    tokenizer = load("storybook").tokenizer
    config = GPT1Config(n_vocab=tokenizer.n_vocab, n_special=3, n_ctx=256, n_embd=12, n_layer=1, n_head=3)
    vocabulary = sorted({w for rows in task(name).splits.values() for e in rows for t in e.texts for w in words(t)})
    pieces = [tokenizer.encode(word) for word in vocabulary]
    assert all(ids and 0 not in ids and len(ids) <= 4 for ids in pieces)
    assert sum(map(len, pieces)) / len(pieces) < 1.7
    laid_out = task(name).lay_out("test", tokenizer, config)
    assert max(len(row.ids) for example in laid_out for row in example.rows) < 64


# ---- not for a bag of words


def logistic_regression(x: np.ndarray, y: np.ndarray, n_classes: int, steps: int = 300) -> np.ndarray:
    """Weights (features, classes) after plain gradient descent, with a little weight decay."""
    weights, target = np.zeros((x.shape[1], n_classes)), np.eye(n_classes)[y]
    for _ in range(steps):
        scores = np.exp(x @ weights - (x @ weights).max(1, keepdims=True))
        weights -= 0.5 * (x.T @ (scores / scores.sum(1, keepdims=True) - target) / len(x) + 1e-3 * weights)
    return weights


def bags(found: Task, split: str, vocabulary: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the words, those of each text apart (of two endings their difference), and labels."""
    rows = found.splits[split]
    x = np.zeros((len(rows), len(vocabulary) + 1))
    x[:, -1] = 1.0
    for number, example in enumerate(rows):
        for word, count in counted(found, example):
            if word in vocabulary:
                x[number, vocabulary[word]] += count
    return x, np.array([example.label for example in rows])


def counted(found: Task, example) -> list[tuple[str, int]]:
    if found.kind == "choice":
        return [(word, sign) for text, sign in zip(example.texts[2:], (1, -1), strict=True) for word in words(text)]
    return [(f"{number} {word}", 1) for number, text in enumerate(example.texts) for word in words(text)]


@pytest.mark.parametrize("name", CHANCE)
def test_a_bag_of_words_is_far_from_perfect(name):
    """Some verbs of belongings hint at the answer; elsewhere single words tell nothing."""
    found = task(name)
    seen = sorted({word for example in found.splits["train"] for word, _ in counted(found, example)})
    vocabulary = {word: number for number, word in enumerate(seen)}
    x, y = bags(found, "train", vocabulary)
    weights = logistic_regression(x, y, round(1 / CHANCE[name]))
    for split in ("validation", "test"):
        x, y = bags(found, split, vocabulary)
        most = 0.75 if name == "toy/belongings" else CHANCE[name] + 0.1
        assert accuracy((x @ weights).argmax(1), y) < most


def test_a_dictionary_of_kinds_is_far_from_perfect():
    """Each word's most frequent class in training; a word that is new is "other"."""
    found, counts = task("toy/kinds"), {}
    for example in found.splits["train"]:
        for word, label in zip(example.texts[0].split(), example.label, strict=True):
            counts.setdefault(word, Counter())[label] += 1
    scores = {}
    for split in ("validation", "test"):
        both = [
            (counts[word].most_common(1)[0][0] if word in counts else 0, label)
            for example in found.splits[split]
            for word, label in zip(example.texts[0].split(), example.label, strict=True)
        ]
        scores[split] = f1(*np.array(both).T)
    assert scores["validation"] < 0.9 and scores["test"] < 0.3
