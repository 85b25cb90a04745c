"""The story books that the bundled checkpoint was trained on: public domain in the USA, named by Gutenberg id."""

import csv
import re
import sys
import time
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from tqdm.auto import tqdm

from ..download import cache_folder, disk_faults, get
from ..errors import GPT1VizError
from ..text import t

URL = "https://gutenberg.pglaf.org/cache/epub/{id}/pg{id}.txt"  # Project Gutenberg's mirror for programs
PAUSE = 2.0  # seconds between two books, as Project Gutenberg asks of programs
VALIDATION = (959, 2557, 6950, 6746, 836)  # never trained on


@dataclass(frozen=True)
class Book:
    """A row of books.tsv.

    Attributes:
        id: at Project Gutenberg.
        file: its name in a folder of cleaned books.
        band: "A" is the easiest prose, "C" the hardest.
        words: between blanks.
        sha256: of the cleaned text that was trained on.
    """

    id: int
    file: str
    title: str
    author: str
    year: int
    band: str
    words: int
    sha256: str


@cache
def catalogue() -> tuple[Book, ...]:
    """All 178 books, by id."""
    with Path(__file__).with_name("books.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(
            Book(
                int(r["id"]),
                r["file"],
                r["title"],
                r["author"],
                int(r["year"]),
                r["band"],
                int(r["words"]),
                r["sha256"],
            )
            for r in rows
        )


def books(part: str = "train", folder: str | Path | None = None, lang: str = "en") -> list[Path]:
    """The cleaned books as files, a paragraph a line with an empty line between.

    They are read from `folder`, or else downloaded from Project Gutenberg into the cache with a pause after each; a
    second call goes on where the first stopped. Books whose text is not the one trained on are named on stderr: an
    edition at Project Gutenberg may have changed since, and `clean` was written without a raw download at hand, so that
    a downloaded book is likely to differ by a title page or the like.

    Args:
        part: "train" (173 books), "validation" (5) or "all".
        folder: files named as in books.tsv.
        lang: of what is said on stderr.

    Raises:
        GPT1VizError: no network, a book missing from the folder, a full disk, or a download that is not the book.
    """
    if part not in ("train", "validation", "all"):
        raise GPT1VizError("config_choice", field="part", value=part, allowed="train, validation, all")
    wanted = [book for book in catalogue() if part == "all" or (book.id in VALIDATION) == (part == "validation")]
    paths = _downloaded(wanted) if folder is None else [Path(folder) / book.file for book in wanted]
    other = []
    for book, path in zip(wanted, paths, strict=True):
        if not path.is_file():
            raise GPT1VizError("text_missing", path=path)
        if sha256(path.read_bytes()).hexdigest() != book.sha256:
            other.append(book.title)
    if other:
        print(t("data.books_differ", lang, n=len(other), total=len(wanted), titles=_few(other)), file=sys.stderr)
    return paths


def _few(titles: list[str]) -> str:
    return ", ".join(titles[:3]) + (", ..." if len(titles) > 3 else "")


def _downloaded(wanted: list[Book]) -> list[Path]:
    folder = cache_folder() / "books"
    missing = [book for book in wanted if not (folder / book.file).exists()]
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, book in enumerate(tqdm(missing, desc="Project Gutenberg", unit="book", disable=None)):
            if number:
                time.sleep(PAUSE)
            url = URL.format(id=book.id)
            text = clean(get(url).decode("utf-8-sig", errors="replace"))
            if not text:
                raise GPT1VizError("books_not_a_book", url=url)
            beside = folder / f"{book.file}.new"
            beside.write_text(text, encoding="utf-8", newline="\n")
            beside.replace(folder / book.file)
    return [folder / book.file for book in wanted]


# ---- cleaning

_BODY = re.compile(r"\*\*\* ?START OF TH[^*]*\*\*\*(.*)\*\*\* ?END OF TH", re.DOTALL)
_REPLACED = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "‘": "'",
        "’": "'",
        "‚": "'",
        "—": "--",
        "―": "--",
        "–": "-",
        "…": "...",
        "\xa0": " ",
    }
)
_MARKUP = re.compile(r"\[(?:Illustration|Frontispiece|Picture|Footnote)[^\]]*\]|[_*~|]")
_CREDITS = re.compile(r"(?:E-text prepared|Produced by|Transcriber|\[Transcriber|Transcribed from)", re.IGNORECASE)
_PROSE = 40  # words; a title page or a table of contents has no such paragraph
_HEADING = 12  # words, at most


def clean(raw: str) -> str:
    """The story in a Project Gutenberg text file: "" where the file is none.

    Cut away are the licence around it, title page and contents (whatever stands before the first long paragraph and
    its headings), pictures, notes and marks of emphasis. Paragraphs become lines, quotes straight, dashes `--`.
    """
    body = _BODY.search(raw.replace("\r\n", "\n"))
    if not body:
        return ""
    text = _MARKUP.sub("", body[1].translate(_REPLACED))
    found = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    found = [paragraph for paragraph in found if paragraph and not _CREDITS.match(paragraph)]
    first = next((k for k, paragraph in enumerate(found) if len(paragraph.split()) >= _PROSE), 0)
    for _ in range(2):  # the chapter's number and its title
        if first and len(found[first - 1].split()) <= _HEADING:
            first -= 1
    if found and found[-1].strip(" .").upper() in ("THE END", "END", "FINIS"):
        found.pop()
    return "".join(f"{paragraph}\n\n" for paragraph in found[first:])[:-1]
