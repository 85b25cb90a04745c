"""`python -m benchmarks [PART ...]`: measure, print one table, keep results.json here and docs/benchmarks.md."""

import argparse
import os
import sys
import time

import torch

from . import (
    drawn,
    forward,
    generation,
    growth,
    loading,
    memory,
    page,
    payload,
    redraw,
    report,
    start,
    text,
    traced,
    training,
)

PARTS = {
    "forward": forward,
    "traced": traced,
    "generation": generation,
    "training": training,
    "growth": growth,
    "memory": memory,
    "text": text,
    "loading": loading,
    "payload": payload,
    "drawn": drawn,
    "start": start,
    "page": page,
    "redraw": redraw,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="gpt1viz against its peers, in one run.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for torch, ours and theirs")
    parser.add_argument("--repeats", type=int, default=5, help="rounds; each contender runs once a round")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    names = [name for name in PARTS if not options.parts or name in options.parts]
    for name in names:
        part, facts, began = PARTS[name], report.machine(options.threads), time.perf_counter()
        print(f"{name}: {part.TITLE} ...", end="", file=sys.stderr, flush=True)
        rows = part.measure(options.repeats)
        facts["seconds"] = round(time.perf_counter() - began)
        print(f" {facts['seconds']} s", file=sys.stderr, flush=True)
        report.keep(name, part.TITLE, facts, rows, part.NOTE)
        report.write(list(PARTS))
    print(report.table(report.kept(names)))


if __name__ == "__main__":
    main()
