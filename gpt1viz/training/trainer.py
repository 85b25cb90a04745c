"""Running a job in a run directory: join the other processes, take the lock, see where to go on, train."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from .. import formats
from ..config import GPT1Config
from ..errors import GPT1VizError
from ..reading import expanded
from . import files
from .distributed import World, joined
from .loop import Callback, Job, Loop, Outcome
from .rundir import RunWriter, newest
from .settings import TrainSettings
from .stopping import Stopper

if TYPE_CHECKING:
    from ..tokenizer import Tokenizer


def train(
    prepare: Callable[[World], Job],
    run_dir: str | Path,
    *,
    settings: TrainSettings,
    tokenizer: "Tokenizer",
    notes: dict,
    task: dict | None = None,
    callbacks: Iterable[Callback] = (),
    resume: bool = False,
    watch_stdin: bool = False,
) -> Outcome:
    """Train what `prepare` makes for these processes, from the start or from the directory's newest checkpoint.

    Args:
        run_dir: new, or with `resume` one to go on in.
        notes: for settings.json besides the settings: "kind", and "text", which names the data and must be the same
            when a run goes on.
        task: for task.json, when fine-tuning.
        callbacks, resume, watch_stdin: see `pretrain`.

    Raises:
        GPT1VizError: another trainer or another run in the directory; a run that was begun with other data, another
            shape or other settings; what the loop raises. A refusal leaves an earlier run as it was.
    """
    path = expanded(run_dir).absolute()
    with ExitStack() as stack:
        world = stack.enter_context(joined(settings.device))
        stopper = stack.enter_context(Stopper(watch_stdin))
        run = stack.enter_context(RunWriter(path, resume)) if world.main else None
        world.wait()
        job, checkpoint = prepare(world), newest(path)
        if checkpoint:
            _check(path, job.config, notes, settings)
        if run:
            run.begin(files.read_json(checkpoint / "state.json")["step"] if checkpoint else -1)
            run.write("config.json", {"format": formats.OURS, **job.config.to_dict()})
            run.write("settings.json", {**settings.to_dict(), **notes})
            run.write_tokenizer(tokenizer)
            if task:
                run.write("task.json", task)
        return Loop(job, settings, world, run, checkpoint, callbacks, title=path.name).train(stopper)


def _check(path: Path, config: GPT1Config, notes: dict, settings: TrainSettings) -> None:
    """What goes on must be what was begun: the same shape, data and settings, but for the budget."""
    before = files.read_json(path / "settings.json")
    if GPT1Config.from_dict(files.read_json(path / "config.json")) != config:
        raise GPT1VizError("training_other_model", path=path)
    if before.get("kind") != notes["kind"] or before.get("text") != notes["text"]:
        raise GPT1VizError("training_other_text", path=path)
    settings.check_resumes(before)
