"""Fetching from a server on this machine: whole, in pieces, wrong, refused; and the hub's faults in one sentence."""

import errno
import socket
import threading
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from gpt1viz import download
from gpt1viz.errors import GPT1VizError

FILES = {"a.json": b"{}" * 700, "b.npy": bytes(range(256)) * 9000}


class Server(ThreadingHTTPServer):
    """Serves FILES with ranges as GitHub does; what a test sets makes it misbehave."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.asked: list[tuple[str, str | None]] = []  # name, Range
        self.break_after: int | None = None  # bytes
        self.status: int | None = None
        self.ranges = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        server, name = self.server, self.path.rpartition("/")[2]
        asked = self.headers["Range"]
        server.asked.append((name, asked))
        if server.status:
            return self.send_error(server.status)
        content, start = server.files[name], 0
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : server.break_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder that downloads go to, empty; FILES stand in for the 2018 release."""
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path))
    blobs = {name: sha1(b"blob %d\0" % len(c) + c).hexdigest() for name, c in FILES.items()}
    monkeypatch.setattr(download, "BLOBS", blobs)
    return tmp_path / "openai-gpt"


@pytest.fixture
def server(cache, monkeypatch):
    server = Server()
    monkeypatch.setattr(download, "BASE", f"http://127.0.0.1:{server.server_port}/model")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def refusal() -> GPT1VizError:
    with pytest.raises(GPT1VizError) as caught:
        download.openai_gpt(report=lambda n: None)
    for lang in ("en", "zh"):
        assert "\n" not in caught.value.message(lang)
    return caught.value


def whole(cache: Path) -> bool:
    same = all((cache / name).read_bytes() == content for name, content in FILES.items())
    return same and not list(cache.glob("*.part"))


def test_the_pinned_files_are_those_of_the_release(shared):
    for name in ("encoder_bpe_40000.json", "vocab_40000.bpe", "params_shapes.json"):
        assert download._blob_id(shared / "gpt1-tokenizer" / name) == download.BLOBS[name]
    assert [name for name in download.BLOBS if name.startswith("params_") and name.endswith("npy")] == [
        f"params_{n}.npy" for n in range(10)
    ]
    assert download.BASE.endswith("/openai/finetune-transformer-lm/a69b5c43b0452462890bca8ff92fb75dee9290cf/model")


def test_a_download_says_its_size_and_is_kept(server, cache, capsys):
    assert download.cached_openai_gpt() is None
    assert download.openai_gpt() == cache and whole(cache)
    assert "466 MB" in capsys.readouterr().err
    n_asked = len(server.asked)
    assert download.openai_gpt() == download.cached_openai_gpt() == cache
    assert len(server.asked) == n_asked and capsys.readouterr().err == ""


def test_progress_counts_every_byte_once(server, cache):
    cache.mkdir()
    (cache / "b.npy.part").write_bytes(FILES["b.npy"][:1000])
    counts = []
    download.openai_gpt(report=counts.append)
    assert sum(counts) == sum(map(len, FILES.values()))


def test_a_broken_download_goes_on_where_it_stopped(server, cache):
    server.break_after = 5000
    assert refusal().code == "download_broken"
    assert (cache / "a.json").exists() and (cache / "b.npy.part").stat().st_size == 5000
    server.break_after = None
    download.openai_gpt(report=lambda n: None)
    assert server.asked[-1] == ("b.npy", "bytes=5000-") and whole(cache)


def test_a_server_without_ranges_sends_it_all_again(server, cache):
    cache.mkdir()
    (cache / "b.npy.part").write_bytes(FILES["b.npy"][:1000])
    server.ranges = False
    download.openai_gpt(report=lambda n: None)
    assert whole(cache)


def test_a_part_that_is_whole_already_is_only_verified(server, cache):
    cache.mkdir()
    (cache / "b.npy.part").write_bytes(FILES["b.npy"])
    download.openai_gpt(report=lambda n: None)
    assert whole(cache)


