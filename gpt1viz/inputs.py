"""The task layouts: texts and choices become rows of ids with a start, a delimiter and an extract token.

    classification    start text extract
    entailment        start premise delim hypothesis extract
    similarity        start a delim b extract   AND   start b delim a extract
    choice            for each answer: start context question delim answer extract
    token             start text extract, read at every word

The three special rows follow the vocabulary's: start n_vocab, delimiter n_vocab + 1, extract n_vocab + 2.
Source: paper section 3.3 and figure 1; `transform_roc` in the 2018 train.py. Token classification is not in the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import GPT1Config
from .errors import GPT1VizError
from .tokenizer import Piece, Tokenizer

KINDS = ("classification", "entailment", "similarity", "choice", "token")
TRUNCATIONS = ("2018", "balanced")
N_SPECIAL = 3
SPECIAL_ENTRIES = ("_start_", "_delimiter_", "_classify_")  # names of 2018
IGNORED = -100  # a token that no label belongs to, as in F.cross_entropy
_NAMES = {
    "classification": ("text",),
    "entailment": ("premise", "hypothesis"),
    "similarity": ("a", "b"),
    "token": ("text",),
}


@dataclass(frozen=True)
class Span:
    """Where the tokens `start` to `end` - 1 of a row came from; `cut` tokens more did not fit.

    Names: "start", "delim", "extract" for the special tokens; "text", "premise", "hypothesis", "a", "b", "context",
    "question", "answer" for the texts.
    """

    name: str
    start: int
    end: int
    cut: int = 0


@dataclass(frozen=True)
class Row:
    """One sequence that the model reads.

    Attributes:
        ids: T token rows.
        spans: where they came from, in order, without gap.
        extract: position of the extract token, the last.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    extract: int

    @property
    def positions(self) -> range:
        """Rows of `positions_embed`, one a token. In the joint matrix of 2018 they follow the special rows."""
        return range(len(self.ids))

    @property
    def mask(self) -> tuple[int, ...]:
        """1 for each token, as `lm_loss` wants it: all but the first are predicted, the extract token too."""
        return (1,) * len(self.ids)


@dataclass(frozen=True)
class Example:
    """The rows of one example: one, both orders, or one a choice.

    `label` is a class or choice (int), a distribution over classes (floats), a class for each token of the row
    (ints, IGNORED where there is none), or None.
    """

    rows: tuple[Row, ...]
    label: int | tuple[float, ...] | tuple[int, ...] | None = None


@dataclass(frozen=True)
class Batch:
    """Examples side by side, padded behind with row 0, where no token looks.

    Attributes:
        ids: (B, T), or (B, 2, T) for similarity and (B, K, T) for choice, int64.
        mask: the same shape, float32: 1 for tokens, 0 for padding.
        extract: (B,), (B, 2) or (B, K), positions of the extract tokens, int64.
        labels: (B,) int64; (B, n_classes) float32 where they are distributions; (B, T) int64 for tokens; or None.
    """

    ids: Tensor
    mask: Tensor
    extract: Tensor
    labels: Tensor | None

    def to(self, device: torch.device | str) -> "Batch":
        """The same on another device."""
        labels = None if self.labels is None else self.labels.to(device)
        return Batch(self.ids.to(device), self.mask.to(device), self.extract.to(device), labels)


def check_kind(kind: str) -> None:
    """Raises GPT1VizError where there is no such layout."""
    if kind not in KINDS:
        raise GPT1VizError("task_kind", kind=kind, allowed=", ".join(KINDS))


def layout(
    kind: str,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    config: GPT1Config,
    *,
    label: int | float | tuple[int, ...] | None = None,
    n_classes: int = 0,
    truncation: str = "2018",
) -> Example:
    """Lay one example out.

    Args:
        kind: one of KINDS.
        texts: (text), (premise, hypothesis), (a, b), (context, question, answer, answer, ...) with context or question
            possibly empty, or for "token" (text) whose words stand between blanks.
        tokenizer, config: of the model; config.n_special is 3.
        label: class, choice, score (a float, split between its two neighbouring classes), or a class for each word.
        n_classes: how many classes there are; needed for a score only.
        truncation: "2018" keeps the first n_ctx // 2 - 2 tokens of each of two segments and n_ctx - 2 of one;
            "balanced" fills all n_ctx positions, cutting from the end of the longer segment first.

    Raises:
        GPT1VizError: an unknown kind or truncation, the wrong number of texts or labels, a model without the three
            special rows or with too few positions, or another tokenizer than the model's.
    """
    check_kind(kind)
    if truncation not in TRUNCATIONS:
        raise GPT1VizError("config_choice", field="truncation", value=truncation, allowed=", ".join(TRUNCATIONS))
    _check(kind, texts, tokenizer, config)
    if kind == "token":
        return _token_example(texts[0], tokenizer, config, label if isinstance(label, tuple) else None)
    ids = [tokenizer.encode(text) for text in texts]
    if kind == "choice":
        context, question, *answers = ids
        rows = [
            _row([("context", context), ("question", question)], [("answer", answer)], config, truncation)
            for answer in answers
        ]
    elif len(ids) == 1:
        rows = [_row([("text", ids[0])], None, config, truncation)]
    else:
        first, second = zip(_NAMES[kind], ids, strict=True)
        rows = [_row([first], [second], config, truncation)]
        if kind == "similarity":
            rows.append(_row([second], [first], config, truncation))
    return Example(tuple(rows), split_score(label, n_classes) if isinstance(label, float) else label)


