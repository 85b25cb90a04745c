"""Every link in the project's texts leads somewhere: prints those that do not, and fails if there are any.

    python docs/links.py

Read are the Markdown files, the app's prose and the notebooks' cells. A relative link must name a file and, after `#`,
one of its headings; in the app's prose it names a page. A path of the project between backticks must be there too.
Addresses elsewhere must be well formed; nothing is fetched.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
TEXTS = ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "gpt1viz/**/*.md", "notebooks/**/*.ipynb")
CODE = re.compile(r"^(```+).*?^\1|(`+)(?!`).+?\2", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:href|src)=[\"']([^\"']+)", re.MULTILINE)
NAMED = re.compile(r"`((?:gpt1viz|app|notebooks|benchmarks|tests|docs)/[\w./-]*)`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def texts(root: Path = ROOT) -> list[Path]:
    """The files that are read."""
    return sorted(path for pattern in TEXTS for path in root.glob(pattern) if ".ipynb_checkpoints" not in path.parts)


def markdown(path: Path) -> str:
    """A Markdown file, or the Markdown cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def anchors(path: Path) -> set[str]:
    """What a link to one of the headings says after `#`: as on GitHub, in a notebook as in JupyterLab."""
    found: list[str] = []
    for heading in HEADING.findall(CODE.sub(lambda code: code[0] if code[2] else "", markdown(path))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        if path.suffix != ".ipynb":
            plain = re.sub(r"[^\w\- ]", "", plain.lower())
        found.append(plain.replace(" ", "-"))
    return {name + (f"-{n}" if n else "") for at, name in enumerate(found) for n in [found[:at].count(name)]}


def fault(path: Path, link: str, root: Path = ROOT) -> str | None:
    """What is wrong with a link in this file."""
    parts = urlsplit(link)
    if parts.scheme == "mailto":
        return None
    if parts.scheme or parts.netloc:
        return None if parts.scheme in ("http", "https") and "." in parts.netloc else "no address"
    if path.is_relative_to(root / "gpt1viz" / "text"):
        return None if (root / "app" / "views" / f"{parts.path.strip('/')}.py").is_file() else "no page of the app"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not (target.exists() and target.is_relative_to(root)):
        return "no such file"
    if parts.fragment and unquote(parts.fragment) not in anchors(target):
        return "no such heading"
    return None


def faults(root: Path = ROOT) -> Iterator[str]:
    """A line for each link that leads nowhere."""
    for path in texts(root):
        text = markdown(path)
        links = ["".join(groups) for groups in LINK.findall(CODE.sub("", text))]
        found = [(link, fault(path, link, root)) for link in links]
        if path.suffix == ".md":
            found += [(name, None if (root / name).exists() else "no such file") for name in NAMED.findall(text)]
        yield from (f"{path.relative_to(root).as_posix()}: {link}: {why}" for link, why in found if why)


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or f"{len(texts())} files, every link leads somewhere")
    sys.exit(bool(found))
