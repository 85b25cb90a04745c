"""What a reader sees of a token: no invisible character stays invisible."""

import re
import unicodedata

NEWLINE = "↵"
BLANK = "·"
# The 2018 code's names of the three rows behind the vocabulary, and the role each plays (paper, section 3.3).
SPECIAL = {"_start_": "start", "_delimiter_": "delimiter", "_classify_": "extract"}
PILLS = {"start": "▸start", "delimiter": "¦delim", "extract": "◆extract"}
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}  # controls, format characters, separators
# What a terminal or a page obeys instead of showing: controls, line ends, marks of direction, halves of a character.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BLANKS = "\t\n\v\f\r\x85\u2028\u2029"


def label(piece) -> str:
    """A token's text (of a tokenizer.Piece) made visible; special tokens by their role."""
    if piece.newline:
        return NEWLINE
    return PILLS[SPECIAL[piece.entry]] if piece.entry in SPECIAL else visible(piece.text)


def visible(text: str) -> str:
    """`text` with newlines as ↵, blanks as ·, and other invisible characters as U+200B."""
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char == "\n":
        return NEWLINE
    if char == " ":
        return BLANK
    return f"U+{ord(char):04X}" if unicodedata.category(char) in _INVISIBLE else char


def harmless(text: str) -> str:
    """`text` on one line, as part of a sentence: it cannot move the cursor, change colours or turn what follows it."""
    return _OBEYED.sub(lambda found: " " if found[0] in _BLANKS else f"U+{ord(found[0]):04X}", text)
