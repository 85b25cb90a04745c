"""The text pipeline gives the ids of 2018, and leads every token back to the characters typed."""

import copy
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import gpt1viz
from gpt1viz.errors import GPT1VizError
from gpt1viz.tokenizer import NEWLINE_ENTRY, WORD_END, Tokenizer
from gpt1viz.words import CLEANING, UNKNOWN, words

STORYBOOK = Path(gpt1viz.__file__).parent / "assets" / "storybook" / "tokenizer.json"


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


OWN = read_lines(Path(__file__).parent / "data" / "tokenizer_own.jsonl")
PROSE = """"Good heavens!" cried Mr. Tolliver, who hadn't slept since May. "It's the boys' boat, isn't it?"
'Tis so, sir,' said Ann (she was forty-two), and she'd 'borrowed' the oars; they cannot be far...
At 5 o'clock the U.S. consul paid $3 -- no more, no less -- for Anna's well-known map: half of its worth!"""
STRANGE = [
    "",
    " \n\t ",
    "\n\n a \r\n\r\n b \n",
    "caf\u00e9 cafe\u0301 \ufb01n \uff21\uff22 \u2018x\u2019\u201c\u2014\u2026\u00b4 \u0130I",
    "&lt;b&gt; &amp;amp; <i>&amp;</i>",
    "The caf\u00c3\u00a9 and it\u00e2\u20ac\u2122s \u00e4\u00bd\u00a0\u00e5\u00a5\u00bd",
    "\ud83d\ude00 \ud83d lone \udc00",
    "null \x00 bell \x07 \x1b[31mred\x1b[0m \ufeff\x85 x",
    "\u6c49\u5b57 text \U0001f600\U0001f469\u200d\U0001f469\u200d\U0001f467 na\u00efve\u6f22",
    "</w> <unk> \\n x</w>y",
    bytes(range(256)).decode("latin-1"),
    bytes(range(256)).decode("utf-8", "surrogateescape"),
    "''" * 40 + "5>" * 30 + "a's" * 30,
    "e\u0301" * 300,
]


@pytest.fixture(scope="module")
def storybook():
    return Tokenizer.from_json(STORYBOOK)


@pytest.fixture(scope="module")
def released(shared):
    folder = shared / "gpt1-tokenizer"
    return Tokenizer.from_files(folder / "encoder_bpe_40000.json", folder / "vocab_40000.bpe")


@pytest.fixture(scope="module")
def golden(shared):
    return read_lines(shared / "golden" / "tokenizer.jsonl")


# ---- the ids of 2018


def test_every_golden_line(released, golden):
    assert len(golden) == 2061
    assert [line["text"] for line in golden if released.encode(line["text"]) != line["ids"]] == []


def test_golden_offsets_and_steps(released, golden):
    for line in golden[::10]:
        pieces = released.tokenize(line["text"])
        assert [piece.id for piece in pieces] == line["ids"]
        assert [id for word in released.show_steps(line["text"]).words for id in word.ids] == line["ids"]
        check_offsets(line["text"], pieces)


@pytest.mark.parametrize("line", OWN, ids=lambda line: ascii(line["text"][:30]))
def test_own_words(line):
    assert words(line["text"]) == line["words"]


def test_own_ids(released):
    assert [line["text"] for line in OWN if released.encode(line["text"]) != line["ids"]] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("``hush", ["``", "hush"]),
        ("5> 3", ["5", ">", "3"]),
        ("in May. or may.", ["in", "May.", "or", "may", "."]),
        ("''word", ["'", "'", "word"]),
        ("word''", ["word", "''"]),
        ("St.John", ["St", ".", "John"]),
        ("e.g.So", ["e.g", ".", "So"]),
        ("Prof. X", ["Prof", ".", "X"]),
        ("this'll that've", ["this'll", "that", "'ve"]),
        ("ada@a.org's a.b@C", ["ada@a.org's", "a.b@C"]),
        ("\ud55c\uae00.\ud55c\uae00 A\U0001f600b", ["\ud55c\uae00.\ud55c\uae00", "A", "\U0001f600", "b"]),
        ("a --- b", ["a", "---", "b"]),
    ],
)
def test_rules_that_changed_since_2018(text, wanted):
    assert words(text) == wanted


