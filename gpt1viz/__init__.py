"""GPT-1 that you can read, run, train and take apart.

The public names are imported on first use, so that `import gpt1viz` costs nothing: neither torch nor spaCy,
plotly or Streamlit is loaded until something needs it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "GPT1Config": "config",
    "GPT1": "model",
    "Trace": "trace",
    "Edits": "trace",
    "Tokenizer": "tokenizer",
    "Loaded": "checkpoints",
    "load": "checkpoints",
    "save": "checkpoints",
    "explain": "explain",
    "generate": "generate",
}
__all__ = [
    "GPT1",
    "Edits",
    "GPT1Config",
    "Loaded",
    "Tokenizer",
    "Trace",
    "explain",
    "generate",
    "load",
    "save",
]

if TYPE_CHECKING:
    from .checkpoints import Loaded, load, save
    from .config import GPT1Config
    from .explain import explain
    from .generate import generate
    from .model import GPT1
    from .tokenizer import Tokenizer
    from .trace import Edits, Trace


class _Package(ModuleType):
    """`gpt1viz.explain` is the function, also after `import gpt1viz.explain` has bound the module of that name."""

    def __setattr__(self, name, value):
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'gpt1viz' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_HOMES])
