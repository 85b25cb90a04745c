"""Builds the wheel from a copy of the sources, so that nothing is left in the checkout. No network."""

import shutil
import subprocess
import sys
from pathlib import Path

from house import ROOT

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def build(folder: Path) -> Path:
    """The wheel, in `folder`/wheels; what it was made from is in `folder`/source."""
    source = folder / "source"
    for name in ("gpt1viz", "app"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*PIP, "wheel", *options, folder / "wheels", source], check=True)
    (wheel,) = (folder / "wheels").iterdir()
    return wheel