def test_unknown_symbols_one_by_one(storybook):
    ids = storybook.encode("\u6c49\u5b57")
    assert ids == [0, 0]
    first, last = storybook.tokenize(" \u6c49\u5b57")
    assert (first.unknown, first.entry, first.text, first.start, first.end) == (True, UNKNOWN, "\u6c49", 1, 2)
    assert (first.word_end, last.word_end) == (False, True)


def test_newlines(storybook):
    row = storybook.row(NEWLINE_ENTRY)
    ids = storybook.encode("\n one \n\n \n two\r\n")
    assert ids.count(row) == 1
    newline = next(piece for piece in storybook.tokenize("one \n\n \ntwo") if piece.newline)
    assert (newline.text, newline.start, newline.end, newline.word_end) == ("\n", 4, 8, True)


# ---- back to the characters typed


def check_offsets(text, pieces):
    starts, ends = [piece.start for piece in pieces], [piece.end for piece in pieces]
    assert starts == sorted(starts) and ends == sorted(ends)
    assert all(0 <= piece.start <= piece.end <= len(text) for piece in pieces)


@pytest.mark.parametrize("text", [PROSE, *STRANGE, *(line["text"] for line in OWN)], ids=lambda text: ascii(text[:20]))
def test_tokenize_and_steps_agree_with_encode(storybook, text):
    ids = storybook.encode(text)
    pieces = storybook.tokenize(text)
    assert [piece.id for piece in pieces] == ids
    check_offsets(text, pieces)
    steps = storybook.show_steps(text)
    assert [id for word in steps.words for id in word.ids] == ids
    assert [word.word for word in steps.words] == words(text)
    assert storybook.decode(ids) == "" or ids


def test_plain_text_offsets_are_exact(storybook):
    pieces = [piece for piece in storybook.tokenize(PROSE) if not piece.newline]
    assert all(PROSE[piece.start : piece.end].lower() == piece.text for piece in pieces)
    covered = {i for piece in pieces for i in range(piece.start, piece.end)}
    assert {i for i, c in enumerate(PROSE) if not c.isspace()} == covered


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("\u201cHi\u201d\u2026", ["\u201c", "Hi", "\u201d", "\u2026"]),
        ("Tom &amp; Al", ["Tom", "&amp;", "Al"]),
        ("x cafe\u0301 y", ["x", "cafe\u0301", "y"]),
        ("a \ufb01n b", ["a", "\ufb01n", "b"]),
        ("\x1b[31mred\x1b[0m sea", ["red", "sea"]),
        ("a\u2014b don\u2019t", ["a", "\u2014", "b", "do", "n\u2019t"]),
        ("it\u00e2\u20ac\u2122s on", ["it", "\u00e2\u20ac\u2122s", "on"]),
    ],
)
def test_offsets_where_cleaning_rewrites(storybook, text, typed):
    found, open_word = [], None
    for piece in storybook.tokenize(text):
        open_word = piece.start if open_word is None else open_word
        if piece.word_end:
            found.append(text[open_word : piece.end])
            open_word = None
    assert found == typed


def test_offsets_of_a_long_rewritten_line(storybook):
    text = "\u00e4\u00bd\u00a0\u00e5\u00a5\u00bd " * 700 + "\u201cthe end\u201d " * 500
    pieces = storybook.tokenize(text)
    assert len(text) > 9_000 and [piece.id for piece in pieces] == storybook.encode(text)
    check_offsets(text, pieces)


# ---- every step shown


def test_steps_of_cleaning(storybook):
    steps = storybook.show_steps("\u201cHm\u2026\u201d \t  said  he\n\n&amp; left")
    assert [name for name, _ in steps.texts] == ["typed", *(name for name, _ in CLEANING)]
    texts = dict(steps.texts)
    assert texts["ftfy"] == '"Hm\u2026" \t  said  he\n\n& left'
    assert texts["replacements"] == '"Hm..." \t  said  he\n\n& left'
    assert texts["punctuation"] == ' " Hm... "  \t  said  he\n\n& left'
    assert texts["newlines"] == ' " Hm... "  \t  said  he \n & left'
    assert texts["blanks"] == '" Hm... " said he \n & left'


