"""The sentences of the page Paper that name numbers of the stored results."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from paper_tables import points

from gpt1viz.reproduce.compare import PAPER
from gpt1viz.reproduce.results import Bits, Summary, ZeroShot
from gpt1viz.text import t


def paper() -> dict[str, str]:
    """What the rows of the paper's table 5 have less or more than its full model."""
    return {name: points((mean - PAPER["full"]) / 100) for name, mean in PAPER.items()}


def layers(task: str, own: Mapping[int, Summary], split: str, lang: str) -> str:
    """How a task's score moves from nothing to all blocks."""
    means = {n: getattr(summary, split).mean for n, summary in own.items()}
    steps = {(before, n): means[n] - means[before] for before, n in pairwise(sorted(means))}
    if not steps:
        return t("paper.layers_one", lang, task=task)
    before, n = best = max(steps, key=steps.__getitem__)
    step = "block" if n == before + 1 else "blocks"
    words = {"ups": sum(difference > 0 for difference in steps.values()), "n": len(steps)}
    words |= {"step": t(f"paper.step_{'embeddings' if n == 0 else step}", lang, first=max(before, 0), last=n - 1)}
    words |= {"start": _percent(means[min(means)]), "end": _percent(means[max(means)]), "rise": points(steps[best])}
    return t("paper.layers_here", lang, task=task, **words)


def examples(task: str, own: Mapping[bool, Mapping[int, Summary]], split: str, lang: str) -> str:
    """How many examples the pre-trained model needs to reach what the other makes of all."""
    ours, theirs = ({n: getattr(s, split).mean for n, s in own[start].items()} for start in (True, False))
    if not theirs:
        return t("paper.examples_one", lang, task=task)
    whole = max(theirs)
    words = {"task": task, "all": f"{whole:,}", "scratch": _percent(theirs[whole])}
    enough = [n for n in sorted(ours) if ours[n] >= theirs[whole]]
    if not enough:
        return t("paper.examples_never", lang, **words)
    return t("paper.examples_here", lang, n=f"{enough[0]:,}", score=_percent(ours[enough[0]]), **words)


def zero_shot(task: str, own: Mapping[str, Sequence[ZeroShot]], lang: str) -> str:
    """Where the models of a task begin and end."""
    parts = []
    for model, rows in own.items():
        values = [row.value for row in rows]
        words = {"first": _percent(values[0]), "last": _percent(values[-1]), "best": _percent(max(values))}
        parts.append(t("paper.zero_shot_model", lang, model=t(f"paper.model_{model}", lang), **words))
    chance = next(row.chance for rows in own.values() for row in rows)
    return t("paper.zero_shot_here", lang, task=task, chance=_percent(chance), models=t("paper.and", lang).join(parts))


def bits(found: Mapping[str, Sequence[Bits]], lang: str) -> str:
    """What the models' reading gains in the same time."""
    parts = []
    for model, rows in found.items():
        words = {"first": f"{rows[0].value:.2f}", "last": f"{rows[-1].value:.2f}"}
        parts.append(t("paper.bits_model", lang, model=t(f"paper.model_{model}", lang), **words))
    return t("paper.bits_here", lang, models=t("paper.and", lang).join(parts))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
