"""The built-in sample to pre-train on: the stories of the toy tasks, which tiny models learn in a minute."""

from ..task import TextExample
from . import TOYS, toy

HELD_OUT = 10  # one line in so many, from the end


def stories() -> str:
    """The stories of the toy tasks in turn, one a line, the right endings joined to them."""
    told = ([_story(made.kind, example) for example in toy(name).splits["train"]] for name, made in TOYS.items())
    return "".join(f"{story}\n" for stories in zip(*told, strict=True) for story in stories)


def split(lines: str) -> tuple[str, str]:
    """(what is learned, what is held out): the first nine tenths of the lines, and the last."""
    every = lines.splitlines(keepends=True)
    kept = len(every) - len(every) // HELD_OUT
    return "".join(every[:kept]), "".join(every[kept:])


def _story(kind: str, example: TextExample) -> str:
    texts = example.texts
    if kind == "choice":
        context, question, *answers = texts
        assert isinstance(example.label, int)
        texts = (context, question, answers[example.label])
    return " ".join(filter(None, texts))
