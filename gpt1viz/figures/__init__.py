"""Plotly figures: arrays and tokens in, go.Figure out. Nothing is shown or saved here.

Tokens are tokenizer.Piece objects or strings; `labels` makes what is printed of them. Every function takes
`lang` ("en", "zh") and `dark`.
"""

from .attention import STAGES, head_stages, mask, products
from .confusion import attention_moved, confusion
from .curves import curves
from .draw import unit_bar
from .layout import layouts
from .measured import Curve, dots, trends
from .plain import bars, heatmap, lines, points
from .probabilities import next_tokens, surprisal
from .strips import activation, strips
from .theme import labels

__all__ = [
    "STAGES",
    "Curve",
    "activation",
    "attention_moved",
    "bars",
    "confusion",
    "curves",
    "dots",
    "head_stages",
    "heatmap",
    "labels",
    "layouts",
    "lines",
    "mask",
    "next_tokens",
    "points",
    "products",
    "strips",
    "surprisal",
    "trends",
    "unit_bar",
]
