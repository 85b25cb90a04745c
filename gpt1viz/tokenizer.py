"""Text to ids and back, as in 2018: the words of `words.py`, in lower case, then BPE with `</w>` on the last symbol.

Source: `text_utils.py` of openai/finetune-transformer-lm; paper section 4.1 (40,000 merges). The same pipeline serves
the released vocabulary and vocabularies trained here. BPE itself is done by `tokenizers`; `show_steps` does it again,
slowly, merge by merge.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

from .errors import GPT1VizError
from .reading import read_bytes
from .words import CLEANING, NEWLINE, UNKNOWN, chunks, join, split, typed_spans, words

WORD_END = "</w>"
NEWLINE_ENTRY = NEWLINE + WORD_END
_CACHED_CHUNKS = 200_000  # chunks whose ids are remembered; then the memory starts afresh
_CACHED_LENGTH = 40  # characters; longer chunks are rare and not worth remembering
_PARALLEL_FROM = 20_000_000  # characters, some five seconds of one core; below, starting processes gains little


@dataclass(frozen=True)
class Piece:
    """One token as people see it.

    `start` and `end` are character offsets into the text as typed (-1 for ids that nobody typed); `text` is `entry`
    without `</w>`, or for an unknown symbol the characters typed.
    """

    id: int
    entry: str
    text: str
    word_end: bool
    newline: bool
    unknown: bool
    start: int
    end: int


@dataclass(frozen=True)
class Merge:
    """One BPE merge in a word: every neighbouring `left`, `right` joined, and the word's symbols afterwards."""

    left: str
    right: str
    rank: int
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class WordSteps:
    """A word as split, in lower case, its first symbols, every merge in order, and the entries and ids it ends in."""

    word: str
    lower: str
    symbols: tuple[str, ...]
    merges: tuple[Merge, ...]
    entries: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Steps:
    """`texts`: ("typed", text), then (name, text) after each cleaning step of `words.CLEANING`; `words`: its words."""

    texts: tuple[tuple[str, str], ...]
    words: tuple[WordSteps, ...]


