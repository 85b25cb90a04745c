"""The text that a run may learn from: an upload, what the server's owner allowed, the story books, a built-in sample.

GPT1VIZ_TEXTS names the owner's files and folders (joined as in PATH), GPT1VIZ_BOOKS a folder with the story books.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from gpt1viz.data.books import catalogue
from gpt1viz.data.sources import KINDS
from gpt1viz.data.toys.stories import HELD_OUT, stories
from gpt1viz.download import cache_folder
from gpt1viz.errors import GPT1VizError
from gpt1viz.reading import expanded
from gpt1viz.text import t

FOLDER = "folder:"
LEAST = 20_000  # characters; of less nothing is held out
BYTES_A_TOKEN = 4  # about, in English


class Source(NamedTuple):
    """What `gpt1viz train` is given.

    Attributes:
        arguments: names of texts, and options. "{text}" is the folder of `files`.
        files: contents by name.
        n_tokens: about how many it holds; None where nobody has counted.
    """

    arguments: list[str]
    files: dict[str, bytes]
    n_tokens: int | None


def offered(lang: str) -> dict[str, str]:
    """What can be chosen: names by id. An id is no path."""
    names = {"sample": t("train.text_sample", lang), "upload": t("train.text_upload", lang)}
    names |= {f"{FOLDER}{name}": t("train.text_folder", lang, name=name) for name in _allowed()}
    return names | {"books": t("train.text_books", lang, n=n_books())}


def source(chosen: str, uploads: Iterable = ()) -> Source:
    """The text behind a choice.

    Args:
        chosen: an id of `offered`.
        uploads: Streamlit's uploaded files.

    Raises:
        GPT1VizError: nothing was uploaded; the owner's folder is gone.
    """
    if chosen == "books":
        folder = books_folder()
        words = sum(book.words for book in catalogue())
        books = ["--books", folder] if folder else []
        return Source(["books:train", "--validation", "books:validation", *books], {}, words * 5 // 4)
    if chosen.startswith(FOLDER):
        path = _allowed().get(chosen.removeprefix(FOLDER))
        if path is None:
            raise GPT1VizError("text_missing", path=chosen.removeprefix(FOLDER))
        return Source([str(path)], {}, None)
    texts = {"stories.txt": toy_stories().encode()} if chosen == "sample" else _named(uploads)
    if not texts:
        raise GPT1VizError("app_no_upload")
    files, n = {}, sum(map(len, texts.values()))
    for name, content in texts.items():
        learned, held_out = _split(content) if n >= LEAST else (content, b"")
        files[f"learn-{name}"] = learned
        if held_out:
            files[f"validate-{name}"] = held_out
    learned = [f"{{text}}/{name}" for name in files if name.startswith("learn-")]
    validation = [
        word for name in files if name.startswith("validate-") for word in ("--validation", f"{{text}}/{name}")
    ]
    return Source([*learned, *validation], files, n // BYTES_A_TOKEN)


def books_folder() -> str | None:
    """Where the owner keeps the story books; without it they are downloaded."""
    return os.environ.get("GPT1VIZ_BOOKS") or None


def n_books() -> int:
    return len(catalogue())


def books_here() -> int:
    """How many of the story books have been downloaded."""
    return sum((cache_folder() / "books" / book.file).exists() for book in catalogue())


@st.cache_data(max_entries=1, show_spinner=False)
def toy_stories() -> str:
    """The built-in sample."""
    return stories()


def _allowed() -> dict[str, Path]:
    paths = [expanded(name).absolute() for name in os.environ.get("GPT1VIZ_TEXTS", "").split(os.pathsep) if name]
    return {path.name: path for path in paths if path.exists()}


def _named(uploads: Iterable) -> dict[str, bytes]:
    """Contents by names that are plain file names, whatever the browser called them."""
    named = {}
    for n, upload in enumerate(uploads, 1):
        name = Path(upload.name)
        kind = name.suffix.lower() if name.suffix.lower() in KINDS else ".txt"
        named[f"{n}-{re.sub(r'[^A-Za-z0-9-]', '_', name.stem)[:40]}{kind}"] = upload.getvalue()
    return named


def _split(content: bytes) -> tuple[bytes, bytes]:
    """The first nine tenths of the lines, and the last."""
    lines = content.splitlines(keepends=True)
    kept = len(lines) - len(lines) // HELD_OUT
    return b"".join(lines[:kept]), b"".join(lines[kept:])
