"""A run as it is being trained: state, numbers, curves, samples, its attention; buttons to stop it and go on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from threading import Lock

import components
import jobs
import models
import numpy as np
import panels
import sources
import state
import streamlit as st

from gpt1viz import palette
from gpt1viz.errors import GPT1VizError
from gpt1viz.explain import Explanation
from gpt1viz.figures.curves import AXES, MOST_POINTS, Line, curves, thinned
from gpt1viz.text import t
from gpt1viz.training import files
from gpt1viz.training.runs import METRICS, Run

COLUMNS = (*AXES, "loss", "lr", "grad_norm", "tokens_per_second")


@dataclass
class Diary:
    """The rows of a metrics.jsonl, of which only the new ones are read; a file that was replaced is read anew."""

    path: Path
    rows: list[dict] = field(default_factory=list)
    place: int = 0
    inode: int = 0
    lock: Lock = field(default_factory=Lock)

    def read(self) -> list[dict]:
        with self.lock:
            try:
                about = self.path.stat()
            except OSError:
                return []
            if about.st_ino != self.inode or about.st_size < self.place:
                self.rows, self.place, self.inode = [], 0, about.st_ino
            new, self.place = files.read_rows(self.path, self.place)
            self.rows = self.rows + new
            return self.rows


@st.cache_resource(max_entries=12, show_spinner=False)
def _diary(path: Path) -> Diary:
    return Diary(path / METRICS)


def line(run: Run) -> Line:
    """A run's metrics as arrays."""
    rows = _diary(run.path).read()
    return Line(run.name, _columns(rows, "train"), _columns(rows, "eval"))


def _columns(rows: list[dict], kind: str) -> dict[str, np.ndarray]:
    rows = [row for row in rows if row.get("kind") == kind]
    return {name: np.array([_number(row.get(name)) for row in rows]) for name in COLUMNS} if rows else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def as_data(lines: list[Line]):
    """The numbers behind curves, for a CSV file."""

    def data() -> dict:
        names = [line.name for line in lines for _ in line.train.get("step", ())]
        joined = {c: np.concatenate([line.train[c] for line in lines if line.train]) for c in COLUMNS}
        return {"run": names} | joined

    return data if any(line.train for line in lines) else None


def acts(call, *arguments) -> None:
    """A change on a button's press; what refuses is said at the page's top in the run that follows."""
    try:
        call(*arguments)
    except GPT1VizError as error:
        st.session_state.refused = error


def refusal(lang: str) -> None:
    """Says what the last press could not do."""
    if error := st.session_state.pop("refused", None):
        st.error(state.plain(error.message(lang)))


def watch(name: str, lang: str) -> None:
    """All of one run; while it is going on the numbers and curves follow every second."""
    seen = _seen(name)  # before the run is read: what changes while this is drawn shall be drawn anew
    run, preparing = jobs.find(name), jobs.preparing(name)
    if run is None and not preparing:
        _never_began(name, lang)
        return
    going = preparing or run.state == "running"
    _buttons(name, run, going, lang)
    if going:
        st.caption(t("train.close_tab", lang))
        st.fragment(_live, run_every=1)(name, seen, lang)
    else:
        _numbers(run, lang)
        if run.message:
            _how_it_ended(run, lang)
        found = line(run)
        if found.train:
            title = t("train.curves", lang)
            components.chart(curves, [found], key="curves", title=title, data=as_data([found]))
            st.caption(t("train.curves_caption", lang))
        sample(run, lang)


def _seen(name: str) -> tuple:
    """What makes the whole page draw anew when it changes."""
    run = jobs.find(name)
    if run is None:
        return None, jobs.preparing(name), False
    return run.state, jobs.preparing(name), bool(run.checkpoints())


def _live(name: str, seen: tuple, lang: str) -> None:
    if _seen(name) != seen:
        st.rerun()
    run = jobs.find(name)
    if run is None or jobs.preparing(name):
        st.info(_preparing(name, lang))
        return
    with components.careful(lang):
        st.progress(run.progress)
        _numbers(run, lang)
        found = line(run)
        if not found.train:
            return
        dark = components.dark()
        _line_chart(found, ("loss",), lang, dark, 240)
        left, right = st.columns(2, gap="medium")
        with left:
            _line_chart(found, ("lr",), lang, dark, 160)
        with right:
            _line_chart(found, ("grad_norm",), lang, dark, 160)
        sample(run, lang)


def _preparing(name: str, lang: str) -> str:
    try:
        uses_books = "books:train" in jobs.job(name).process.args
    except AttributeError:  # it has ended in the meantime
        uses_books = False
    if uses_books and not sources.books_folder():
        return t("train.preparing_books", lang, n=sources.books_here(), all=sources.n_books())
    return t("train.preparing", lang)


def _line_chart(found: Line, names: tuple[str, ...], lang: str, dark: bool, height: int) -> None:
    """Streamlit's own chart: plotly's is mounted anew every second."""
    axis = t("figures.curve_over_step", lang)
    columns, colours = {}, []
    for name in names:
        x, y, _ = thinned(found.train["step"], found.train[name], MOST_POINTS)
        columns = {axis: x, t(f"figures.curve_{name}", lang): y}
        colours.append(palette.ATTENTION[dark])
    *_, label = columns
    st.line_chart(columns, x=axis, y=label, color=colours, height=height, x_label=axis, y_label=label)


