"""The other way to split for GPT-1: as BERT does it, which is what common libraries feed the model.

Hugging Face's `OpenAIGPTTokenizer` (transformers 5) has BERT's normaliser and splitter before the same BPE. The 2018
code split as spaCy did, and the model has seen nothing else: "isn't" is the words `is n't` there and `isn ' t` here.
Newlines and accents vanish.
"""

from typing import NamedTuple

from .tokenizer import NEWLINE_ENTRY, Piece, Tokenizer


class Stretch(NamedTuple):
    """Neighbouring tokens of a text, as 2018 and as the other splitter have them; `same` where nothing differs."""

    ours: tuple[Piece, ...]
    theirs: tuple[Piece, ...]

    @property
    def same(self) -> bool:
        """Whether both give the same ids."""
        return [piece.id for piece in self.ours] == [piece.id for piece in self.theirs]


def other_pieces(tokenizer: Tokenizer, text: str) -> list[Piece]:
    """The tokens that BERT-style splitting makes of `text`, with their places in it as typed."""
    from tokenizers import Tokenizer as Library
    from tokenizers import normalizers, pre_tokenizers

    library = Library(tokenizer._bpe)
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found = library.encode(text)
    return [_piece(tokenizer, text, id, *span) for id, span in zip(found.ids, found.offsets, strict=True)]


def _piece(tokenizer: Tokenizer, text: str, id: int, start: int, end: int) -> Piece:
    [piece] = tokenizer.pieces([id])
    typed = text[start:end] if piece.unknown else piece.text
    return Piece(id, piece.entry, typed, piece.word_end, piece.entry == NEWLINE_ENTRY, piece.unknown, start, end)


def compare(tokenizer: Tokenizer, text: str) -> list[Stretch]:
    """Both splittings side by side, cut wherever both have a boundary at the same place of the text."""
    ours, theirs = tokenizer.tokenize(text), other_pieces(tokenizer, text)
    stretches, i, j = [], 0, 0
    while i < len(ours) or j < len(theirs):
        first_i, first_j = i, j
        i, j = _next_cut(ours, theirs, i, j)
        stretches.append(Stretch(tuple(ours[first_i:i]), tuple(theirs[first_j:j])))
    return stretches


def _next_cut(ours: list[Piece], theirs: list[Piece], i: int, j: int) -> tuple[int, int]:
    """How far both go until they end at the same place, or one of them has a gap before the other's next token."""
    end_i = end_j = -1
    while True:
        next_i = ours[i].start if i < len(ours) else None
        next_j = theirs[j].start if j < len(theirs) else None
        behind = max(end_i, end_j)
        open_i, open_j = next_i is not None and next_i < behind, next_j is not None and next_j < behind
        if behind < 0:  # the one that starts first, or both
            open_i = next_i is not None and (next_j is None or next_i <= next_j)
            open_j = next_j is not None and (next_i is None or next_j <= next_i)
        if not open_i and not open_j:
            return i, j
        if open_i:
            end_i, i = max(end_i, ours[i].end), i + 1
        if open_j:
            end_j, j = max(end_j, theirs[j].end), j + 1