def test_merges_are_made_lowest_rank_first(storybook):
    for word in storybook.show_steps(PROSE).words:
        symbols = word.symbols
        assert "".join(symbols) == ("\n" if word.word == "\n" else word.word.lower()) + WORD_END
        for merge in word.merges:
            possible = [storybook.merges[p] for p in pairwise(symbols) if p in storybook.merges]
            assert merge.rank == storybook.merges[merge.left, merge.right] == min(possible)
            assert "".join(merge.symbols) == "".join(symbols) and len(merge.symbols) < len(symbols)
            symbols = merge.symbols
        assert symbols == word.entries
        assert not any(pair in storybook.merges for pair in pairwise(symbols))


# ---- decoding


@pytest.mark.parametrize(
    "text",
    [
        '"wait," she said, "i don\'t know."\n"why?" asked ned.',
        "they'll go (i think) to the boys' house; we're not...",
        "he paid $5 [maybe] for forty-two 'magic' beans: done!",
        "'tis cold -- and/or wet.",
        "it was Mr. hale of the U.S. in May. or may.",
        "you cannot, y'all gonna see.",
    ],
)
def test_decode_reads_as_people_write(storybook, text):
    assert storybook.decode(storybook.encode(text)) == text


@pytest.mark.parametrize("text", [PROSE, "i am i . and a st . b", "a & amp ; b ' cause 5 km"])
def test_decoded_text_has_the_same_ids(storybook, text):
    ids = storybook.encode(text)
    assert storybook.encode(storybook.decode(ids)) == ids


def test_books_decode_to_the_same_ids(storybook, shared):
    for path in sorted((shared / "books").glob("*.txt"))[::40]:
        for paragraph in path.read_text(encoding="utf-8").split("\n\n")[:80]:
            ids = storybook.encode(paragraph)
            assert storybook.encode(storybook.decode(ids)) == ids


def test_decode_odd_ids(storybook):
    newline = storybook.row(NEWLINE_ENTRY)
    assert storybook.decode([]) == ""
    assert storybook.decode([newline, newline]) == "\n\n"
    assert storybook.decode([storybook.row("h")]) == "h"
    assert storybook.decode([storybook.row("h"), newline, storybook.row("i" + WORD_END)]) == "h\ni"
    assert storybook.decode([0, storybook.row("." + WORD_END)]) == "<unk>."


def test_pieces_of_generated_ids(storybook):
    ids = [*storybook.encode("unbelievable tales"), 0]
    pieces = storybook.pieces(ids)
    assert [piece.id for piece in pieces] == ids
    assert all((piece.start, piece.end) == (-1, -1) for piece in pieces)
    assert "".join(piece.text + " " * piece.word_end for piece in pieces) == "unbelievable tales <unk> "


# ---- training, files, errors


def test_train():
    corpus = [PROSE, "The cat sat on the mat. The cat sat. \u6c49"] * 20
    tokenizer = Tokenizer.train(iter(corpus), n_vocab=160)
    assert tokenizer.n_vocab == 160
    characters = [tokenizer.entry(row) for row in range(2, 160 - len(tokenizer.merges))]
    assert characters == sorted(characters) and "t</w>" in characters  # not as the library numbers them
    assert (tokenizer.row(UNKNOWN), tokenizer.row(NEWLINE_ENTRY)) == (0, 1)
    assert tokenizer.tokenize("the cat")[-1].entry == "cat</w>"
    assert len(tokenizer.encode(PROSE)) < len(PROSE)
    with pytest.raises(GPT1VizError, match="16"):
        Tokenizer.train(corpus, n_vocab=10)
    with pytest.raises(GPT1VizError, match="no text"):
        Tokenizer.train([], n_vocab=100)


