"""What pre-training brings: each toy task from the bundled checkpoint and from scratch, several seeds, with intervals.

python -m benchmarks.tasks                 # all; goes on where it was stopped; writes tasks.md and tasks.json
python -m benchmarks.tasks toy/mood --seeds 2
"""

import argparse
import json
import multiprocessing
import os
import tempfile
from pathlib import Path
from statistics import mean, stdev

import torch

from gpt1viz.checkpoints import load
from gpt1viz.data.tasks import load_task
from gpt1viz.data.toys import TOYS
from gpt1viz.training.finetune import FinetuneSettings, finetune
from gpt1viz.training.predict import evaluate_task
from gpt1viz.training.runs import read_run

HERE = Path(__file__).parent
STARTS = {"checkpoint": None, "scratch": -1}  # n_transfer
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t for a 95 % interval of the mean of so many runs


def one(job: tuple[str, str, int, dict]) -> dict:
    """Fine-tune once, on one thread; the metric on the validation and the test split."""
    name, start, seed, changes = job
    torch.set_num_threads(1)
    loaded, task = load("storybook"), load_task(name)
    settings = FinetuneSettings.suited(
        loaded.model.config, n_transfer=STARTS[start], seed=seed, device="cpu", **changes
    )
    with tempfile.TemporaryDirectory() as folder:
        finetune(loaded, task, Path(folder) / "run", settings=settings)
        row = read_run(Path(folder) / "run").metrics("eval")[-1]
        test = evaluate_task(load(Path(folder) / "run"), task, "test").numbers(task)
    found = {"validation": row[task.metric], "test": test[task.metric], "seconds": row["time"]}
    return {"task": name, "start": start, "seed": seed, "metric": task.metric, **changes, **found}


def interval(values: list[float]) -> str:
    """Mean and half the width of its 95 % interval, in percent."""
    half = T_95[len(values)] * stdev(values) / len(values) ** 0.5 if len(values) in T_95 else float("nan")
    return f"{100 * mean(values):.1f} ± {100 * half:.1f}"


def table(rows: list[dict]) -> str:
    lines = ["| task | metric | start | runs | validation | test |", "|---|---|---|---|---|---|"]
    for name in TOYS:
        for start in STARTS:
            own = [row for row in rows if (row["task"], row["start"]) == (name, start)]
            if own:
                splits = (interval([row[split] for row in own]) for split in ("validation", "test"))
                cells = (name, own[0]["metric"], start, str(len(own)), *splits)
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__)
    parser.add_argument("tasks", nargs="*", default=[*TOYS])
    parser.add_argument("--seeds", type=int, default=5, choices=T_95)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    path = HERE / "tasks.json"
    rows: list[dict] = json.loads(path.read_text()) if path.exists() else []
    done = {(row["task"], row["start"], row["seed"]) for row in rows}
    jobs = [
        (name, start, seed, {"precision": options.precision})
        for seed in range(options.seeds)
        for name in options.tasks
        for start in STARTS
        if (name, start, seed) not in done
    ]
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for row in pool.imap_unordered(one, jobs):
            rows.append(row)
            path.write_text(json.dumps(rows, indent=1) + "\n")
            print(row, flush=True)
    rows.sort(key=lambda row: ([*TOYS].index(row["task"]), row["start"], row["seed"]))
    path.write_text(json.dumps(rows, indent=1) + "\n")
    (HERE / "tasks.md").write_text(NOTE + "\n" + table(rows) + "\n", encoding="utf-8")
    print(table(rows))


NOTE = """# What pre-training brings to the toy tasks

Written by `python -m benchmarks.tasks`, as it comes out. Each run fine-tunes the bundled shape with the settings that
`gpt1viz finetune` takes for it; "checkpoint" starts from the bundled weights, "scratch" from random ones
(`n_transfer=-1`). Percent, mean and 95 % interval (Student's t) over runs that differ in their seed: new rows and head,
order of the examples, and from scratch all weights. Validation has the words and templates of training; the test has
others. Chance is 50 (mood, same, endings) or 33 (belongings).
"""


if __name__ == "__main__":
    main()
