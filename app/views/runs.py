"""Runs: all that has been trained here, compared; a slider through a run's checkpoints; export, download, delete."""

import components
import jobs
import live
import models
import panels
import state
import streamlit as st

from gpt1viz import checkpoints
from gpt1viz.figures import next_tokens
from gpt1viz.figures.curves import AXES, LINES, QUANTITIES, curves, letter
from gpt1viz.text import t
from gpt1viz.training.runs import Run, read_run

lang = st.session_state.lang
MOST_PARAMETERS = 60_000_000  # of a model that is sent as a file
TOP = 5


def table(runs: list[Run]) -> None:
    rows = []
    for run in runs:
        found = live.line(run)
        loss = found.evaluated or found.train
        c = run.config
        rows.append(
            {
                t("runs.run", lang): run.name,
                t("runs.kind", lang): t(f"runs.kind_{run.kind}", lang),
                t("runs.state", lang): t(f"training.state_{run.state}", lang),
                t("runs.step", lang): run.step,
                t("runs.loss", lang): float(loss["loss"][-1]) if loss else None,
                t("runs.parameters", lang): c.n_params if c else None,
                t("runs.shape", lang): f"{c.n_layer} × {c.n_head} × {c.d_head}" if c else "–",
                t("runs.time", lang): live.duration(found.train["time"][-1], lang) if found.train else "–",
            }
        )
    whole, decimal = st.column_config.NumberColumn(format="localized"), st.column_config.NumberColumn(format="%.3f")
    columns = {t("runs.step", lang): whole, t("runs.parameters", lang): whole, t("runs.loss", lang): decimal}
    st.dataframe(rows, hide_index=True, column_config=columns, height=min(36 + 35 * len(rows), 320))
    st.caption(t("runs.table_caption", lang))


def pick(name: str, words: str, options: tuple[str, ...]) -> str:
    """One of the ways to draw curves, by the figures' words; the first at the beginning."""
    return st.segmented_control(
        t(f"runs.{name}", lang),
        options,
        format_func=lambda option: t(f"figures.{words}_{option}", lang),
        default=options[0],
        required=True,
        wrap=True,
        key=name,
        persist_state="session",
    )


def compare(runs: dict[str, Run]) -> None:
    """Curves and settings of some runs."""
    st.header(t("runs.compare", lang), anchor=False)
    state.asked("compare", [*runs][:2], lambda text: [name for name in text.split(",") if name in runs])
    st.session_state.compare = [name for name in st.session_state.compare if name in runs]
    chosen = st.multiselect(
        t("runs.compared", lang), [*runs], max_selections=len(LINES), key="compare", persist_state="session"
    )
    state.also_link(compare=",".join(chosen) or None)
    if not chosen:
        return
    with st.container(horizontal=True, gap="medium"):
        quantity = pick("quantity", "curve", QUANTITIES)
        over = pick("over", "curve_over", AXES)
    lines = [live.line(runs[name]) for name in chosen]
    title, data = t("runs.compare", lang), live.as_data(lines)
    components.chart(curves, lines, (quantity,), over=over, key="compared", title=title, data=data)
    st.caption(t("train.curves_caption", lang))
    if len(chosen) > 1:
        st.html(panels.page(differences([runs[name] for name in chosen]), components.dark()))


def differences(runs: list[Run]) -> str:
    """The settings in which runs differ, as a table."""
    facts = [facts_of(run) for run in runs]
    names = list(dict.fromkeys(name for each in facts for name in each))
    heads = "".join(f"<th>{letter(place)} {live.escape(run.name)}</th>" for place, run in enumerate(runs))
    rows = []
    for name in names:
        values = [each.get(name, "–") for each in facts]
        if len(set(values)) > 1:
            cells = "".join(f"<td>{live.escape(value[:60])}</td>" for value in values)
            rows.append(f"<tr><th class='t'>{live.escape(name)}</th>{cells}</tr>")
    if not rows:
        return f"<p>{t('runs.same_settings', lang)}</p>"
    return f"<table><tr><th class='t'>{t('runs.setting', lang)}</th>{heads}</tr>{''.join(rows)}</table>"


