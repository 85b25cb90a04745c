"""Work that may take long: what is done is kept, and what takes over a second or two shows its progress and a Stop."""

from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st
from models import Kept

from gpt1viz.text import t

MOST = 100_000_000  # bytes of results kept, of all sessions together
QUICK = 3e10  # operations that are done before one could press Stop
Progress = Callable[[float], object]


class _Waits(Exception):
    """Not computed: the reader has stopped it, or has not asked for it yet."""


@st.cache_resource(max_entries=1, show_spinner=False)
def _kept() -> Kept:
    return Kept(MOST)


def computed(
    name: str,
    key: tuple[Hashable, ...],
    compute: Callable[[Progress], Any],
    operations: float,
    lang: str,
    ask: str = "",
) -> Any:
    """A result, from what is kept or computed now; None as long as the reader does not want it.

    Args:
        name: letters and _, one of its kind on the page.
        key: what the result depends on, the model's id and stamp among it.
        compute: takes a function that is told the share done, 0 to 1; it may be ended there. Gives a dataclass of
            arrays.
        operations: about how many additions and multiplications it takes.
        ask: what a button says that starts long work; without one it starts by itself.
    """
    wishes = st.session_state.setdefault("wishes", {})
    place = st.empty()

    def make() -> Any:
        if operations <= QUICK:
            return compute(lambda share: None)
        wish, wanted = wishes.get(name, (None, False))
        if not (wanted if wish == key else not ask):
            with place.container():
                if wish == key:
                    st.caption(t("inside.stopped", lang))
                label = ask or t("inside.go_on", lang)
                st.button(label, key=f"start_{name}", on_click=wishes.__setitem__, args=(name, (key, True)))
            raise _Waits
        with place.container():
            bar = st.progress(0.0, text=t("inside.working", lang))
            stop = (name, (key, False))
            st.button(t("app.stop", lang), key=f"stop_{name}", on_click=wishes.__setitem__, args=stop)
        result = compute(lambda share: bar.progress(min(1.0, share), text=t("inside.working", lang)))
        place.empty()
        return result

    try:
        return _kept().get((name, *key), make, _size)
    except _Waits:
        return None


def passes(config, n: int) -> float:
    """About how many operations one block takes for n tokens."""
    return 24.0 * n * config.n_embd**2 + 4.0 * n * n * config.n_embd


def _size(result: Any) -> int:
    return sum(getattr(value, "nbytes", 0) for value in vars(result).values())
