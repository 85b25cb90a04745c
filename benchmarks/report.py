"""Rows of results, the machine they were measured on, and results.json and results.md."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("torch", "transformers", "bertviz", "streamlit", "numpy")


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: what was measured.
        ours, theirs: with their units; `theirs` is the peer or the floor.
        ratio: with its name: what the aim is about.
        spread: smallest and largest ratio among the repeats.
        aim: in words.
        met: whether the ratio meets the aim.
    """

    what: str
    ours: str
    theirs: str
    ratio: str
    spread: str
    aim: str
    met: bool


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


def table(rows: list[Row]) -> str:
    """The rows as a markdown table."""
    lines = ["| | gpt1viz | against | ratio | spread | aim | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = (row.what, row.ours, row.theirs, row.ratio, row.spread, row.aim, "yes" if row.met else "**no**")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def keep(part: str, title: str, facts: dict, rows: list[Row], note: str, folder: Path = HERE) -> None:
    """Put one part's results in place of its former ones, in results.json and results.md."""
    path = folder / "results.json"
    parts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts[part] = {"title": title, "machine": facts, "rows": [asdict(row) for row in rows], "note": note}
    path.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sections = ["# Results", "Written by `python -m benchmarks`; what each part does stands in README.md."]
    for name in sorted(parts):
        found = parts[name]
        sections += [f"## {found['title']}", table([Row(**row) for row in found["rows"]]), found["note"]]
        sections.append(", ".join(f"{key} {value}" for key, value in found["machine"].items()) + ".")
    (folder / "results.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
