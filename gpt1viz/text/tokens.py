"""What a reader sees of a token: no invisible character stays invisible."""

import unicodedata

NEWLINE = "↵"
BLANK = "·"
# The 2018 code's names of the three rows behind the vocabulary, and the role each plays (paper, section 3.3).
SPECIAL = {"_start_": "start", "_delimiter_": "delimiter", "_classify_": "extract"}
PILLS = {"start": "▸start", "delimiter": "¦delim", "extract": "◆extract"}
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}  # controls, format characters, separators


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
