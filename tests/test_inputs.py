"""The layouts are those of the paper's figure 1, cut as in 2018, and padding changes nothing."""

import pytest
import torch
from tiny import close, tiny_model

from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError
from gpt1viz.inputs import IGNORED, KINDS, collate, layout, pieces, split_score
from gpt1viz.model import TaskHead, lm_loss
from gpt1viz.text.tokens import label as shown
from gpt1viz.tokenizer import Tokenizer

WORDS = "the cat sat on a mat and dog ran"
TOKENIZER = Tokenizer.train([WORDS] * 3, 64)
N = TOKENIZER.n_vocab
START, DELIM, EXTRACT = N, N + 1, N + 2
CONFIG = GPT1Config(n_vocab=N, n_special=3, n_ctx=24, n_embd=12, n_layer=2, n_head=3)
TEXTS = {
    "classification": ("the cat sat",),
    "entailment": ("the cat sat on a mat", "the dog ran"),
    "similarity": ("the cat sat", "a dog ran on"),
    "choice": ("the cat sat", "on a", "mat", "dog and dog", "ran"),
    "token": ("the cat sat on a mat",),
}


def ids(text: str) -> list[int]:
    return TOKENIZER.encode(text)


def rows(kind: str, *texts: str, n_ctx: int = 24, **options) -> list[list[int]]:
    config = GPT1Config(**(CONFIG.to_dict() | {"n_ctx": n_ctx}))
    example = layout(kind, texts or TEXTS[kind], TOKENIZER, config, **options)
    return [list(row.ids) for row in example.rows]


def test_the_words_of_these_tests_are_single_tokens():
    assert len(ids(WORDS)) == len(WORDS.split()) == len(set(ids(WORDS)))


def test_one_text():
    assert rows("classification") == [[START, *ids("the cat sat"), EXTRACT]]


def test_a_pair_has_a_delimiter():
    assert rows("entailment") == [[START, *ids("the cat sat on a mat"), DELIM, *ids("the dog ran"), EXTRACT]]


def test_similarity_reads_both_orders():
    a, b = map(ids, TEXTS["similarity"])
    assert rows("similarity") == [[START, *a, DELIM, *b, EXTRACT], [START, *b, DELIM, *a, EXTRACT]]


def test_choices_get_a_row_each_and_context_and_question_are_one_segment():
    context, question, *answers = map(ids, TEXTS["choice"])
    assert rows("choice") == [[START, *context, *question, DELIM, *answer, EXTRACT] for answer in answers]
    assert rows("choice", "", "on a", "mat", "ran")[0] == [START, *ids("on a"), DELIM, *ids("mat"), EXTRACT]


@pytest.mark.parametrize("kind", KINDS)
def test_spans_name_every_token(kind):
    names = {
        "classification": ["start", "text", "extract"],
        "entailment": ["start", "premise", "delim", "hypothesis", "extract"],
        "similarity": ["start", "a", "delim", "b", "extract"],
        "choice": ["start", "context", "question", "delim", "answer", "extract"],
        "token": ["start", "text", "extract"],
    }[kind]
    texts = TEXTS[kind]
    example = layout(kind, texts, TOKENIZER, CONFIG)
    for number, row in enumerate(example.rows):
        ends = [0, *(span.end for span in row.spans)]
        assert [span.start for span in row.spans] == ends[:-1] and ends[-1] == len(row.ids) == len(row.mask)
        assert row.ids[row.extract] == EXTRACT and row.extract == len(row.ids) - 1
        assert list(row.positions) == list(range(len(row.ids)))
        assert [span.cut for span in row.spans] == [0] * len(row.spans)
        if kind != "similarity" or number == 0:
            assert [span.name for span in row.spans] == names
            own = [TOKENIZER.decode(row.ids[span.start : span.end]) for span in row.spans if span.name in {"b", "text"}]
            assert own in ([], [texts[-1]])
    if kind == "similarity":
        assert [span.name for span in example.rows[1].spans] == ["start", "b", "delim", "a", "extract"]


