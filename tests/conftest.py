"""What all tests share: one thread, fixed seeds, no network, an empty cache, ../shared where it is there."""

import errno
import os
import random
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import numpy as np
import pytest
from app_page import MOST
from app_server import serving
from browser import chromium, open_page

pytest_plugins = ["faults_table"]
NETWORK = os.environ.get("GPT1VIZ_NETWORK") == "1"
ALL = os.environ.get("GPT1VIZ_ALL") == "1"
MAIN = sys.modules["__main__"]
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", None}
os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports torch: tiny models lose time on a second thread
if not NETWORK:
    os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests marked `network` unless GPT1VIZ_NETWORK=1, those marked `long` unless GPT1VIZ_ALL=1."""
    unwanted = {name for name, wanted in (("network", NETWORK), ("long", ALL)) if not wanted}
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def own_main():
    """AppTest leaves the app as the main module, which each process that a later test starts would run."""
    sys.modules["__main__"] = MAIN


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def seeds():
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def alone(tmp_path_factory):
    """No model but the bundled one and no host but this one; GPT1VIZ_NETWORK=1 leaves the user's cache and network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GPT1VIZ_MODELS", raising=False)
        if not NETWORK:
            patch.setenv("GPT1VIZ_CACHE", str(tmp_path_factory.mktemp("cache")))
            patch.setattr(socket, "getaddrinfo", _only_local(socket.getaddrinfo, lambda host, *_: host))
            for name in ("connect", "connect_ex"):
                call = getattr(socket.socket, name)
                patch.setattr(socket.socket, name, _only_local(call, lambda _, address: _host(address)))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the checkout: material that is too large to commit."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip(f"needs {path.name}/ beside the checkout, which is not part of it")
    return path


def _host(address) -> str | None:
    return address[0] if isinstance(address, tuple) else None  # a Unix socket's address is a path


def _only_local(call, host_of):
    def guarded(*args, **kwargs):
        host = host_of(*args)
        if host not in LOCAL:
            raise OSError(errno.ENETUNREACH, f"tests have no network: {host}")
        return call(*args, **kwargs)

    return guarded


@pytest.fixture(scope="session")
def bundled():
    """The bundled checkpoint, which nobody changes."""
    import gpt1viz

    return gpt1viz.load("storybook")


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def site(alone, tmp_path_factory):
    """The address of an app on the bundled model, with no folder of its owner's."""
    with serving(tmp_path_factory.mktemp("app")) as url:
        yield url


@pytest.fixture
def visit(browser):
    """visit(address, width=..., dark=...) -> a page of the app that begins to load.

    In the end no page may have reported a fault, asked another host, or missed a file.
    """
    pages, hosts, missing = [], set(), set()

    def visit(address, **options):
        page = open_page(browser, urljoin(address, "/_stcore/health"), **options)
        page.set_default_timeout(MOST)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).hostname))
        page.on("response", lambda answer: missing.add(urlsplit(answer.url).path) if answer.status >= 400 else None)
        pages.append(page)
        page.goto(address)
        return page

    yield visit
    for page in pages:
        assert [fault for fault in page.faults if "status of 404" not in fault] == []
        page.close()
    # Streamlit looks for its own addresses below a page's first, and asks again at the top.
    assert [path for path in missing if not re.fullmatch(r"/\w+/_stcore/(health|host-config)", path)] == []
    assert hosts <= {"localhost", None}  # None: data within the page
