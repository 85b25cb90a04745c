"""Canvas views: for each one JavaScript core, and the bytes (numpy in, payload out) that it draws.

The same core runs in Jupyter (anywidget, see gpt1viz.widgets) and in Streamlit (components v2).
"""

import json
from functools import cache
from pathlib import Path

from gpt1viz import palette
from gpt1viz.views.payload import attention_grid_payload, shown_window, token_strip_payload

__all__ = ["attention_grid_payload", "shown_window", "source", "token_strip_payload"]

_HERE = Path(__file__).parent
_CORES = {
    "attention_grid": ("shared.js", "tiles.js", "matrix.js", "attention_grid.js"),
    "token_strip": ("shared.js", "token_strip.js"),
}
_HOSTS = ("streamlit", "anywidget")


@cache
def source(name: str, host: str) -> str:
    """The whole JavaScript module of a view: shared code, its core, and the shim that hosts it.

    Args:
        name: "attention_grid" or "token_strip".
        host: "streamlit" (`st.components.v2.component(js=...)`) or "anywidget" (`_esm`).

    Raises:
        KeyError: no such view.
        ValueError: no such host.
    """
    if host not in _HOSTS:
        raise ValueError(f"host must be one of {_HOSTS}, not {host!r}")
    parts = [(_HERE / part).read_text(encoding="utf-8") for part in (*_CORES[name], f"host_{host}.js")]
    return "\n".join(parts).replace('"__PALETTE__"', json.dumps(_palette(), ensure_ascii=False))


def _palette() -> dict:
    """The colours and fonts of gpt1viz.palette by name; each colour (or scale) is [light, dark]."""
    return {name: value for name, value in vars(palette).items() if name.isupper()}
