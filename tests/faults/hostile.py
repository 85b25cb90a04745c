"""Texts and labelled files as nobody should write them, and what a page or a file made of them may not hold."""

import gzip
import json
import re
from html.parser import HTMLParser

MEGABYTE = 1_000_000
MARKUP = (
    "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'><svg onload=\"window.evil = 3\"></svg>"
    "<evil-tag class='evil'>bold</evil-tag><a href='javascript:window.evil = 4'>go</a><!-- evil --></textarea></style>"
    "<iframe srcdoc='<script>parent.evil = 5</script>'></iframe> &lt;i&gt; &amp;amp; &#60;b&#62;"
)
MARKDOWN = (
    "# evil **bold** _x_ ~~x~~ `evil` [a](http://evil.example/x) ![p](http://evil.example/p.png) <http://evil.example>"
    " www.evil.example me@evil.example $evil^2$ $$evil$$ :red[evil] :blue-background[evil] :material/skull: :streamlit:"
    " a -> b | evil | --- | \\ * - 1. > evil"
)
TEXTS = {
    "markup": MARKUP,
    "markdown": MARKDOWN,
    "quotes": "\"'`\\ \" onload=window.evil=6 x='; drop table; {{7*7}} ${7*7} {name} {0} %s %n %(x)s",
    "controls": "a\x00b \x07 \x1b[31mred\x1b[0m \x1b]0;evil\x07 \x08\x7f \x85 c\x0bd\x0ce \x1c\x1d\x9b31m fox",
    "two directions": "abc \u202e\u2066 fox \u2069 \u200f\u061c \u202d\u2067 den",
    "zero width": "the\u200bfox \u200c\u200d\ufeff\u2060 ran\u00ad \U000e0041\u180e",
    "piled marks": "e" + "\u0301\u0316" * 400 + " fox \u0301\u0301",
    "joined emoji": "👨‍👩‍👧‍👦 🏳️‍🌈 fox 🇨🇳🇨 👍🏿",
    "private use": "\ue000\uf8ff\U000f0000 fox \U0010ffff\ufffe\uffff\ufdd0",
    "formulas": "=cmd|' /C calc'!A0 +1 -1 @SUM(A1) \t=x ＝1+1 fox",
    "white space only": " \t\u3000\u2028\u2029\u00a0 ",
    "unknown only": "汉字漢字🦊",
    "Chinese": "从前有一只狐狸，它说：“你好！”",
    "Windows lines": "the fox\r\nran\rhome\r\n",
    "byte order mark": "\ufeffthe fox",
    "one long line": "the fox ran " * (MEGABYTE // 12),
    "one long word": "x" * MEGABYTE,
    "blank lines only": "\n" * 100_000,
    "blank lines": "the fox" + "\n" * 100_000 + "ran",
}
HALVES = "the \ud800 fox \udfff"  # lone surrogates: no UTF-8
EMPTY = ("white space only", "blank lines only")  # hold no token

# What must not stand in Streamlit's markdown unescaped.
_MARKED = re.compile(
    r"(?<!\\)<\s*/?\s*(script|img|svg|evil|a |iframe|http)|(?<!\\)\]\(http|(?<!\\)\$+evil|(?<!\\):(red|blue)"
    r"|:(material/|streamlit:)|://evil|www\.evil|@evil|(?<!\\)`evil|(?<!\S)->(?!\S)|^\s*# evil|(?<!\\)<!--",
    re.IGNORECASE | re.MULTILINE,
)
_TAGS = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "input", "textarea", "meta", "a"}


def obeyed(markdown: str) -> list[str]:
    """What Streamlit would make markup of."""
    return [found[0] for found in _MARKED.finditer(markdown)]