def _numbers(run: Run, lang: str) -> None:
    """Where the run stands, in one line of figures."""
    found = line(run)
    last = {name: values[-1] for name, values in found.train.items()}
    speed = found.train.get("tokens_per_second", np.array([]))[-20:]
    items = [
        ("state", t(f"training.state_{run.state}", lang)),
        ("step", f"{run.step:,}"),
        ("done", f"{run.progress:.0%}"),
    ]
    if last:
        items.append(("loss", f"{last['loss']:.3f}"))
        if found.evaluated:
            items.append(("validation", f"{found.evaluated['loss'][-1]:.3f}"))
        items += [("rate", f"{last['lr']:.2g}"), ("norm", f"{last['grad_norm']:.2f}")]
        items += [("speed", f"{np.median(speed):,.0f}"), ("tokens", f"{int(last['tokens']):,}")]
        items.append(("time", duration(last["time"], lang)))
    figures([(t(f"train.n_{name}", lang), value) for name, value in items])


def figures(items: list[tuple[str, str]]) -> None:
    """Labels with their values below, in as many lines as it takes."""
    cells = (f"<div>{escape(label)}<br><span class='n'>{escape(value)}</span></div>" for label, value in items)
    st.html(panels.page("".join(cells), components.dark()))


def duration(seconds: float, lang: str) -> str:
    """12 s, 3 min 20 s, 5 h 10 min."""
    seconds = int(seconds)
    if seconds < 60:
        return t("train.seconds", lang, s=seconds)
    if seconds < 3600:
        return t("train.minutes", lang, m=seconds // 60, s=seconds % 60)
    return t("train.hours", lang, h=seconds // 3600, m=seconds % 3600 // 60)


def _how_it_ended(run: Run, lang: str) -> None:
    code, params = run.message.get("code", ""), run.message.get("params", {})
    if run.state == "failed":
        try:
            st.error(state.plain(t(code, lang, **params).replace(str(run.path), run.name)))
        except KeyError:  # of another version
            st.error(state.plain(code))


def sample(run: Run, lang: str, step: int | None = None) -> None:
    """What the run wrote last, or up to a step."""
    rows = [row for row in run.samples() if step is None or row.get("step", 0) <= step]
    if not rows:
        return
    last = max(row.get("step", 0) for row in rows)
    st.markdown(f"**{t('train.sample', lang, step=f'{last:,}')}**")
    texts = [str(row.get("text", "")) for row in rows if row.get("step", 0) == last]
    st.html(panels.page("".join(panels.running(text) for text in texts), components.dark()))


def newest(name: str, text: str, lang: str) -> None:
    """The attention of a run's newest checkpoint."""
    run = jobs.find(name)
    if run and (step := max(dict(run.checkpoints()), default=None)) is not None:
        st.markdown(f"**{t('train.attention', lang, step=f'{step:,}')}**")
        attention(models.run_id(name, step), text, lang)


def attention(model_id: str, text: str, lang: str) -> Explanation | None:
    """All heads of a checkpoint on a text; None where it cannot read it. The focus is kept where it fits."""
    try:
        found = models.explained(model_id, models.stamp(model_id), text)
    except GPT1VizError as error:
        st.info(state.plain(error.message(lang)) if error.code != "no_tokens" else t("app.no_tokens_in_text", lang))
        return None
    n_layer, n_head, n, _ = found.weights.shape
    session = st.session_state
    layer, head = min(session.get("layer", n_layer // 2), n_layer - 1), min(session.get("head", n_head - 1), n_head - 1)
    position = min(session.get("pos", n - 1), n - 1)
    key = min(session.key, n - 1) if session.get("locked") else int(found.weights[layer, head, position].argmax())
    components.attention_grid(found, lang, layer, head, (position, key))
    return found


def _never_began(name: str, lang: str) -> None:
    found = jobs.job(name)
    if found and found.fault:
        st.error(t("train.failed_before", lang, name=state.plain(name), fault=state.plain(found.fault)))
    else:
        st.info(t("train.no_run", lang, name=state.plain(name[:60])))


def _buttons(name: str, run: Run | None, going: bool, lang: str) -> None:
    """All of them always, so that none moves away below the pointer when the run begins or ends."""
    free = not jobs.read_only()
    stopped = not going and run is not None and run.state in ("stopped", "failed")
    seen = run is not None and bool(run.checkpoints())
    with st.container(horizontal=True, gap="small"):
        _button("stop", going and free, lang, acts, jobs.stop, name)
        _button("resume", stopped and free, lang, acts, jobs.resume, name, lang)
        if _button("use", seen, lang, use, models.run_id(name)):
            st.switch_page("views/attention.py")
        _button("another", True, lang, leave)


def _button(what: str, possible: bool, lang: str, act: Callable, *arguments) -> bool:
    look = "primary" if possible and what in ("stop", "resume") else "secondary"
    label, key = t(f"train.{what}", lang), f"{what}_run"
    return st.button(label, key=key, type=look, disabled=not possible, on_click=act, args=arguments)


def use(model_id: str) -> None:
    """Puts a checkpoint into the model box."""
    st.session_state.model = model_id


def leave() -> None:
    st.session_state.run = ""
