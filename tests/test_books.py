"""The story books: the table, a folder of them, and downloads from a stand-in for Project Gutenberg."""

from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from gpt1viz.data import books as module
from gpt1viz.data.books import VALIDATION, Book, books, catalogue, clean
from gpt1viz.errors import GPT1VizError

RAW = """\ufeffThe Project Gutenberg eBook of Two Tales

Title: Two Tales

*** START OF THE PROJECT GUTENBERG EBOOK TWO TALES ***

Produced by Somebody

TWO TALES

By A. Writer

CONTENTS

  I. The Fox

[Illustration: A fox
in a wood]

CHAPTER I

THE FOX

Once upon a time there was a _fox_ who lived in the wood\u2014a very
\u201cclever\u201d fox, as everybody said who had ever met him there, though some of
them had come home without their hens, and thought that it was not the right word at all\u2026

\u2018Good day,\u2019 said
the fox.

THE END

*** END OF THE PROJECT GUTENBERG EBOOK TWO TALES ***

License
"""
CLEAN = """CHAPTER I

THE FOX

Once upon a time there was a fox who lived in the wood--a very "clever" fox, as everybody said who had ever met him \
there, though some of them had come home without their hens, and thought that it was not the right word at all...

'Good day,' said the fox.
"""


def test_the_table():
    table = catalogue()
    assert len(table) == len({book.id for book in table}) == len({book.file for book in table}) == 178
    assert sum(book.words for book in table) == 9_080_763
    assert set(VALIDATION) <= {book.id for book in table}
    assert all(len(book.sha256) == 64 and book.band in "ABC" and book.year < 1929 for book in table)


def test_the_table_is_that_of_the_books_here(shared, capsys):
    training, validation = books("train", shared / "books"), books("validation", shared / "books")
    assert (len(training), len(validation)) == (173, 5)
    assert {path.stem for path in validation} == {
        "baum_the-lost-princess-of-oz",
        "burgess_old-mother-west-wind",
        "hope_the-bobbsey-twins-at-the-seashore",
        "lang_the-grey-fairy-book",
        "nesbit_the-phoenix-and-the-carpet",
    }
    assert not set(training) & set(validation) and len(books("all", shared / "books")) == 178
    assert capsys.readouterr().err == ""  # every text is the one in the table


def test_cleaning():
    assert clean(RAW) == clean(RAW.replace("\n", "\r\n")) == CLEAN
    assert clean("no book") == ""


@pytest.fixture
def two_books(monkeypatch):
    """A catalogue of two books, the second in another edition than the one that is served."""
    right = sha256(CLEAN.encode()).hexdigest()
    table = (
        Book(1, "a.txt", "Two Tales", "Writer, A.", 1900, "A", 60, right),
        Book(836, "b.txt", "Old Tales", "Writer, A.", 1900, "A", 60, "0" * 64),
    )
    monkeypatch.setattr(module, "catalogue", lambda: table)
    return table


@pytest.fixture
def server(monkeypatch):
    """Serves RAW as every book, and counts."""
    asked, pauses = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = (answer[0] if answer else RAW).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    answer: list[str] = []
    host = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=host.serve_forever, daemon=True).start()
    monkeypatch.setattr(module, "URL", f"http://127.0.0.1:{host.server_port}/{{id}}.txt")
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    yield asked, pauses, answer
    host.shutdown()
    host.server_close()


def test_downloads_pause_go_on_and_say_what_differs(two_books, server, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path))
    asked, pauses, _ = server
    (path,) = books("train")
    assert path.read_text(encoding="utf-8") == CLEAN and asked == ["/1.txt"] and pauses == []
    assert capsys.readouterr().err == ""
    assert [path.name for path in books("all")] == ["a.txt", "b.txt"]
    assert asked == ["/1.txt", "/836.txt"]  # what was there is not fetched again
    assert "1 of 2 books" in (said := capsys.readouterr().err) and "Old Tales" in said
    path.unlink()
    (tmp_path / "books" / "b.txt").unlink()
    books("all", lang="zh")
    assert len(asked) == 4 and pauses == [module.PAUSE]
    assert "2 本书" in capsys.readouterr().err


def test_what_is_no_book_is_not_kept(two_books, server, monkeypatch, tmp_path):
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path))
    server[2].append("<html>Busy</html>")
    with pytest.raises(GPT1VizError, match=r"/1.txt is not a book"):
        books("train")
    assert list((tmp_path / "books").iterdir()) == []


def test_without_network(two_books, monkeypatch, tmp_path):
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "URL", "http://127.0.0.1:9/{id}.txt")
    with pytest.raises(GPT1VizError) as fault:
        books("train")
    assert fault.value.code == "download_offline"


def test_faults(tmp_path):
    with pytest.raises(GPT1VizError, match="nothing at"):
        books("train", tmp_path)
    with pytest.raises(GPT1VizError, match="train, validation, all"):
        books("some")