def test_truncation_of_2018_keeps_the_first_tokens_of_each_segment():
    long, short = ids("the cat sat on a mat and dog ran"), ids("a dog")
    # n_ctx 12: 12 // 2 - 2 = 4 of each, even though the second leaves room
    assert rows("entailment", WORDS, "a dog", n_ctx=12) == [[START, *long[:4], DELIM, *short, EXTRACT]]
    assert rows("entailment", WORDS, WORDS, n_ctx=12) == [[START, *long[:4], DELIM, *long[:4], EXTRACT]]
    assert rows("classification", WORDS, n_ctx=8) == [[START, *long[:6], EXTRACT]]
    assert rows("choice", "the cat sat", "on a mat", "a dog", WORDS, n_ctx=13) == [
        [START, *long[:4], DELIM, *short, EXTRACT],
        [START, *long[:4], DELIM, *long[:4], EXTRACT],
    ]


def test_balanced_truncation_cuts_the_longer_segment_first():
    long, short = ids(WORDS), ids("a dog")
    assert rows("entailment", WORDS, "a dog", n_ctx=12, truncation="balanced") == [
        [START, *long[:7], DELIM, *short, EXTRACT]
    ]
    assert rows("entailment", "a dog", WORDS, n_ctx=12, truncation="balanced") == [
        [START, *short, DELIM, *long[:7], EXTRACT]
    ]
    assert rows("entailment", WORDS, WORDS, n_ctx=12, truncation="balanced") == [
        [START, *long[:4], DELIM, *long[:5], EXTRACT]
    ]
    assert rows("entailment", WORDS, WORDS, n_ctx=21, truncation="balanced") == [[START, *long, DELIM, *long, EXTRACT]]


@pytest.mark.parametrize("truncation", ["2018", "balanced"])
@pytest.mark.parametrize("n_ctx", range(6, 24))
def test_special_tokens_are_never_cut(n_ctx, truncation):
    for kind, texts in TEXTS.items():
        long = [f"{text} {WORDS}" for text in texts]
        for row in rows(kind, *long, n_ctx=n_ctx, truncation=truncation):
            assert len(row) <= n_ctx
            assert [row[0], row[-1]] == [START, EXTRACT]
            assert row.count(DELIM) == (kind not in ("classification", "token"))


def test_a_span_says_how_much_was_cut():
    config = GPT1Config(**(CONFIG.to_dict() | {"n_ctx": 12}))
    row = layout("choice", ("the cat sat", "on a mat", "a dog", "ran"), TOKENIZER, config).rows[0]
    assert [(span.name, span.end - span.start, span.cut) for span in row.spans] == [
        ("start", 1, 0),
        ("context", 3, 0),
        ("question", 1, 2),
        ("delim", 1, 0),
        ("answer", 2, 0),
        ("extract", 1, 0),
    ]


def test_a_words_label_stands_at_its_last_token():
    example = layout("token", ("the catsat ran",), TOKENIZER, CONFIG, label=(0, 2, 1))
    n = len(ids("catsat"))
    assert n > 1
    assert example.label == (IGNORED, 0, *[IGNORED] * (n - 1), 2, 1, IGNORED)
    assert list(example.rows[0].ids) == [START, *ids("the catsat ran"), EXTRACT]
    short = GPT1Config(**(CONFIG.to_dict() | {"n_ctx": 6}))
    cut = layout("token", (WORDS,), TOKENIZER, short, label=tuple(range(9)))
    assert cut.label == (IGNORED, 0, 1, 2, 3, IGNORED) and len(cut.rows[0].ids) == 6


@pytest.mark.parametrize(
    ("score", "wanted"), [(3.8, (0, 0, 0, 0.2, 0.8, 0)), (5.0, (0, 0, 0, 0, 0, 1)), (0.0, (1, 0, 0, 0, 0, 0))]
)
def test_a_score_is_split_between_its_neighbours(score, wanted):
    found = split_score(score, 6)
    assert found == pytest.approx(wanted)
    assert layout("similarity", ("a", "a"), TOKENIZER, CONFIG, label=score, n_classes=6).label == found