def facts_of(run: Run) -> dict[str, str]:
    shape = run.config.to_dict() if run.config else {}
    flat = {name: value for name, value in run.settings.items() if not isinstance(value, dict)}
    return {name: str(value) for name, value in (shape | flat).items()}


def scrub(runs: dict[str, Run]) -> None:
    """A slider through a run's checkpoints: attention, the next token and the sample move together."""
    st.header(t("runs.scrub", lang), anchor=False)
    names = [name for name, run in runs.items() if run.checkpoints()]
    if not names:
        st.caption(t("runs.no_checkpoints", lang))
        return
    state.asked("run", names[0], state.one_of(runs))
    if st.session_state.run not in names:
        st.session_state.run = names[0]
    st.session_state.scrubbed = st.session_state.run
    name = st.selectbox(t("runs.run", lang), names, key="scrubbed", on_change=take_run)
    run, steps = runs[name], list(dict(runs[name].checkpoints()))
    state.asked("at", steps[-1], state.one_of(steps))
    if st.session_state.at not in steps:
        st.session_state.at = steps[-1]
    if len(steps) > 1:
        st.select_slider(
            t("runs.step_slider", lang), steps, format_func=lambda n: f"{n:,}", key="at", persist_state="session"
        )
    step = st.session_state.at
    state.also_link(run=name, at=str(step))
    model_id = models.run_id(name, step)
    buttons(model_id, run)
    text = state.text_box(lang)
    seen = live.attention(model_id, text, lang) if text.strip() else None
    st.caption(t("runs.scrub_caption", lang))
    left, right = st.columns(2, gap="medium")
    if seen is not None:
        with left:
            tokenizer = models.load(model_id, models.stamp(model_id)).tokenizer
            context = tokenizer.decode([int(i) for i in seen.ids[-6:]])
            st.markdown(f"**{t('runs.top', lang, context=state.plain(context), n=TOP)}**")
            tokens, p = state.entries(tokenizer, seen.next_ids[-1][:TOP]), seen.next_probability[-1][:TOP]
            data = {"token": tokens, "probability": p}
            components.chart(next_tokens, tokens, p, key="top", title=t("runs.top_title", lang), data=lambda: data)
    with right:
        live.sample(run, lang, step)


def take_run() -> None:
    st.session_state.run = st.session_state.scrubbed
    st.session_state.pop("at", None)


def buttons(model_id: str, run: Run) -> None:
    """Use this checkpoint; take it away; delete the run."""
    small = run.config is not None and run.config.n_params <= MOST_PARAMETERS
    file = f"{run.name}-{st.session_state.at}"
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(t("runs.use", lang), key="use", type="primary", on_click=live.use, args=(model_id,))
        if small:
            for kind in ("huggingface", "gpt1viz"):
                st.download_button(
                    t(f"runs.get_{kind}", lang),
                    lambda kind=kind: models.zipped(model_id, kind),
                    f"{file}-{kind}.zip",
                    "application/zip",
                    key=f"get_{kind}",
                    on_click="ignore",
                )
        with st.popover(t("runs.delete", lang), disabled=jobs.read_only(), width="content"):
            st.write(t("runs.delete_sure", lang, run=state.plain(run.name)))
            sure = st.checkbox(t("runs.delete_all", lang, n=len(run.checkpoints())), key=f"sure_{run.name}")
            st.button(
                t("runs.delete_now", lang),
                key="delete",
                disabled=not sure,
                on_click=live.acts,
                args=(jobs.delete, run.name),
            )
    if st.session_state.usable_model == model_id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(t("runs.in_use", lang), width="content")
            for page in ("attention", "next_token"):
                st.page_link(f"views/{page}.py", label=t(f"app.{page}", lang))
    if not small:
        st.caption(t("runs.too_large", lang, path=state.plain(run.name)))


live.refusal(lang)
found = {run.name: run for run in jobs.all_runs()}
if not found:
    st.info(t("runs.none", lang))
    st.page_link("views/train.py", label=t("app.train", lang))
else:
    table([*found.values()])
    compare(found)
    scrub(found)
components.look_for("runs", lang)
components.show_code(lang, read_run, checkpoints.run_steps, checkpoints.load)
