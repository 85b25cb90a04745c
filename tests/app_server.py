"""The app as people start it, in a process of its own, for the tests that drive a browser."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_S = 120  # longest wait for a loaded machine
# While the file HOLD exists, writing on pauses after its second token, so that a test can press Stop in time.
SCRIPT = """
import functools, importlib, os, sys, time
from streamlit.web.cli import main
home = importlib.import_module("gpt1viz.generate")
write = home.generate
@functools.wraps(write)
def generate(*args, **options):
    for n, step in enumerate(write(*args, **options)):
        while n > 1 and os.path.exists(os.environ["HOLD"]):
            time.sleep(0.02)
        yield step
home.generate = generate
sys.argv = ["streamlit", "run", *sys.argv[1:]]
main()
"""


@contextmanager
def serving(folder: Path, **environment: str):
    """Starts the app; gives its address. `folder` takes its log and the file `hold`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port), "--server.fileWatcherType", "none"]
    command = [sys.executable, "-c", SCRIPT, "app/main.py", *options]
    with open(folder / "log.txt", "w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | environment | {"HOLD": str(folder / "hold")},
        )
    try:
        url = f"http://localhost:{port}"
        wait(process, url, folder / "log.txt")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait(process: subprocess.Popen, url: str, log: Path) -> None:
    """Until the app answers."""
    for _ in range(START_S * 10):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health") as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"the app did not start in {START_S} s:\n{log.read_text()}")
