"""Keep the Chinese notebooks' code equal to the English ones'.

    python notebooks/translate.py            # all of them
    python notebooks/translate.py 00_tour    # one; a new one starts out with the English prose

Code, tags and the code of solutions come from notebooks/NAME.ipynb, prose from notebooks/zh/NAME.ipynb: cells belong
together by their ids. The first code cell sets `lang = "zh"`. Lines that end inside a Chinese sentence are joined, as
a browser would show a blank there. `refresh.py` does all this before it runs a Chinese notebook.
"""

import re
import sys
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
SOLUTION = re.compile(r"```python\n.*?```", re.DOTALL)

MARK, CHINESE = r"[\u3000-\u303f\uff00-\uffef“”]", r"[\u3000-\u303f\uff00-\uffef\u4e00-\u9fff“”]"
INSIDE = re.compile(rf"(?<={CHINESE})(\**)\n(?=\**{CHINESE})|(?<={MARK})(\**)\n(?=[A-Za-z`])|(?<!\n)\n(?=\**{MARK})")


def follow(english, chinese):
    """A notebook with the code of `english` and the prose of `chinese`, which may be None."""
    result = nbformat.from_dict(english)
    prose = {cell.id: cell.source for cell in chinese.cells} if chinese else {}
    first = True
    for cell in result.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if first:
                cell.source = cell.source.replace('lang = "en"', 'lang = "zh"')
            first = False
        else:
            code = iter(SOLUTION.findall(cell.source))
            written = prose.get(cell.id, cell.source)
            cell.source = SOLUTION.sub(lambda old, code=code: next(code, old[0]), joined(written))
    return result


def joined(text: str) -> str:
    """Chinese prose without line ends inside a sentence."""
    return INSIDE.sub(lambda end: (end[1] or "") + (end[2] or ""), text)


def translate(name: str) -> None:
    """Bring notebooks/zh/NAME.ipynb up to date; `refresh.py` then fills in its outputs."""
    path = HERE / "zh" / f"{name}.ipynb"
    english = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
    chinese = nbformat.read(path, as_version=4) if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    nbformat.write(follow(english, chinese), path)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.ipynb")):
        translate(name)