def test_json_round_trip(storybook, tmp_path):
    from tokenizers import Tokenizer as Library

    storybook.save(tmp_path / "tokenizer.json")
    again = Tokenizer.from_json(tmp_path / "tokenizer.json")
    for other in (again, Tokenizer.from_json(storybook.to_json()), copy.copy(storybook)):
        assert (other.vocab, other.merges) == (storybook.vocab, storybook.merges)
        assert other.encode(PROSE) == storybook.encode(PROSE)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
    first_line = PROSE.split("\n")[0]
    prepared = " ".join(words(first_line)).lower()
    assert Library.from_file(str(tmp_path / "tokenizer.json")).encode(prepared).ids == storybook.encode(first_line)


def test_two_files(storybook, tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps(storybook.vocab), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in storybook.merges), ""]
    (tmp_path / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    tokenizer = Tokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert (tokenizer.vocab, tokenizer.merges) == (storybook.vocab, storybook.merges)


MODEL = {"type": "BPE", "end_of_word_suffix": WORD_END, "vocab": {UNKNOWN: 0, "a": 1, "ab": 2, "b": 3}, "merges": []}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x80\x04\x95pickle\xff", "tokenizer_unreadable"),
        (b'{"model": {"vocab"', "tokenizer_json"),
        (b"[1, 2]", "tokenizer_model"),
        (json.dumps({"model": MODEL | {"end_of_word_suffix": None}}).encode(), "tokenizer_model"),
        (json.dumps({"model": MODEL | {"vocab": {"a": 0, "b": 2}}}).encode(), "tokenizer_vocab"),
        (json.dumps({"model": MODEL | {"vocab": {"a": "0"}}}).encode(), "tokenizer_vocab"),
        (json.dumps({"model": MODEL | {"merges": ["a b", "a c"]}}).encode(), "tokenizer_merge"),
        (json.dumps({"model": MODEL | {"merges": None}}).encode(), "tokenizer_merge"),
        (json.dumps({"model": MODEL | {"merges": [3]}}).encode(), "tokenizer_merge"),
        (None, "tokenizer_missing"),
    ],
)
def test_files_that_are_no_tokenizer(tmp_path, content, code):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GPT1VizError) as caught:
        Tokenizer.from_json(path)
    assert caught.value.code == code
    assert str(path) in str(caught.value) and str(path) in caught.value.message("zh")


def test_look_ups(storybook):
    assert storybook.entry(storybook.row("the</w>")) == "the</w>"
    for id in (-1, storybook.n_vocab):
        with pytest.raises(GPT1VizError, match=f"{id}"):
            storybook.decode([id])
    with pytest.raises(GPT1VizError, match="nonsuch"):
        storybook.row("nonsuch")


def test_encode_batch(storybook):
    texts = [PROSE, "", "one two", *STRANGE] * 5
    wanted = [storybook.encode(text) for text in texts]
    assert storybook.encode_batch(iter(texts)) == wanted
    assert storybook.encode_batch(texts, workers=2) == wanted
    assert storybook.encode_batch([]) == []


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "'" * 20_000, "\u6c49" * 50_000, " \n" * 200_000 + "x", "e" + "\u0301\u0316" * 50_000]
)
def test_giant_words_end(storybook, text):
    ids = storybook.encode(text)
    assert ids and storybook.encode(text[:5_000]) == [piece.id for piece in storybook.tokenize(text[:5_000])]


def test_the_memory_for_chunks_is_bounded(storybook, monkeypatch):
    monkeypatch.setattr("gpt1viz.tokenizer._CACHED_CHUNKS", 50)
    fresh = Tokenizer.from_json(STORYBOOK)
    for n in range(40):
        assert fresh.encode(f"{n} {n}th number{n} " + "y" * 60) == storybook.encode(f"{n} {n}th number{n} " + "y" * 60)
    assert len(fresh._chunk_ids) <= 50


def test_import_is_light():
    code = "import sys, gpt1viz.tokenizer; print({'spacy', 'ftfy', 'tokenizers', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
