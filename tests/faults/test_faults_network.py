"""No network: every command that may use it says so in one sentence, at once, and needs none for what is here."""

import errno
import socket
import ssl

import pytest
import stores
from cases import helpful
from deeds import STORY
from huggingface_hub import constants

from gpt1viz import checkpoints, cli, download
from gpt1viz.data import books
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import LANGUAGES

pytestmark = pytest.mark.area("no network")


def no_name(host, *_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def unreachable(*_, **__):
    raise OSError(errno.ENETUNREACH, "Network is unreachable")


def refused(*_, **__):
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def reset(*_, **__):
    raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def late(*_, **__):
    raise TimeoutError("timed out")


def untrusted(*_, **__):
    raise ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")


FAULTS = {"no name": no_name, "unreachable": unreachable, "refused": refused, "reset": reset, "late": late}
FAULTS |= {"a portal with a certificate of its own": untrusted}
COMMANDS = {
    "download": ["download"],
    "download openai-gpt": ["download", "openai-gpt"],
    "download from the hub": ["download", "hf:someone/small"],
    "info": ["info", "openai-gpt"],
    "info of the hub": ["info", "hf:someone/small@main"],
    "explain": ["explain", "the fox", "--model", "hf:someone/small"],
    "generate": ["generate", "the fox", "--model", "openai-gpt"],
    "export": ["export", "openai-gpt", "out"],
    "train on a set of the hub": ["train", "hf:someone/stories", "--run", "run", "--steps", "1"],
    "train on the books": ["train", "books:train", "--run", "run", "--steps", "1"],
    "train with validation": ["train", "story.txt", "--validation", "books:validation", "--run", "run", "--steps", "1"],
    "train with a vocabulary": [
        "train",
        "story.txt",
        "--run",
        "run",
        "--steps",
        "1",
        "--set",
        'vocabulary="openai-gpt"',
    ],
    "train and try": ["train", "story.txt", "--run", "run", "--steps", "1", "--zero-shot", "glue/sst2"],
    "finetune": ["finetune", "openai-gpt", "toy/mood", "--run", "run"],
    "finetune on a set of the paper": ["finetune", "base", "glue/sst2", "--run", "run"],
    "evaluate": ["evaluate", "base", "books:validation"],
    "evaluate on a set of the hub": ["evaluate", "base", "hf:someone/stories"],
    "reproduce": ["reproduce", "--tasks", "glue/sst2", "--out", "out"],
}


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """offline(fault): the network fails so. The hub's client is not told beforehand."""
    stores.ours(tmp_path / "base")
    (tmp_path / "story.txt").write_text(STORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPT1VIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(books, "PAUSE", 0.0)

    def offline(fault):
        if fault is no_name:
            monkeypatch.setattr(socket, "getaddrinfo", fault)
            return
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))  # nobody's
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address])
        monkeypatch.setattr(socket.socket, "connect", fault)

    return offline


@pytest.mark.parametrize("fault", FAULTS)
def test_every_command_says_so(fault, offline, case, capsys, tmp_path, monkeypatch):
    offline(FAULTS[fault])
    met = []
    monkeypatch.setattr(cli, "_refuse", lambda sentence: met.append(sentence) or 2)
    for number, (name, words) in enumerate(COMMANDS.items()):
        with case(f"{name}: {fault}"):
            met.clear()
            lang = [*LANGUAGES][number % 2]
            assert cli.main([*words, "--lang", lang]) == 2
            assert len(met) == 1 and ("onnect to the network" in met[0] or "连接网络" in met[0]), met
            assert "Traceback" not in capsys.readouterr().err
            assert not (tmp_path / "run" / "status.json").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_here_needs_none(fault, offline, case, capsys):
    offline(FAULTS[fault])
    for words in (
        ["info"],
        ["info", "base"],
        ["generate", "the fox", "-n", "1"],
        ["explain", "the cat", "--model", "base"],
    ):
        with case(words):
            assert cli.main(words) == 0 and capsys.readouterr().err == ""
    for what in ("openai-gpt", "hf:someone/small"):
        with case(f"{what}, not to be fetched"), pytest.raises(GPT1VizError) as refusal:
            checkpoints.load(what, download=False)
        assert helpful(refusal.value) == "not_downloaded"
    with case("what can be loaded"):
        assert checkpoints.list_models() == ["storybook"] and download.cached_openai_gpt() is None