@pytest.mark.parametrize("beginning", [b"", b"wrong"], ids=["served wrong", "resumed wrong"])
def test_a_wrong_file_is_deleted_and_named(beginning, server, cache):
    if beginning:
        cache.mkdir()
        (cache / "b.npy.part").write_bytes(beginning)
    else:
        server.files["b.npy"] = b"<html>Please log in to this network</html>"
    error = refusal()
    assert error.code == "download_hash" and "b.npy" in str(error)
    assert not (cache / "b.npy").exists() and not (cache / "b.npy.part").exists()
    server.files = dict(FILES)
    download.openai_gpt(report=lambda n: None)
    assert whole(cache)


@pytest.mark.parametrize("status", [404, 403, 429, 503])
def test_an_answer_that_is_no_file_is_reported(status, server, cache):
    server.status = status
    error = refusal()
    assert error.code == "download_answer" and str(status) in str(error)
    assert len(server.asked) == 1  # no storm of retries


def test_a_refused_connection_is_one_sentence(cache, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening
        monkeypatch.setattr(download, "BASE", f"http://127.0.0.1:{closed.getsockname()[1]}/model")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        error = refusal()
    assert error.code == "download_offline" and "127.0.0.1" in str(error)


def test_without_a_network_the_answer_comes_at_once(cache, monkeypatch):
    asked = []

    def unknown(host, *_):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    error = refusal()
    assert error.code == "download_offline" and "raw.githubusercontent.com" in str(error)
    assert asked == ["raw.githubusercontent.com"]


def test_a_server_that_does_not_answer_is_given_up(cache, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(download, "BASE", f"http://127.0.0.1:{silent.getsockname()[1]}/model")
        monkeypatch.setattr(download, "OPEN_TIMEOUT", 0.2)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert refusal().code == "download_offline"


def test_a_full_disk_is_said_and_the_part_kept(server, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.os, "replace", full)
    error = refusal()
    assert error.code == "download_disk_full" and "GPT1VIZ_CACHE" in str(error)
    assert (cache / "a.json.part").read_bytes() == FILES["a.json"]


def test_a_cache_that_cannot_be_written_is_said(cache):
    cache.write_text("a file where the folder should be")
    error = refusal()
    assert error.code == "download_unwritable" and str(cache) in str(error)


def test_a_second_download_at_the_same_time_is_refused(server, cache):
    from filelock import FileLock

    cache.mkdir()
    with FileLock(cache / ".lock"):
        assert refusal().code == "download_busy"
    assert server.asked == []


# ---- the hub


def hub_refusal(repo: str = "someone/small", revision: str | None = None) -> GPT1VizError:
    with pytest.raises(GPT1VizError) as caught:
        download.from_hub(repo, revision)
    assert "\n" not in str(caught.value) and repo in str(caught.value)
    return caught.value


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in for the hub: `fetch` is called for what is not in the (empty) cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    calls = []

    hub = SimpleNamespace(calls=calls, fault=None)
    hub.files = {"config.json": '{"model_type": "openai-gpt"}', "model.safetensors": "x"}

    def fetch(repo, revision=None, allow_patterns=None, local_files_only=False):
        calls.append(allow_patterns)
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not there")
        if hub.fault:
            raise hub.fault
        folder = tmp_path / "c0ffee"
        folder.mkdir(exist_ok=True)
        for name in set(hub.files) & set(allow_patterns):
            (folder / name).write_text(hub.files[name])
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(download, "_hub_size", lambda repo, revision: 479)
    return hub


def test_a_hub_model_is_fetched_after_a_look_at_its_configuration(hub, capsys):
    folder = download.from_hub("someone/small")
    assert folder.name == "c0ffee" and (folder / "model.safetensors").exists()
    assert hub.calls == [None, ["config.json"], download.HUB_FILES]
    assert "479 MB" in capsys.readouterr().err


def test_another_architecture_costs_no_download(hub):
    hub.files = {"config.json": '{"model_type": "gpt2"}', "model.safetensors": "x"}
    error = hub_refusal()
    assert error.code == "checkpoint_foreign" and "gpt2" in str(error)
    assert hub.calls == [None, ["config.json"]]


def test_the_hubs_faults_are_sentences(hub):
    hub.fault = errors.LocalEntryNotFoundError("no network\nand more")
    assert hub_refusal().code == "hub_offline"
    hub.fault = RuntimeError("Name or service not known\n  details")
    error = hub_refusal()
    assert error.code == "hub_failed" and "details" not in str(error)


def test_a_name_that_no_repository_can_have(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub_refusal("no/such/name").code == "hub_unknown"
