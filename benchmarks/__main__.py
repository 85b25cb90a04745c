"""`python -m benchmarks [PART ...]`: measure, print, and keep the results beside this file."""

import argparse
import os

import torch

from . import generation, page, payload, redraw, report, traced, training

PARTS = {
    "generation": generation,
    "traced": traced,
    "payload": payload,
    "page": page,
    "redraw": redraw,
    "training": training,
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
    for name in options.parts or PARTS:
        part, facts = PARTS[name], report.machine(options.threads)
        rows = part.measure(options.repeats)
        print(f"\n{part.TITLE}\n\n{report.table(rows)}\n\n{part.NOTE}", flush=True)
        report.keep(name, part.TITLE, facts, rows, part.NOTE)


if __name__ == "__main__":
    main()
