"""The reference of every module, from its docstrings, as web pages that need no network: build/docs/index.html.

python docs/reference.py             # into build/docs
python docs/reference.py FOLDER
"""

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import gpt1viz
from gpt1viz import palette

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "docs"


def modules() -> list[str]:
    """gpt1viz and every module below it that is not private, in order."""
    found = pkgutil.walk_packages(gpt1viz.__path__, "gpt1viz.")
    return ["gpt1viz", *sorted(module.name for module in found if "._" not in module.name)]


def build(folder: Path) -> None:
    """A page for each module, a page of contents, and the index that its search box reads."""
    for name in gpt1viz.__all__:
        getattr(gpt1viz, name)  # imports it; pdoc would take `explain` for the module of that name
    pdoc.render.configure(
        docformat="google", template_directory=HERE / "templates", footer_text=f"gpt1viz {gpt1viz.__version__}"
    )
    pdoc.render.env.globals["palette"] = palette
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The module specification")  # packages with __all__ name fewer than there are
        warnings.filterwarnings("ignore", "Error parsing type annotation")  # of names imported for type checkers only
        pdoc.pdoc(*modules(), output_directory=folder)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD
    build(target)
    print(target / "index.html")
