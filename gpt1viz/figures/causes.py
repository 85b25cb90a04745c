"""The map of patching: what each replaced vector does, position by layer."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from . import theme
from .inside import CELL, clickable
from .plain import heatmap

WIDTH = 500  # pixels of all cells on a narrow page


def patch_map(
    effects: np.ndarray,
    places: Sequence[str],
    columns: Sequence,
    says: Sequence[Sequence[str]],
    *,
    ring: tuple[int, int] | None = None,
    title: str | None = None,
    lang: str = "en",
    dark: bool = False,
) -> go.Figure:
    """The change of a target by every replaced vector, the first place at the bottom.

    Clicks fall on the points of the second trace, row by row from the first place.

    Args:
        effects: (R, P) in the target's unit.
        places: R names of where a vector is replaced, in the order of computation.
        columns: P tokens or strings.
        says: (R, P) what a cell says when hovered, plain text; a newline starts a line.
        ring: (place, column) to ring.

    Raises:
        ValueError: shapes that do not fit.
    """
    effects, n = np.asarray(effects, np.float64), len(places)  # (R, P)
    if np.shape(says) != effects.shape:
        raise ValueError(f"says {np.shape(says)} for {effects.shape} cells")
    at = None if ring is None else (n - 1 - ring[0], ring[1])
    look = {"ring": at, "title": title, "lang": lang, "dark": dark}
    fig = heatmap(effects[::-1], list(places)[::-1], columns, **look)
    fig.update_traces(hoverinfo="skip", hovertemplate=None)
    row, column = (x.ravel() for x in np.indices(effects.shape))
    words = ["<br>".join(theme.markup(part, 80) for part in cell.split("\n")) for line in says for cell in line]
    return clickable(fig, column, n - 1 - row, words, min(CELL, max(4, WIDTH // len(columns))))