def split_score(score: float, n_classes: int) -> tuple[float, ...]:
    """A score y from 0 to n_classes - 1 as a distribution with mean y: on floor(y) and floor(y) + 1 (STS-B, 2018)."""
    return tuple(max(0.0, 1.0 - abs(score - k)) for k in range(n_classes))


def collate(examples: Sequence[Example], length: int | None = None) -> Batch:
    """Put examples side by side.

    Args:
        examples: laid out alike, with equally many rows each.
        length: T; by default the longest row's (as in 2018, where n_ctx shrinks to the longest input).
    """
    n_rows = len(examples[0].rows)
    longest = max(len(row.ids) for example in examples for row in example.rows) if length is None else length
    shape = (len(examples), n_rows, longest)
    ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
    for b, example in enumerate(examples):
        for k, row in enumerate(example.rows):
            ids[b, k, : len(row.ids)] = torch.tensor(row.ids)
            mask[b, k, : len(row.ids)] = 1.0
    extract = torch.tensor([[row.extract for row in example.rows] for example in examples])  # (B, K)
    if n_rows == 1:
        ids, mask, extract = ids[:, 0], mask[:, 0], extract[:, 0]
    return Batch(ids, mask, extract, _labels(examples, longest))


def pieces(row: Row, tokenizer: Tokenizer) -> list[Piece]:
    """A row's tokens as people see them; the special ones by their names of 2018 (`_start_`, ...)."""
    shown = []
    for id in row.ids:
        if id < tokenizer.n_vocab:
            shown += tokenizer.pieces([id])
        else:
            entry = SPECIAL_ENTRIES[id - tokenizer.n_vocab]
            shown.append(Piece(id, entry, entry, True, False, False, -1, -1))
    return shown


def _check(kind: str, texts: Sequence[str], tokenizer: Tokenizer, config: GPT1Config) -> None:
    wanted = len(_NAMES.get(kind, ())) or max(4, len(texts))  # choice: context, question, at least two answers
    if len(texts) != wanted:
        raise GPT1VizError("layout_texts", kind=kind, found=len(texts), wanted=wanted)
    if tokenizer.n_vocab != config.n_vocab:
        raise GPT1VizError("layout_vocab", found=tokenizer.n_vocab, wanted=config.n_vocab)
    if config.n_special != N_SPECIAL:
        raise GPT1VizError("layout_special", found=config.n_special)
    if config.n_ctx < 6:  # start, delimiter, extract and a token of each segment; n_ctx // 2 - 2 = 1
        raise GPT1VizError("layout_n_ctx", n_ctx=config.n_ctx)


def _row(first: list, second: list | None, config: GPT1Config, truncation: str) -> Row:
    """start first (delim second) extract; each segment a list of (name, ids) that are cut as one."""
    segments = [first] if second is None else [first, second]
    lengths = [sum(len(ids) for _, ids in segment) for segment in segments]
    start = config.n_vocab
    ids, spans = [start], [Span("start", 0, 1)]
    for number, (segment, room) in enumerate(zip(segments, _room(lengths, config.n_ctx, truncation), strict=True)):
        if number:
            spans.append(Span("delim", len(ids), len(ids) + 1))
            ids.append(start + 1)
        for name, tokens in segment:
            kept = tokens[:room]
            room -= len(kept)
            if tokens:
                spans.append(Span(name, len(ids), len(ids) + len(kept), len(tokens) - len(kept)))
            ids += kept
    spans.append(Span("extract", len(ids), len(ids) + 1))
    ids.append(start + 2)
    return Row(tuple(ids), tuple(spans), len(ids) - 1)


def _room(lengths: list[int], n_ctx: int, truncation: str) -> list[int]:
    """How many tokens of each segment are kept."""
    if len(lengths) == 1:
        return [n_ctx - 2]
    if truncation == "2018":
        return [n_ctx // 2 - 2] * 2
    room = n_ctx - N_SPECIAL
    less = min(*lengths, room // 2)  # the shorter one, or half where both are long
    return [room - less, less] if lengths[0] > lengths[1] else [less, room - less]


def _token_example(text: str, tokenizer: Tokenizer, config: GPT1Config, label: tuple[int, ...] | None) -> Example:
    """A word's label stands at its last token, where a model that reads from left to right has seen all of it."""
    words = text.split()
    if label is not None and len(label) != len(words):
        raise GPT1VizError("layout_word_labels", found=len(label), wanted=len(words), text=text[:60])
    ids, labels = [], []
    for number, word in enumerate(words):
        tokens = tokenizer.encode(word)
        ids += tokens
        labels += [IGNORED] * (len(tokens) - 1) + ([IGNORED if label is None else label[number]] if tokens else [])
    row = _row([("text", ids)], None, config, "2018")
    kept = row.extract - 1
    return Example((row,), None if label is None else (IGNORED, *labels[:kept], IGNORED))


def _labels(examples: Sequence[Example], length: int) -> Tensor | None:
    labels = [example.label for example in examples]
    if any(label is None for label in labels):
        return None
    if isinstance(labels[0], tuple) and isinstance(labels[0][0], int):  # a class for each token
        labels = [label + (IGNORED,) * (length - len(label)) for label in labels]
    return torch.tensor(labels)
