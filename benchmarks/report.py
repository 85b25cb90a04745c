"""Rows of results, the machine they were measured on, results.json beside this file and docs/benchmarks.md."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
RESULTS, DOCUMENT = HERE / "results.json", HERE.parent / "docs" / "benchmarks.md"
PACKAGES = ("torch", "transformers", "bertviz", "streamlit", "numpy")
CHANGING = ("load average before", "seconds", "date")  # facts that each part has of its own
HEAD = """# Benchmarks

Written by `make bench`; [how it measures](../benchmarks/README.md). Each line compares both sides within one run. The
ratio is the median over the rounds, the spread its smallest and largest; what each part does stands below the table."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: what was measured, or against whom.
        ours, theirs: with their units; `theirs` is the peer or the limit.
        ratio: with its name: what the aim is about.
        spread: smallest and largest ratio among the repeats.
        aim: in words; empty where there is none.
        met: whether the ratio meets the aim; None where there is none.
    """

    what: str
    ours: str
    theirs: str
    ratio: str
    spread: str
    aim: str = ""
    met: bool | None = None


def machine(threads: int) -> dict[str, str | float]:
    """Facts that the results depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "torch threads": threads,
        "memory (GB)": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "load average before": round(os.getloadavg()[0], 1),
        "date": date.today().isoformat(),
    }


def table(rows: Iterable[tuple[str, Row]]) -> str:
    """(part, row) pairs as one markdown table; a part is named in its first row."""
    lines = ["| part | | gpt1viz | against | ratio | spread | aim | met |", "|---|---|---|---|---|---|---|---|"]
    last = ""
    for part, row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        cells = (part if part != last else "", row.what, row.ours, row.theirs, row.ratio, row.spread, row.aim, met)
        lines.append(f"| {' | '.join(cells)} |")
        last = part
    return "\n".join(lines)


def keep(part: str, title: str, facts: dict, rows: list[Row], note: str, path: Path = RESULTS) -> None:
    """Put one part's results in place of its former ones in results.json."""
    parts = _read(path) | {
        part: {"title": title, "machine": facts, "rows": [asdict(row) for row in rows], "note": note}
    }
    path.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(names: Iterable[str], path: Path = RESULTS) -> list[tuple[str, Row]]:
    """(part, row) pairs of these parts, in this order, as far as they were measured."""
    parts = _read(path)
    return [(name, Row(**row)) for name in names if name in parts for row in parts[name]["rows"]]


def write(names: Iterable[str], path: Path = RESULTS, document: Path = DOCUMENT) -> None:
    """docs/benchmarks.md from results.json: one table, then what each of these parts does and where it was measured."""
    parts = {name: part for name, part in _read(path).items() if name in names}
    newest = max(parts.values(), key=lambda part: part["machine"]["date"])["machine"]
    shared = {key: value for key, value in newest.items() if key not in CHANGING}
    sections = [HEAD, f"Machine: {_facts(shared)}.", table(kept(names, path))]
    for name in names:
        if name in parts:
            found = parts[name]
            own = {key: value for key, value in found["machine"].items() if shared.get(key) != value}
            sections += [f"## {name}: {found['title']}", found["note"], f"Measured: {_facts(own)}."]
    document.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _facts(facts: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in facts.items())


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
