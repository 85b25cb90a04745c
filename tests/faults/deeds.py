"""What the children of `victim.py` do: everything that gpt1viz writes."""

import codecs
import os
import signal
import sys
from hashlib import sha1
from pathlib import Path

import stores
import tiny_run
import torch
from test_download import FILES

from gpt1viz import checkpoints, cli, download
from gpt1viz.data.corpus import build
from gpt1viz.training import files

SMALL = [f"--set={change}" for change in ("n_layer=1", "n_embd=12", "n_head=3", "n_ctx=11", "vocabulary=29")]
SMALL += ["--set=batch_size=4", "--set=sample_tokens=3", '--set=prompts=["the fox"]', "--set=device=cpu"]
LEARN = ["--steps", "4", *SMALL]
TUNE = ["--steps", "4", "--set=batch_size=4", "--set=lr=1e-2", "--set=device=cpu", "--labels", "no,yes"]
STORY = "the fox and the hen ran to the den . the cat sat on the mat .\nthe hat on the rat .\n" * 40
ROWS = [("the fox ran", "yes"), ("the hat sat", "no"), ("the hen ran", "yes"), ("the mat sat", "no")] * 8
TABLE = "text,label\n" + "".join(f"{text} {n},{label}\n" for n, (text, label) in enumerate(ROWS))


def load_all() -> None:
    """Import and make what each job needs, once, before the first fork."""
    torch.set_num_threads(1)
    sys.path.insert(0, str(Path(__file__).parents[2] / "app"))
    import huggingface_hub
    import jobs

    from gpt1viz import cli_finetune, cli_training, generate
    from gpt1viz.training import finetune, predict, prepare

    codecs.lookup("utf-8-sig")
    stores.tokenizer().encode(stores.TEXT)
    stores.model()
    assert all((huggingface_hub, jobs, cli_finetune, cli_training, generate, finetune, predict, prepare))


def other_model():
    """A model of the same shape as `stores.model`, with other weights."""
    return stores.tiny_model(1, n_special=0, n_embd=24, n_head=12, n_layer=2)


def save(folder: str) -> None:
    checkpoints.save(other_model(), folder, stores.tokenizer())


def export(model: str, folder: str) -> None:
    checkpoints.export(checkpoints.load(Path(model)), folder)


def train(folder: str, steps: int) -> None:
    """All the time with checkpoints."""
    tiny_run.train(Path(folder), steps=steps, save_minutes=0.0, sample_every=4, resume=True)


def corpus(path: str, cache: str) -> None:
    build([path], stores.tokenizer(), cache)


def fetch(base: str) -> None:
    """The 2018 release, played by the files of test_download.py, from a server on this machine."""
    download.BLOBS = {name: sha1(b"blob %d\0" % len(c) + c).hexdigest() for name, c in FILES.items()}
    download.BASE = base
    download.openai_gpt(report=lambda n: None)


def settings(folder: str) -> None:
    """The small files of a run, each in place of an older one."""
    files.write_json(Path(folder) / "settings.json", {"new": list(range(500))})
    files.write_rows(Path(folder) / "rows.jsonl", ({"new": n} for n in range(500)))
    stores.tokenizer().save(Path(folder) / "tokenizer.json")


def upload(name: str) -> None:
    """What the app does with uploaded texts; the server dies at the latest when it starts the process that learns."""
    import jobs

    jobs._begin = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    jobs.start(name, "pretrain", ["train", "{text}", *LEARN], files={"a.txt": STORY.encode(), "b.txt": b"x" * 50_000})


def press(button: str, name: str) -> None:
    """A button of the app that starts, stops, resumes or deletes a run."""
    import jobs

    jobs._begin = lambda *_: None  # nothing is to be trained
    if button == "start":
        jobs.start(name, "pretrain", ["train", "{text}", *LEARN], files={"a.txt": STORY.encode()})
    else:
        getattr(jobs, button)(name)


def command(words: list[str]) -> int:
    """The command line."""
    return cli.main(words)


def can_write(folder: str) -> int:
    """Whether this process may write into the folder, and can do its work at all."""
    checkpoints.load(Path(folder) / "base")
    return int(os.access(folder, os.W_OK))


def note(path: str, seeds: list[int]) -> None:
    """Rows of `gpt1viz reproduce`, one after the other."""
    from dataclasses import replace

    from test_reproduce import ROW

    from gpt1viz.reproduce.run import append

    for seed in seeds:
        append(Path(path), replace(ROW, seed=seed))