class _Elements(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        bad = [name for name, value in attrs if name.startswith("on") or (name, value) == ("class", "evil")]
        if tag in _TAGS or "-" in tag or bad:
            self.found.append(f"<{tag} {bad}>")

    def handle_comment(self, data):
        self.found.append("<!--")


def elements(html: str) -> list[str]:
    """Elements and attributes of HTML that come from the texts."""
    return _Elements(html).found


def strings_in(value):
    """Every string in what JSON can hold."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings_in(inner)


def computed(cell: str) -> bool:
    """Whether a spreadsheet would compute a cell of text."""
    return len(cell) > 1 and cell[0] in "=+-@＝＋－＠\t\r\n"


# ---- labelled files: name -> (content, code of the refusal or None)

_ROWS = [("the fox ran", "x"), ("a hen sat", "y"), ("the cat", "x"), ("a dog", "y")]


def _lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _csv(*rows: str, head: str = "text,label") -> bytes:
    return "".join(f"{row}\n" for row in (head, *rows)).encode()


def _labelled(*labels: object) -> bytes:
    return _lines([{"text": f"text {n}", "label": label} for n, label in enumerate(labels)])


_PLAIN = [f"{text},{label}" for text, label in _ROWS]
FILES: dict[str, tuple[bytes, str | None]] = {
    "empty.csv": (b"", "task_no_rows"),
    "empty.jsonl": (b"", "task_no_rows"),
    "header.csv": (_csv(), "task_no_rows"),
    "blank.tsv": (b"\n\n\n", "task_no_rows"),
    "commas.csv": (b",,,\n,,,\n", "task_columns"),
    "columns.csv": (_csv("1,2", head="width,height"), "task_columns"),
    "many-columns.csv": (_csv("1," * 20_000, head=",".join(f"c{n}" for n in range(20_001))), "task_columns"),
    "two-texts.csv": (_csv("a,b,x", "c,d,y", head="text,text,label"), "table_twice"),
    "too-many-cells.csv": (_csv("the fox, who ran,x", *_PLAIN), "table_cells"),
    "too-few-cells.csv": (_csv(*_PLAIN, "the fox"), "task_column"),
    "one-row.csv": (_csv(_PLAIN[0]), "task_one_class"),
    "one-class.csv": (_csv("a,x", "b,x", "c,x"), "task_one_class"),
    "two-rows.csv": (_csv("a,x", "b,y"), "task_few_rows"),
    "ten-thousand-classes.csv": (_csv(*(f"t{n},l{n}" for n in range(10_000))), "task_classes"),
    "no-label.csv": (_csv(*_PLAIN, "the fox,"), "task_empty"),
    "blank-label.jsonl": (_labelled("x", " \u3000", "y"), "task_empty"),
    "null-label.jsonl": (_labelled("x", None, "y"), "task_empty"),
    "nan-label.jsonl": (_labelled("x", float("nan"), "y"), "task_empty"),
    "nested-label.jsonl": (_labelled("x", {"is": "y"}, "y"), "task_cell"),
    "nested-text.jsonl": (_lines([{"text": ["a", {"b": 1}], "label": "x"}]), "task_cell"),
    "nested-deep.jsonl": (b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b',"label":1}\n', "text_json"),
    "array.jsonl": (b'[{"text": "a", "label": 1}]', "text_json"),
    "indented.jsonl": (b'{\n "text": "a",\n "label": 1\n}\n', "text_json"),
    "long-number.jsonl": (b'{"text": "a", "label": ' + b"9" * 5_000 + b"}\n", "text_json"),
    "long-number.csv": (_csv(*_PLAIN, "a," + "9" * 5_000), None),
    "dashes.csv": (_csv("a,--5", "b,1", "c,--5", "d,1"), None),
    "answers.jsonl": (_lines([{"question": "q", "answers": ["a", "b"], "label": "9" * 5_000}]), "task_label"),
    "huge-cell.csv": (_csv("the fox " * 20_000 + ",x", *_PLAIN), "table_cell"),
    "huge-cell.jsonl": (_lines([{"text": "the fox " * 125_000, "label": "z"}]) + _labelled("x", "y", "x", "y"), None),
    "huge-label.jsonl": (_labelled("x" * MEGABYTE, "y", "y", "y", "y"), None),
    "open-quote.csv": (_csv('"the fox,x', *_PLAIN), "table_row"),
    "stray-quote.csv": (_csv('"the" fox",x', *_PLAIN), "table_row"),
    "binary.csv": (bytes(range(256)) * 20, "text_binary"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(500), "text_encoding"),
    "null-byte.csv": (_csv("a\0b,x", *_PLAIN), "text_binary"),
    "latin-1.csv": ("text,label\ncaf\xe9,x\n".encode("latin-1"), "text_encoding"),
    "utf-16.csv": (_csv(*_PLAIN).decode().encode("utf-16"), "text_encoding"),
    "utf-16.jsonl": (_labelled("x", "y").decode().encode("utf-16-be"), "text_binary"),
    "page.csv": (b"<!doctype html><html><body>text,label</body></html>", "task_no_rows"),
    "old-mac.csv": (_csv(*_PLAIN).replace(b"\n", b"\r"), "table_mac"),
    "windows.csv": (_csv(*_PLAIN).replace(b"\n", b"\r\n"), None),
    "byte-order-mark.csv": (b"\xef\xbb\xbf" + _csv(*_PLAIN), None),
    "cut.csv.gz": (gzip.compress(_csv(*_PLAIN))[:-12], "text_unreadable"),
    "not-gzipped.csv.gz": (_csv(*_PLAIN), "text_unreadable"),
    "halves.jsonl": (_labelled("x", "y", "\ud800", "x", "y", "\udfff"), None),
    "formulas.csv": (_csv("=cmd|' /C calc'!A0,=1+1", "+a,@SUM(A1)", "-b,=1+1", "@d,@SUM(A1)"), None),
    "marked.jsonl": (_labelled(MARKUP, MARKDOWN, MARKUP, MARKDOWN), None),
    "controls.jsonl": (_labelled("\x1b[31mx", "\u202ey", "\x1b[31mx", "\u202ey", "a\nb"), None),
    "truths.jsonl": (_labelled(True, False, True, False), None),
    "unknown.csv": (_csv("汉,好", "字,坏", "漢,好", "子,坏"), None),
}
