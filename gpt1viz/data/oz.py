"""Six chapters of prose that no model here has read: to count in, to measure on.

The beginning of "The Lost Princess of Oz" by L. Frank Baum (1917), in the public domain, from Project Gutenberg (959):
one of the books that were kept from training the bundled model (`books.VALIDATION`).
"""

from pathlib import Path

_FILE = Path(__file__).parents[1] / "assets" / "oz" / "lost_princess.txt"


def chapters() -> list[str]:
    """The six chapters, a paragraph a line, the first line the title."""
    parts = _FILE.read_text(encoding="utf-8").split("CHAPTER ")
    return [parts[0].strip(), *(part.partition("\n")[2].strip() for part in parts[1:])]