class Tokenizer:
    """The 2018 text pipeline over one vocabulary.

    Args:
        vocab: entry -> id, the ids being 0, 1, ... without a gap. Row 0 stands for every unknown symbol.
        merges: pairs of symbols, the first merged first; `merges` afterwards is pair -> rank.
    """

    def __init__(self, vocab: dict[str, int], merges: Sequence[tuple[str, str]]):
        from tokenizers.models import BPE

        self.vocab = vocab
        self.merges = {pair: rank for rank, pair in enumerate(merges)}
        self._entries = sorted(vocab, key=vocab.__getitem__)
        self._bpe = BPE(vocab=vocab, merges=list(merges), unk_token=self._entries[0], end_of_word_suffix=WORD_END)
        self._chunk_ids: dict[str, tuple[int, ...]] = {}

    def __reduce__(self):
        return Tokenizer, (self.vocab, list(self.merges))

    # ---- where it comes from and goes to

    @classmethod
    def from_files(cls, encoder_json: str | Path, merges_bpe: str | Path) -> "Tokenizer":
        """Read a vocabulary (JSON: entry -> id) and its merges (a pair a line).

        These are the 2018 release's two files or Hugging Face's vocab.json and merges.txt.

        Raises:
            GPT1VizError: `tokenizer_missing`, `_unreadable`, `_json`, `_vocab`, `_merge`, `_unmade`; it names the file.
        """
        vocab = _checked_vocab(_parse(_read(encoder_json), encoder_json), encoder_json)
        lines = _read(merges_bpe).split("\n")
        pairs = [line.split(" ") for line in lines if line.strip() and not line.startswith("#version")]
        return cls(vocab, _checked_merges(pairs, vocab, merges_bpe))

    @classmethod
    def from_json(cls, source: str | Path) -> "Tokenizer":
        """Read the `tokenizers` library's JSON, from a file or (a str that begins with "{") as it is.

        Raises:
            GPT1VizError: `tokenizer_missing`, `_unreadable`, `_json`, `_model`, `_vocab`, `_merge` or `_unmade`.
        """
        inline = isinstance(source, str) and source.lstrip().startswith("{")
        path = "tokenizer.json" if inline else source
        whole = _parse(str(source) if inline else _read(source), path)
        model = whole.get("model") if isinstance(whole, dict) else None
        if not isinstance(model, dict) or model.get("end_of_word_suffix") != WORD_END:
            raise GPT1VizError("tokenizer_model", path=str(path))
        vocab = _checked_vocab(model.get("vocab"), path)
        pairs = model.get("merges")
        pairs = (
            [pair.split(" ") if isinstance(pair, str) else pair for pair in pairs] if isinstance(pairs, list) else [[]]
        )
        return cls(vocab, _checked_merges(pairs, vocab, path))

    @classmethod
    def train(cls, texts: Iterable[str], n_vocab: int) -> "Tokenizer":
        """Learn `n_vocab` entries (fewer only where the text runs out of pairs) from `texts`, which may be a stream.

        Row 0 is `<unk>`, row 1 the newline. At most a third of the rows start out as characters, so that the rarest
        characters of a large text become unknown.

        Raises:
            GPT1VizError: `tokenizer_n_vocab` below 16 rows; `tokenizer_no_text` where there is nothing to learn from.
        """
        from tokenizers import Tokenizer as Library
        from tokenizers import models, pre_tokenizers, trainers

        if n_vocab < 16:
            raise GPT1VizError("tokenizer_n_vocab", n_vocab=n_vocab)
        library = Library(models.BPE(unk_token=UNKNOWN, end_of_word_suffix=WORD_END))
        library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        trainer = trainers.BpeTrainer(
            vocab_size=n_vocab,
            special_tokens=[UNKNOWN, NEWLINE_ENTRY],
            limit_alphabet=n_vocab // 3,
            end_of_word_suffix=WORD_END,
            show_progress=False,
        )
        library.train_from_iterator((" ".join(words(text)).lower() for text in texts), trainer)
        if library.get_vocab_size() <= 2:
            raise GPT1VizError("tokenizer_no_text")
        return cls.from_json(library.to_str())._in_order()

    def _in_order(self) -> "Tokenizer":
        """The characters' rows in order: the library numbers those that end words anew each time it learns.

        What it still leaves to chance is the order of merges that are equally frequent.
        """
        rows, merged = self._entries, {left + right for left, right in self.merges}
        characters = sorted(entry for entry in rows[2:] if entry not in merged)
        entries = [*rows[:2], *characters, *(entry for entry in rows[2:] if entry in merged)]
        return Tokenizer({entry: row for row, entry in enumerate(entries)}, list(self.merges))

    def to_json(self) -> str:
        """The `tokenizers` library's JSON: to be applied to words that are cleaned, split and in lower case already."""
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, pre_tokenizers

        library = Library(self._bpe)
        library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        library.decoder = decoders.BPEDecoder(suffix=WORD_END)
        library.add_special_tokens([entry for entry in (UNKNOWN, NEWLINE_ENTRY) if entry in self.vocab])
        return library.to_str(pretty=True)

    def save(self, path: str | Path) -> None:
        """Write `to_json()`, beside and renamed."""
        beside = Path(f"{path}.new")
        beside.write_text(self.to_json(), encoding="utf-8")
        os.replace(beside, path)

    # ---- looking up

    @property
    def n_vocab(self) -> int:
        """Rows of the vocabulary, without the special rows of a task."""
        return len(self._entries)

    def row(self, entry: str) -> int:
        """The id of an entry as the vocabulary writes it (`bit</w>`). Raises GPT1VizError `tokenizer_entry`."""
        if entry not in self.vocab:
            raise GPT1VizError("tokenizer_entry", entry=entry)
        return self.vocab[entry]

    def entry(self, id: int) -> str:
        """The entry of an id as the vocabulary writes it. Raises GPT1VizError `tokenizer_id`."""
        if not 0 <= id < len(self._entries):
            raise GPT1VizError("tokenizer_id", id=id, last=len(self._entries) - 1)
        return self._entries[id]

    # ---- encoding

    def _word_ids(self, word: str) -> list[int]:
        if word[0] == NEWLINE:
            return [self.vocab.get(NEWLINE_ENTRY, 0)]
        return [token.id for token in self._bpe.tokenize(word.lower())]

    def _ids_of(self, chunk: str) -> tuple[int, ...]:
        ids = self._chunk_ids.get(chunk)
        if ids is None:
            ids = tuple(id for word in split(chunk) for id in self._word_ids(word))
            if len(chunk) <= _CACHED_LENGTH:
                if len(self._chunk_ids) >= _CACHED_CHUNKS:
                    self._chunk_ids = {}
                self._chunk_ids[chunk] = ids
        return ids

    def encode(self, text: str) -> list[int]:
        """The ids that the 2018 pipeline gives to `text`; none for an empty text."""
        return list(chain.from_iterable(map(self._ids_of, chunks(text))))

    def encode_batch(self, texts: Iterable[str], workers: int | None = None) -> list[list[int]]:
        """`encode` of every text. Large batches are shared among processes.

        Args:
            texts: any number of texts; in a few long ones (books) there is less to share than in many.
            workers: processes; 1 for none. By default one a core where the batch is large enough to gain by it.
        """
        texts = list(texts)
        if workers is None:
            workers = (os.cpu_count() or 1) if sum(map(len, texts)) >= _PARALLEL_FROM else 1
        workers = min(workers, len(texts))
        if workers <= 1:
            return [self.encode(text) for text in texts]
        from concurrent.futures import ProcessPoolExecutor

        self.encode("a")  # forked processes then have spaCy's tables already
        with ProcessPoolExecutor(workers, initializer=_begin_work, initargs=(self,)) as pool:
            return list(pool.map(_work, texts, chunksize=-(-len(texts) // (8 * workers))))

    # ---- decoding

    def decode(self, ids: Iterable[int]) -> str:
        """Readable text: blanks, punctuation and quotes as people write them, a new line at each newline token.

        Raises:
            GPT1VizError: `tokenizer_id` for an id outside of the vocabulary.
        """
        found, open_word = [], ""
        for piece in self.pieces(ids):
            if piece.newline:
                found += [open_word, NEWLINE]
                open_word = ""
                continue
            open_word += piece.text
            if piece.word_end:
                found.append(open_word)
                open_word = ""
        return join(word for word in (*found, open_word) if word)

    def pieces(self, ids: Iterable[int]) -> list[Piece]:
        """The pieces of ids that were not typed (start and end are -1; an unknown symbol ends its word)."""
        return [self._piece(id, "", -1, -1, last=id == 0) for id in ids]

    def _piece(self, id: int, typed: str, start: int, end: int, last: bool) -> Piece:
        entry = self.entry(id)
        unknown, newline = id == 0, entry == NEWLINE_ENTRY
        text = (typed or UNKNOWN) if unknown else NEWLINE if newline else entry.removesuffix(WORD_END)
        return Piece(id, entry, text, last or entry.endswith(WORD_END), newline, unknown, start, end)

    # ---- looking closely

    def tokenize(self, text: str) -> list[Piece]:
        """The pieces of `text`, each with its place in the text as typed. Their ids are `encode(text)`."""
        characters, newlines = typed_spans(text)
        next_newline, done, found = iter(newlines), 0, []
        for word in words(text):
            if word == NEWLINE:
                start, end = next(next_newline)
                [id] = self._word_ids(word)
                found.append(self._piece(id, text[start:end], start, end, last=True))
                continue
            spans = [characters[done + k] for k, c in enumerate(word) for _ in c.lower()]
            done += len(word)
            offset = 0
            for id in self._word_ids(word):
                first, offset = offset, offset + (len(self.entry(id).removesuffix(WORD_END)) if id else 1)
                start, end = spans[first][0], spans[offset - 1][1]
                found.append(self._piece(id, text[start:end], start, end, last=offset == len(spans)))
        return found

    def show_steps(self, text: str) -> Steps:
        """What happens to `text` on its way to ids: each cleaning step, the words, every merge of each word."""
        texts = [("typed", text)]
        for name, step in CLEANING:
            texts.append((name, step(texts[-1][1])))
        return Steps(tuple(texts), tuple(map(self._word_steps, words(text))))

    def _word_steps(self, word: str) -> WordSteps:
        lower = word.lower()
        symbols = first = (NEWLINE_ENTRY,) if word == NEWLINE else (*lower[:-1], lower[-1] + WORD_END)
        merges = []
        while found := min(
            ((self.merges[pair], pair) for pair in pairwise(symbols) if pair in self.merges), default=None
        ):
            rank, (left, right) = found
            symbols = _merge(symbols, left, right)
            merges.append(Merge(left, right, rank, symbols))
        return WordSteps(word, lower, first, tuple(merges), symbols, tuple(self.vocab.get(s, 0) for s in symbols))


def _merge(symbols: tuple[str, ...], left: str, right: str) -> tuple[str, ...]:
    merged, i = [], 0
    while i < len(symbols):
        both = symbols[i : i + 2] == (left, right)
        merged.append(left + right if both else symbols[i])
        i += 1 + both
    return tuple(merged)


_worker: Tokenizer


def _begin_work(tokenizer: Tokenizer) -> None:
    global _worker
    _worker = tokenizer


def _work(text: str) -> list[int]:
    return _worker.encode(text)


def _read(path: str | Path) -> str:
    try:
        return read_bytes(Path(path)).decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        raise GPT1VizError("tokenizer_missing", path=str(path)) from None
    except (OSError, ValueError):
        raise GPT1VizError("tokenizer_unreadable", path=str(path)) from None


def _parse(text: str, path: str | Path) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise GPT1VizError("tokenizer_json", path=str(path)) from None


def _checked_vocab(vocab: object, path: str | Path) -> dict[str, int]:
    rows = list(vocab.values()) if isinstance(vocab, dict) else []
    counted = bool(rows) and all(type(row) is int for row in rows) and sorted(rows) == list(range(len(rows)))
    if not isinstance(vocab, dict) or not counted:
        raise GPT1VizError("tokenizer_vocab", path=str(path))
    return vocab


def _checked_merges(pairs: list, vocab: dict[str, int], path: str | Path) -> list[tuple[str, str]]:
    for number, pair in enumerate(pairs, 1):
        two = isinstance(pair, list) and len(pair) == 2 and all(isinstance(symbol, str) for symbol in pair)
        if not two or not all(entry in vocab for entry in (*pair, "".join(pair))):
            raise GPT1VizError("tokenizer_merge", path=str(path), number=number, pair=pair)
    made = {left + right for left, right in pairs}
    for entry in vocab:
        word = entry.removesuffix(WORD_END)
        if len(word) > 1 and word.isalpha() and entry not in made:  # special entries have other characters too: <unk>
            raise GPT1VizError("tokenizer_unmade", path=str(path), entry=entry)
    return [(left, right) for left, right in pairs]
