"""The commands `gpt1viz train` and `gpt1viz runs`."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import cli_finetune
from .cli_finetune import STOPPED
from .errors import GPT1VizError
from .reading import expanded
from .text import t

if TYPE_CHECKING:
    from .config import GPT1Config
    from .training.cost import Cost
    from .training.plan import Plan
    from .training.runs import Run
    from .training.settings import TrainSettings


def add(app: typer.Typer, lang: str) -> None:
    """Put the commands into the command line."""

    @app.command(help=t("training.cli_train", lang))
    def train(
        text: Annotated[
            list[str] | None, typer.Argument(metavar="[TEXT]...", help=t("training.cli_text", lang))
        ] = None,
        run: Annotated[Path, typer.Option("--run", help=t("training.cli_run", lang))] = Path("runs/my-model"),
        recipe: Annotated[str, typer.Option(help=t("training.cli_recipe", lang))] = "storybook",
        validation: Annotated[list[str] | None, typer.Option(help=t("training.cli_validation", lang))] = None,
        books: Annotated[Path | None, typer.Option(help=t("training.cli_books", lang))] = None,
        zero_shot: Annotated[
            list[str] | None, typer.Option("--zero-shot", metavar="TASK", help=t("training.cli_zero_shot", lang))
        ] = None,
        minutes: Annotated[float | None, typer.Option(help=t("training.cli_minutes", lang))] = None,
        steps: Annotated[int | None, typer.Option(help=t("training.cli_steps", lang))] = None,
        tokens: Annotated[int | None, typer.Option(help=t("training.cli_tokens", lang))] = None,
        changes: Annotated[list[str] | None, typer.Option("--set", help=t("training.cli_set", lang))] = None,
        resume: Annotated[Path | None, typer.Option(help=t("training.cli_resume", lang))] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help=t("training.cli_dry_run", lang))] = False,
        watch_stdin: Annotated[bool, typer.Option("--watch-stdin", help=t("training.cli_watch_stdin", lang))] = False,
    ):
        # Threads that wait shall sleep: spinning beside other work made updates three times as long.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from .training.plan import Plan, parse_changes
        from .training.runs import read_run

        if resume and read_run(resume).settings.get("kind") == "finetune":
            given = {"minutes": minutes, "steps": steps}
            asked = parse_changes(changes or ()) | {name: n for name, n in given.items() if n is not None}
            return cli_finetune.go_on(resume, asked, dry_run, watch_stdin, lang)
        plan = Plan.of_run(resume) if resume else Plan.read(recipe)
        if text or validation:
            plan = plan.on(text or plan.text, validation or ())
        if zero_shot:
            plan = plan.tried_on(zero_shot)
        if books:
            plan = replace(plan, books=str(expanded(books).absolute()))
        plan = plan.within(minutes=minutes, steps=steps, tokens=tokens).changed(parse_changes(changes or ()))
        if dry_run:
            return _dry_run(plan, lang)
        return _train(plan, resume or run, resume is not None, watch_stdin, lang)

    runs = typer.Typer(help=t("training.cli_runs", lang), rich_markup_mode=None)
    app.add_typer(runs, name="runs")

    @runs.command("list", help=t("training.cli_list", lang))
    def list_(
        folder: Annotated[Path, typer.Option("--folder", help=t("training.cli_folder", lang))] = Path("runs"),
    ):
        from .training.runs import list_runs

        _list(list_runs(folder), lang)

    @runs.command(help=t("training.cli_compare", lang))
    def compare(names: Annotated[list[str], typer.Argument(metavar="RUN...", help=t("training.cli_names", lang))]):
        from .training.runs import read_run

        _compare([read_run(name) for name in names], lang)

    @runs.command(help=t("training.cli_remove", lang))
    def remove(
        names: Annotated[list[str], typer.Argument(metavar="RUN...", help=t("training.cli_names", lang))],
        yes: Annotated[bool, typer.Option("--yes", "-y", help=t("training.cli_yes", lang))] = False,
    ):
        from .training.runs import read_run, remove_run

        for path in [read_run(name).path for name in names]:
            if yes or typer.confirm(t("training.confirm_remove", lang, path=path)):
                remove_run(path)


def _train(plan: "Plan", path: Path, resume: bool, watch_stdin: bool, lang: str) -> int:
    from .training.distributed import joined
    from .training.prepare import prepare
    from .training.pretrain import pretrain
    from .training.runs import has_begun

    if not plan.text:
        raise GPT1VizError("plan_no_text")
    if not resume and has_begun(path):
        raise GPT1VizError("training_run_exists", path=path)
    settings, path = plan.settings, expanded(path).absolute()
    with joined(settings.device) as world:
        ready = prepare(plan, path, world, lang)
        config = plan.config(ready.tokenizer.n_vocab)
        if world.main:
            n = len(ready.corpus.ids)
            print(t("training.begins", lang, path=path, n_params=f"{config.n_params:,}", n=f"{n:,}"), flush=True)
        outcome = pretrain(
            config,
            ready.corpus,
            ready.tokenizer,
            path,
            settings=settings,
            validation=ready.validation,
            evaluations=ready.evaluations,
            resume=resume,
            watch_stdin=watch_stdin,
            source=plan.source,
        )
        if world.main:
            print(t(f"training.{outcome.state}", lang, step=outcome.step, path=path))
    return 0 if outcome.state == "finished" else STOPPED


def _dry_run(plan: "Plan", lang: str) -> None:
    n_vocab = plan.vocabulary if isinstance(plan.vocabulary, int) else _n_vocab(plan.vocabulary)
    print_cost(plan.config(n_vocab), plan.settings, lang)


def print_cost(config: "GPT1Config", settings: "TrainSettings", lang: str) -> None:
    """Parameters, arithmetic, memory and time, by a short trial."""
    from .training.cost import probe

    cost = probe(config, settings)
    print(t("training.cost_parameters", lang, n=f"{cost.n_params:,}"))
    print(t("training.cost_flops", lang, n=f"{cost.flops_a_token:,}"))
    print(t("training.cost_memory", lang, gb=f"{cost.memory / 1e9:.2f}"))
    print(t("training.cost_speed", lang, tokens=f"{cost.tokens_a_second:,.0f}", seconds=f"{cost.seconds_a_step:.2f}"))
    minutes, steps = _length(settings, config.n_ctx, cost)
    print(t("training.cost_time", lang, minutes=f"{minutes:,.1f}", steps=f"{steps:,}", cores=os.cpu_count()))


def _length(settings: "TrainSettings", n_ctx: int, cost: "Cost") -> tuple[float, int]:
    """Minutes and updates that the budget comes to."""
    ends = [settings.n_steps(settings.batch_size * n_ctx)]
    if settings.minutes:
        ends.append(round(settings.minutes * 60 / cost.seconds_a_step))
    steps = min(n for n in ends if n is not None)
    return steps * cost.seconds_a_step / 60, steps


def _n_vocab(checkpoint: str) -> int:
    from .checkpoints import load

    return load(checkpoint).tokenizer.n_vocab


def _list(runs: list["Run"], lang: str) -> None:
    from .cli import table

    if not runs:
        print(t("training.no_runs", lang))
        return
    rows = [tuple(t(f"training.column_{name}", lang) for name in ("run", "state", "step", "progress", "loss", "bits"))]
    for run in runs:
        state = t(f"training.state_{run.state}", lang)
        rows.append((run.name, state, f"{run.step:,}", f"{run.progress:.0%}", *_numbers(run)))
    table(rows, right=(2, 3, 4, 5))


def _numbers(run: "Run") -> tuple[str, str]:
    """The last loss, on the validation text where there is one, and its bits a character."""
    rows = run.metrics("eval") or run.metrics("train")
    last = rows[-1] if rows else {}
    found = [last.get(name) for name in ("loss", "bits_per_character")]
    return tuple(f"{value:.3f}" if isinstance(value, int | float) else "–" for value in found)  # pyright: ignore


def _compare(runs: list["Run"], lang: str) -> None:
    """Settings that differ, and how far each run came."""
    from .cli import table

    facts = [_facts(run) for run in runs]
    names = list(dict.fromkeys(name for each in facts for name in each))
    rows = [("", *(run.name for run in runs))]
    for name in names:
        values = [each.get(name, "–") for each in facts]
        if len(set(values)) > 1:
            rows.append((name, *values))
    for at, name in enumerate(("loss", "bits")):
        rows.append((t(f"training.column_{name}", lang), *(_numbers(run)[at] for run in runs)))
    rows.append((t("training.column_step", lang), *(f"{run.step:,}" for run in runs)))
    table(rows, right=tuple(range(1, len(runs) + 1)))


def _facts(run: "Run") -> dict[str, str]:
    shape = run.config.to_dict() if run.config else {}
    flat = {name: str(value) for name, value in run.settings.items() if not isinstance(value, dict)}
    return {name: str(value) for name, value in shape.items()} | flat
