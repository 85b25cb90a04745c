"""The commands `gpt1viz finetune` and `gpt1viz evaluate`."""

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import GPT1VizError
from .reading import expanded
from .text import t

if TYPE_CHECKING:
    from .data.task import Task
    from .training.finetune import FinetuneSettings

STOPPED = 130  # exit code of a run that was asked to stop, as after Ctrl-C


def add(app: typer.Typer, lang: str) -> None:
    """Put the commands into the command line."""

    @app.command(help=t("training.cli_finetune", lang))
    def finetune(
        checkpoint: Annotated[str | None, typer.Argument(help=t("training.cli_checkpoint", lang))] = None,
        task: Annotated[str | None, typer.Argument(help=t("training.cli_task", lang))] = None,
        run: Annotated[Path, typer.Option("--run", help=t("training.cli_run", lang))] = Path("runs/my-task"),
        epochs: Annotated[int | None, typer.Option(help=t("training.cli_epochs", lang))] = None,
        minutes: Annotated[float | None, typer.Option(help=t("training.cli_minutes", lang))] = None,
        steps: Annotated[int | None, typer.Option(help=t("training.cli_steps", lang))] = None,
        changes: Annotated[list[str] | None, typer.Option("--set", help=t("training.cli_set_task", lang))] = None,
        columns: Annotated[list[str] | None, typer.Option("--column", help=t("training.cli_column", lang))] = None,
        kind: Annotated[str | None, typer.Option(help=t("training.cli_kind", lang))] = None,
        labels: Annotated[str | None, typer.Option(help=t("training.cli_labels", lang))] = None,
        metric: Annotated[str | None, typer.Option(help=t("training.cli_metric", lang))] = None,
        folder: Annotated[Path | None, typer.Option(help=t("training.cli_task_folder", lang))] = None,
        resume: Annotated[Path | None, typer.Option(help=t("training.cli_resume", lang))] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help=t("training.cli_dry_run", lang))] = False,
        watch_stdin: Annotated[bool, typer.Option("--watch-stdin", help=t("training.cli_watch_stdin", lang))] = False,
    ):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in `gpt1viz train`
        from .training.plan import parse_changes

        given = {"epochs": epochs, "minutes": minutes, "steps": steps}
        asked = parse_changes(changes or ()) | {name: value for name, value in given.items() if value is not None}
        if resume:
            return go_on(resume, asked, dry_run, watch_stdin, lang)
        if checkpoint is None or task is None:
            raise GPT1VizError("finetune_nothing")
        reading = {
            "columns": {name: _column(column) for name, column in parse_changes(columns or ()).items()},
            "kind": kind,
            "labels": labels.split(",") if labels else [],
            "metric": metric,
            "folder": folder and str(expanded(folder).absolute()),
        }
        source = {"checkpoint": _absolute(checkpoint), "task": _absolute(task), **reading}
        return _finetune(source, run, asked, resume=False, dry_run=dry_run, watch_stdin=watch_stdin, lang=lang)

    @app.command(help=t("training.cli_evaluate", lang))
    def evaluate(
        model: Annotated[str, typer.Argument(help=t("cli.model", lang))],
        what: Annotated[
            list[str] | None, typer.Argument(metavar="[WHAT]...", help=t("training.cli_what", lang))
        ] = None,
        split: Annotated[str, typer.Option(help=t("training.cli_split", lang))] = "test",
        out: Annotated[Path | None, typer.Option("--out", help=t("training.cli_out", lang))] = None,
        books: Annotated[Path | None, typer.Option(help=t("training.cli_books", lang))] = None,
        stride: Annotated[int | None, typer.Option(min=1, help=t("training.cli_stride", lang))] = None,
    ):
        from .checkpoints import load

        loaded = load(model)
        if loaded.task is None:
            return _score(loaded, what or [], books, stride)
        source = _source(Path(model), "training_no_run") if not what else {"task": what[0]}
        from .training import files
        from .training.predict import evaluate_task

        task = _task(source)
        found = evaluate_task(loaded, task, split)
        for name, value in found.numbers(task).items():
            print(f"{name} {value:.4f}")
        if out:
            files.write_rows(out, found.rows(task, split))


