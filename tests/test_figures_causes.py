"""The map of patching shows its numbers, and its clickable points lie on their cells."""

import numpy as np
import pytest

from gpt1viz.figures.causes import patch_map


def drawn(**options):
    effects = np.arange(6.0).reshape(3, 2) - 2
    says = [[f"{i}<{k}\n$x$" for k in range(2)] for i in range(3)]
    return effects, patch_map(effects, ["→L0", "→L1", "L1→"], ["a", "b→c"], says, **options)


@pytest.mark.parametrize("dark", [False, True])
def test_every_point_lies_on_its_cell_and_says_it(dark):
    effects, figure = drawn(dark=dark, lang="zh" if dark else "en")
    cells, points = figure.data
    z = np.array(cells.z)
    assert (z[::-1] == effects).all() and figure.layout.yaxis.labelalias["2"] == "→L0"
    for n, (x, y) in enumerate(zip(points.x, points.y, strict=True)):
        assert z[y, x] == effects[n // 2, n % 2]
        assert points.customdata[n] == f"{n // 2}&lt;{n % 2}<br>&#36;x&#36;"


def test_the_ring_lies_on_its_cell():
    _, figure = drawn(ring=(0, 1))
    [ring] = figure.layout.shapes
    assert ((ring.x0 + ring.x1) / 2, (ring.y0 + ring.y1) / 2) == (1, 2)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="says"):
        patch_map(np.zeros((2, 2)), ["a", "b"], ["c", "d"], [["one"]])
