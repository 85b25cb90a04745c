"""One progress bar, in terminals and notebooks; quiet when nobody looks."""

import sys

from tqdm.auto import tqdm


def watched() -> bool:
    """Whether somebody looks: a terminal or a notebook."""
    python = sys.modules.get("IPython")
    return sys.stderr.isatty() or (python is not None and python.get_ipython() is not None)


class Bar:
    """A bar over a share that grows from 0 to 1, with the latest numbers behind it."""

    def __init__(self, title: str, shown: bool = True):
        form = "{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"
        self._bar = tqdm(total=1.0, desc=title, bar_format=form, disable=not (shown and watched()))

    def show(self, share: float, **numbers: str) -> None:
        """Move on to this share of all, with numbers behind the bar."""
        self._bar.set_postfix(numbers, refresh=False)
        self._bar.update(share - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()
