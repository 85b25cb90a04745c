"""The command `gpt1viz reproduce`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_finetune import STOPPED
from .errors import GPT1VizError
from .reading import expanded
from .text import t

if TYPE_CHECKING:
    from .reproduce.results import Finetuned
    from .reproduce.run import Planned

PRECISIONS = ("float32", "bfloat16")


def add(app: typer.Typer, lang: str) -> None:
    """Put the command into the command line."""

    @app.command(help=t("reproduce.cli", lang))
    def reproduce(
        tasks: Annotated[list[str] | None, typer.Option(help=t("reproduce.cli_tasks", lang))] = None,
        parts: Annotated[list[str] | None, typer.Option(help=t("reproduce.cli_parts", lang))] = None,
        seeds: Annotated[int, typer.Option(min=1, max=31, help=t("reproduce.cli_seeds", lang))] = 3,
        model: Annotated[str, typer.Option("--model", "-m", help=t("cli.model", lang))] = "storybook",
        lstm: Annotated[Path | None, typer.Option(help=t("reproduce.cli_lstm", lang))] = None,
        transformer_run: Annotated[Path | None, typer.Option(help=t("reproduce.cli_transformer_run", lang))] = None,
        lstm_run: Annotated[Path | None, typer.Option(help=t("reproduce.cli_lstm_run", lang))] = None,
        books: Annotated[Path | None, typer.Option(help=t("training.cli_books", lang))] = None,
        out: Annotated[Path, typer.Option(help=t("reproduce.cli_out", lang))] = Path("reproduce"),
        workers: Annotated[int, typer.Option(min=1, help=t("reproduce.cli_workers", lang))] = 1,
        precision: Annotated[str, typer.Option(help=t("reproduce.cli_precision", lang))] = "float32",
        dry_run: Annotated[bool, typer.Option("--dry-run", help=t("reproduce.cli_dry_run", lang))] = False,
    ):
        os.environ["OMP_NUM_THREADS"] = "1"  # for the workers, before they load torch
        from .reproduce import run
        from .reproduce.lstm import BUNDLED
        from .reproduce.results import MODELS, read

        beside = lstm or (BUNDLED if model == "storybook" else None)
        places = {"transformer": model} | ({"lstm": str(beside)} if beside else {})
        runs = {name: path for name, path in zip(MODELS, (transformer_run, lstm_run), strict=True) if path}
        if "zero_shot" in (parts or []) and not runs:
            raise GPT1VizError("reproduce_no_runs")
        wanted = _planned(parts or [], tasks or [], seeds, places, precision)
        folder = expanded(out).absolute()
        left = run.missing(wanted, folder)
        print(t("reproduce.jobs", lang, n=len(wanted), done=len(wanted) - len(left), path=folder), flush=True)
        if dry_run:
            for each in left:
                print(named(each.row, lang))
            return None
        try:
            run.run(wanted, folder, workers, lambda row, n: print(_told(row, n, lang), flush=True))
            _zero_shot(runs, folder, books, lang)
        except KeyboardInterrupt:
            n = len(run.missing(wanted, folder))
            print(t("reproduce.stopped", lang, done=len(wanted) - n, left=n))
            return STOPPED
        _write(folder, read(folder / run.RESULTS), lang)
        print(t("reproduce.finished", lang, path=folder))
        return 0


def _planned(parts: list[str], tasks: list[str], seeds: int, places: dict, precision: str) -> "list[Planned]":
    from .checkpoints import load
    from .data.tasks import load_task
    from .reproduce import plan, run
    from .reproduce.results import VARIANTS

    for part in parts:
        if part not in (*plan.PARTS, "zero_shot"):
            allowed = ", ".join([*plan.PARTS, "zero_shot"])
            raise GPT1VizError("config_choice", field="parts", value=part, allowed=allowed)
    if precision not in PRECISIONS:
        raise GPT1VizError("config_choice", field="precision", value=precision, allowed=", ".join(PRECISIONS))
    parts = [part for part in parts or plan.PARTS if part != "zero_shot"]  # which fine-tunes nothing
    loaded = {name: load_task(name) for name in plan.tasks_of(parts, tasks)}
    n_train = {name: len(task.splits["train"]) for name, task in loaded.items()}
    n_layer = load(places["transformer"]).model.config.n_layer
    variants = [variant for variant in VARIANTS if variant != "lstm" or "lstm" in places]
    jobs = plan.jobs(n_layer, n_train, parts=parts, tasks=tasks, seeds=seeds, variants=variants)
    return run.planned(jobs, places, loaded, precision)


def _zero_shot(runs: dict[str, Path], folder: Path, books: Path | None, lang: str) -> None:
    from .reproduce import run
    from .reproduce.zero_shot import measure

    def tell(rows: list) -> None:
        bits, *asked = rows
        scores = ", ".join(f"{row.task} {100 * row.value:.1f}" for row in asked)
        about = {"model": t(f"paper.model_{bits.model}", lang), "step": bits.step, "bits": f"{bits.value:.3f}"}
        print(t("reproduce.told_zero_shot", lang, **about, scores=scores), flush=True)

    if runs:
        with run.alone(folder):
            measure(runs, folder / run.RESULTS, books and str(books), tell)


def named(row: "Finetuned", lang: str) -> str:
    """What a job is: its task, and in what it differs from the full model on all examples."""
    words = [row.task]
    if row.model == "lstm":
        words.append(t("paper.row_lstm", lang))
    elif row.n_transfer == -1:
        words.append(t("paper.row_no_pretraining", lang))
    elif row.n_transfer < row.n_layer:
        words.append(t("reproduce.job_layers", lang, n=row.n_transfer))
    else:
        words.append(t("paper.row_full" if row.lm_coef else "paper.row_no_aux", lang))
    if row.n_examples < row.n_train:
        words.append(t("reproduce.job_examples", lang, n=row.n_examples))
    return ", ".join([*words, t("reproduce.job_seed", lang, seed=row.seed)])


def _told(row: "Finetuned", left: int, lang: str) -> str:
    score = row.validation if row.test is None else row.test
    split = t("paper.split_validation" if row.test is None else "paper.split_test", lang)
    about = {"name": named(row, lang), "split": split, "metric": row.metric, "score": f"{100 * score:.1f}"}
    return t("reproduce.told", lang, seconds=f"{row.seconds:.0f}", left=left, **about)


def _write(folder: Path, rows: list, lang: str) -> None:
    """tables.md, tables.csv and figures.html, beside the raw results."""
    from .reproduce import drawings, tables
    from .training import files

    files.write_text(folder / "tables.md", tables.document(rows, lang))
    files.write_text(folder / "tables.csv", tables.as_csv(rows))
    files.write_text(folder / "figures.html", drawings.page(rows, lang))
