"""What a reader sees of a token: no invisible character stays invisible."""

import unicodedata

NEWLINE = "↵"
BLANK = "·"
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}  # controls, format characters, separators


def visible(text: str) -> str:
    """`text` with newlines as ↵, blanks as ·, and other invisible characters as U+200B."""
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char == "\n":
        return NEWLINE
    if char == " ":
        return BLANK
    return f"U+{ord(char):04X}" if unicodedata.category(char) in _INVISIBLE else char
