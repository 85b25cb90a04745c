"""Import and load: from nothing to a model that can run, against transformers."""

import subprocess
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from gpt1viz.checkpoints import Loaded, export, load
from gpt1viz.tokenizer import WORD_END, Tokenizer

from . import models
from .report import Row
from .timing import interleaved, ratios

TITLE = "Import and load"
NOTE = (
    "Imports: a new Python process that does nothing else, the wall's clock. Loading: in a process that has imported "
    "what it needs, files in the system's cache, model and tokenizer together. The 117M folder is in Hugging Face's "
    "format (safetensors, float32, 466 MB), with random weights and a vocabulary of 40,478 made-up entries. gpt1viz "
    "copies the weights and checks that each is a finite number; transformers maps the file into memory and leaves it "
    "there until it is used."
)
AIMS = {"storybook": 0.5, "117M": 3.0}  # seconds
IMPORTS = (  # ours, theirs
    ("import gpt1viz", "import transformers"),
    ("from gpt1viz import GPT1, load", "from transformers import OpenAIGPTLMHeadModel, OpenAIGPTTokenizer"),
)


def measure(repeats: int) -> list[Row]:
    rounds = repeats // 2 + 1
    rows = []
    for lines in IMPORTS:
        contenders = {line: partial(subprocess.run, [sys.executable, "-c", line], check=True) for line in lines}
        seconds = interleaved(contenders, rounds, time.perf_counter)
        rows.append(faster(f"`{lines[0]}`, beside `{lines[1]}`", *seconds.values()))
    with TemporaryDirectory() as folder:
        rows += loads(Path(folder) / "117M", rounds)
    return rows


def loads(folder: Path, rounds: int) -> list[Row]:
    """The bundled model and a 117M folder, written first."""
    from transformers import OpenAIGPTLMHeadModel, OpenAIGPTTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    export(Loaded(models.ours(), vocabulary(models.ours().config.n_vocab), info=None), folder)
    contenders = {
        "storybook": lambda: load("storybook"),
        "117M": lambda: load(folder),
        "theirs": lambda: (OpenAIGPTLMHeadModel.from_pretrained(folder), OpenAIGPTTokenizer.from_pretrained(folder)),
    }
    seconds = interleaved(contenders, rounds, time.perf_counter)
    rows = []
    for name, aim in AIMS.items():
        found = median(seconds[name])
        spread = f"{min(seconds[name]) / aim:.2f} to {max(seconds[name]) / aim:.2f}"
        ratio = f"{found / aim:.2f} of it"
        rows.append(Row(f"load, {name}", f"{found:.2f} s", f"aim {aim} s", ratio, spread, "1", found <= aim))
    return [*rows, faster("`load`, 117M, beside `from_pretrained`", seconds["117M"], seconds["theirs"])]


def faster(what: str, ours: list[float], theirs: list[float]) -> Row:
    ratio, spread = ratios(theirs, ours)
    times = (f"{median(seconds):.2f} s" for seconds in (ours, theirs))
    return Row(what, *times, f"{ratio:.2f} times as fast", spread)


def vocabulary(n: int) -> Tokenizer:
    """The bundled vocabulary and as many made-up merges as `n` entries need."""
    bundled = load("storybook").tokenizer
    vocab, merges = dict(bundled.vocab), list(bundled.merges)
    for left, right in product([entry for entry in vocab if not entry.endswith(WORD_END)][1:], list(vocab)[2:]):
        if len(vocab) == n:
            break
        if left + right not in vocab:
            vocab[left + right] = len(vocab)
            merges.append((left, right))
    return Tokenizer(vocab, merges)