def test_batches_are_as_long_as_their_longest_row():
    examples = [layout("choice", TEXTS["choice"], TOKENIZER, CONFIG, label=2) for _ in range(2)]
    batch = collate(examples)
    longest = max(map(len, rows("choice")))
    assert batch.ids.shape == batch.mask.shape == (2, 3, longest) and batch.ids.dtype == torch.int64
    assert batch.extract.tolist() == [[len(row) - 1 for row in rows("choice")]] * 2
    assert batch.mask.sum(-1).tolist() == [[len(row) for row in rows("choice")]] * 2
    assert batch.labels is not None and batch.labels.tolist() == [2, 2]
    assert collate(examples, length=20).ids.shape == (2, 3, 20)
    unlabelled = collate([layout("classification", ("a",), TOKENIZER, CONFIG)])
    assert unlabelled.ids.shape == (1, 3) and unlabelled.extract.tolist() == [2] and unlabelled.labels is None


def test_labels_of_scores_and_tokens():
    scores = [layout("similarity", ("a", "cat"), TOKENIZER, CONFIG, label=y, n_classes=3) for y in (0.5, 2.0)]
    assert collate(scores).labels.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    tokens = [layout("token", (text,), TOKENIZER, CONFIG, label=y) for text, y in [("a cat", (0, 1)), ("dog", (1,))]]
    x = IGNORED
    assert collate(tokens).labels.tolist() == [[x, 0, 1, x], [x, 1, x, x]]


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind):
    model = tiny_model(n_vocab=N, n_special=3, n_ctx=24)
    torch.manual_seed(0)
    head = TaskHead(kind, 12, ("x", "y"), clf_pdrop=0.0).eval()
    example = layout(kind, TEXTS[kind], TOKENIZER, model.config)
    scores, losses = [], []
    for length in (None, 24):
        batch = collate([example], length)
        flat = batch.ids.reshape(-1, batch.ids.shape[-1])
        logits, hidden = model(flat)
        scores.append(head(hidden.reshape(*batch.ids.shape, -1), batch.extract))
        losses.append(lm_loss(logits, flat, batch.mask.reshape(flat.shape)))
    assert close(losses[1], losses[0], 1e-6)
    if kind == "token":
        scores[1] = scores[1][:, : scores[0].shape[1]]
    assert close(scores[1], scores[0], 1e-6)


def test_pieces_show_the_special_tokens():
    row = layout("entailment", ("the cat", "ran"), TOKENIZER, CONFIG).rows[0]
    assert [shown(piece) for piece in pieces(row, TOKENIZER)] == [
        "▸start",
        "the",
        "cat",
        "¦delim",
        "ran",
        "◆extract",
    ]
    assert [piece.id for piece in pieces(row, TOKENIZER)] == list(row.ids)


@pytest.mark.parametrize(
    ("kind", "texts", "changes", "code"),
    [
        ("ranking", ("a",), {}, "task_kind"),
        ("entailment", ("a",), {}, "layout_texts"),
        ("choice", ("a", "b", "c"), {}, "layout_texts"),
        ("classification", ("a",), {"n_vocab": 99}, "layout_vocab"),
        ("classification", ("a",), {"n_special": 2}, "layout_special"),
        ("classification", ("a",), {"n_ctx": 5}, "layout_n_ctx"),
    ],
)
def test_what_cannot_be_laid_out(kind, texts, changes, code):
    with pytest.raises(GPT1VizError) as fault:
        layout(kind, texts, TOKENIZER, GPT1Config(**(CONFIG.to_dict() | changes)))
    assert fault.value.code == code and str(fault.value) and fault.value.message("zh")


def test_faults_of_options():
    with pytest.raises(GPT1VizError, match="2018, balanced"):
        layout("classification", ("a",), TOKENIZER, CONFIG, truncation="middle")
    with pytest.raises(GPT1VizError, match="3 labels for 2 words"):
        layout("token", ("a cat",), TOKENIZER, CONFIG, label=(0, 1, 0))