def go_on(path: Path, asked: dict, dry_run: bool, watch_stdin: bool, lang: str) -> int | None:
    """Resume the fine-tuning in a run directory, `asked` changing its settings."""
    from .training.finetune import FinetuneSettings
    from .training.runs import read_run

    before = FinetuneSettings.from_dict(read_run(path).settings).to_dict()
    if asked.keys() & {"epochs", "minutes", "steps"}:
        before |= dict.fromkeys(("steps", "tokens", "minutes"))
    source = _source(path, "finetune_no_source")
    return _finetune(source, path, before | asked, resume=True, dry_run=dry_run, watch_stdin=watch_stdin, lang=lang)


def _finetune(source: dict, run: Path, asked: dict, *, resume: bool, dry_run: bool, watch_stdin: bool, lang: str):
    from .checkpoints import load
    from .training.distributed import joined
    from .training.finetune import FinetuneSettings, finetune

    known = sorted(f.name for f in fields(FinetuneSettings))
    for name in asked.keys() - set(known):
        raise GPT1VizError("plan_field", field=name, known=", ".join(known))
    loaded, task = load(source["checkpoint"]), _task(source)
    settings = FinetuneSettings.suited(loaded.model.config, **asked)
    path = expanded(run).absolute()
    if dry_run:
        return _dry_run(loaded, task, settings, lang)
    with joined(settings.device) as world:
        if world.main:
            n, name = len(task.splits["train"]), loaded.info.name
            print(t("training.begins_task", lang, path=path, model=name, task=task.name, n=f"{n:,}"), flush=True)
        outcome = finetune(loaded, task, path, settings=settings, resume=resume, watch_stdin=watch_stdin, source=source)
        if world.main:
            code = "training.stopped" if outcome.state == "stopped" else "training.finished_task"
            print(t(code, lang, step=outcome.step, path=path))
    return 0 if outcome.state == "finished" else STOPPED


def _dry_run(loaded, task: "Task", settings: "FinetuneSettings", lang: str) -> None:
    """Sequences as long as the longest of the training split, as many as a batch has."""
    from .cli_training import print_cost
    from .inputs import N_SPECIAL
    from .training.finetune import with_budget

    config = replace(loaded.model.config, n_special=N_SPECIAL)
    examples = task.lay_out("train", loaded.tokenizer, config, settings.truncation)
    settings = with_budget(settings, len(examples))
    longest, n_rows = max(len(row.ids) for e in examples for row in e.rows), len(examples[0].rows)
    print_cost(replace(config, n_ctx=longest), replace(settings, batch_size=settings.batch_size * n_rows), lang)


def _source(path: Path, code: str) -> dict:
    """Which checkpoint and task a run was begun with."""
    from .training import files

    path = _run(path)
    source = files.read_json(path / "settings.json").get("source")
    if not isinstance(source, dict) or not source.get("task"):
        raise GPT1VizError(code, path=path)
    return source


def _task(source: dict) -> "Task":
    from .data.tasks import load_task

    reading = {name: source.get(name) for name in ("columns", "kind", "metric", "folder")}
    return load_task(source["task"], labels=source.get("labels", ()), **reading)


def _score(loaded, paths: list[str], books: Path | None, stride: int | None) -> None:
    """Loss, perplexity and bits a character of a language model on text."""
    from .training.evaluate import score
    from .training.prepare import encode

    if not paths:
        raise GPT1VizError("evaluate_no_head", name=loaded.info.name)
    text = encode(paths, loaded.tokenizer, books and str(expanded(books)))
    for name, value in score(loaded.model, text, stride).items():
        print(f"{name} {value:.4f}")


def _column(text) -> str | int | list:
    """A name, a number, or names and numbers joined by commas."""
    parts = [int(part) if part.isdecimal() else part for part in str(text).split(",")]
    return parts if len(parts) > 1 else parts[0]


def _absolute(name: str) -> str:
    """A path from the root, so that a run can be resumed from another folder; other names as they are."""
    path = expanded(name)
    return str(path.absolute()) if name and _run(path).exists() else name


def _run(path: Path) -> Path:
    """The folder of a run, behind whose name "@" may name a step; "." has no name."""
    name = path.name.partition("@")[0]
    return path.with_name(name) if name else path
