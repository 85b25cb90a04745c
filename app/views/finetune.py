"""Fine-tune: a checkpoint learns a labelled task in a process of its own; its losses, its errors, its attention."""

from functools import partial

import components
import finetune_results as results
import jobs
import models
import numpy as np
import panels
import state
import streamlit as st
import task_files
import task_model
import task_rows
import torch

from gpt1viz import palette
from gpt1viz.data import papers_tasks
from gpt1viz.data.rows import COLUMNS
from gpt1viz.data.toys import TOYS, toy
from gpt1viz.errors import GPT1VizError
from gpt1viz.figures import attention_moved, confusion, numbers
from gpt1viz.inputs import KINDS, layout
from gpt1viz.text import t
from gpt1viz.training import files
from gpt1viz.training.finetune import FinetuneSettings, finetune, transferred
from gpt1viz.training.predict import Predictions
from gpt1viz.training.task_losses import TaskLosses

FILE = "file"
MOST_POINTS = 400  # of a live curve
MOST_ERRORS = 10
MOST_ERRORS_OF_WORDS = 4
MOST_CLASSES = 30  # in the drawing of who is taken for whom
SHOWN_RUNS = 30

lang, session = st.session_state.lang, st.session_state
model_id, stamp, loaded = state.chosen_model(lang)
config, dark = loaded.model.config, components.dark()


# ---- the task


def own_file():
    """Name, mapped rows and task of a reader's file; None before there is one."""
    given = st.file_uploader(t("finetune.file", lang), type=task_files.SUFFIXES, key="ft_file")
    if given is None:
        st.caption(t("finetune.file_help", lang))
        return None
    rows = task_files.rows_of(given.name, given.getvalue())
    found = list(dict.fromkeys(name for _, row in rows[:50] for name in row))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.selectbox(
            t("inputs.task", lang), KINDS, format_func=lambda k: t(f"inputs.kind_{k}", lang), key="ft_kind", width=180
        )
        chosen, likely = {}, task_files.likely(kind, found)
        for role in COLUMNS[kind]:
            label, key = t(f"finetune.role_{role}", lang), f"ft_{kind}_{role}_{given.file_id}"
            if role == "answers":
                chosen[role] = st.multiselect(label, found, default=likely[role], key=key, width=300)
            else:
                place = found.index(likely[role]) if likely[role] in found else None
                chosen[role] = st.selectbox(label, found, index=place, key=key, placeholder="–", width=150)
    content = task_files.mapped(rows, {role: column for role, column in chosen.items() if column})
    return given.name, content, kind, task_files.read(content, kind, given.name)


def choose_task():
    """(arguments of the command line, files for the run, short name, task where it is at hand)."""
    names = [*TOYS, *papers_tasks.HUB, FILE]
    state.asked("data", names[0], state.one_of(names))
    session.setdefault("ft_data", session.data)
    session.data = st.selectbox(t("finetune.data", lang), names, format_func=task_name, key="ft_data", width=320)
    if session.data in TOYS:
        task = toy(session.data)
        return [session.data], {}, session.data.partition("/")[2], task
    if session.data != FILE:
        st.caption(t("finetune.from_hub", lang, name=state.plain(papers_tasks.HUB[session.data].repo)))
        return [session.data], {}, session.data.replace("/", "-"), None
    if (given := own_file()) is None:
        return None, {}, "", None
    _, content, kind, task = given
    return ["{text}/" + task_files.NAME, "--kind", kind], {task_files.NAME: content}, "own", task


def task_name(name: str) -> str:
    kind = TOYS[name].kind if name in TOYS else papers_tasks.HUB[name].kind if name != FILE else None
    return t("finetune.own", lang) if kind is None else f"{name} · {t(f'inputs.kind_{kind}', lang)}"


def start(arguments: list[str], content: dict[str, bytes], wanted: str) -> None:
    name = jobs.free_name(wanted)
    try:
        jobs.start(name, "finetune", arguments, lang, content)
        session.update(tuned=name, ft_run=name, ft_begun=name)
    except GPT1VizError as error:
        session.ft_refused = error


st.header(t("finetune.begin", lang), anchor=False)
st.caption(t("finetune.checkpoint", lang, model=state.plain(loaded.info.name)))
arguments = None
with components.careful(lang):
    arguments, content, short, task = choose_task()
    if task is not None:
        n = {split: len(examples) for split, examples in task.splits.items()}
        words = {"train": n["train"], "validation": n["validation"], "test": n.get("test", 0)}
        metric = t(f"finetune.metric_{task.metric}", lang)
        labels = state.plain(task_files.listed(task.labels))
        st.caption(t("finetune.sizes", lang, metric=metric, labels=labels, **words))
        with st.expander(t("finetune.preview", lang), expanded=session.data == FILE):
            heads = (t("finetune.col_texts", lang), t("finetune.col_true", lang))
            st.html(panels.page(task_files.preview(task, heads), dark))

usual = FinetuneSettings.suited(config)
left, middle, right = st.columns(3, gap="medium")
lm_coef = left.slider(
    t("finetune.lm_coef", lang),
    0.0,
    1.0,
    usual.lm_coef,
    0.05,
    help=t("finetune.lm_coef_help", lang),
    key="ft_lm_coef",
    persist_state="session",
)
n_transfer = middle.slider(
    t("finetune.n_transfer", lang),
    -1,
    config.n_layer,
    config.n_layer,
    help=t("finetune.n_transfer_help", lang),
    key=f"ft_n_transfer_{config.n_layer}",
    persist_state="session",
)
epochs = right.number_input(t("finetune.epochs", lang), 1, 100, usual.epochs, key="ft_epochs", persist_state="session")
rate = left.number_input(
    t("finetune.lr", lang),
    1e-6,
    1e-1,
    usual.lr,
    step=None,
    format="%.2e",
    key=f"ft_lr_{config.n_params}",
    persist_state="session",
)
batch = middle.number_input(
    t("finetune.batch", lang), 1, 256, usual.batch_size, key=f"ft_batch_{config.n_params}", persist_state="session"
)
steps = right.number_input(
    t("finetune.steps", lang),
    0,
    1_000_000,
    0,
    help=t("finetune.steps_help", lang),
    key="ft_steps",
    persist_state="session",
)
which = "nothing" if n_transfer == -1 else "embeddings" if n_transfer == 0 else "blocks"
st.caption(t(f"finetune.transfer_{which}", lang, n=n_transfer, m=config.n_layer))

if arguments is not None and (place := models.location(model_id)) is not None:
    chosen = {"lm_coef": lm_coef, "lr": rate, "batch_size": batch}
    chosen |= {"n_transfer": n_transfer} if n_transfer < config.n_layer else {}
    words = ["finetune", str(place), *arguments, "--epochs", str(epochs)]
    words += ["--steps", str(steps)] if steps else []
    words += [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
    blocked = jobs.read_only()
    args = (words, content, f"{short}-{n_transfer if n_transfer < config.n_layer else 'all'}")
    st.button(t("finetune.start", lang), type="primary", on_click=start, args=args, disabled=blocked)
    if blocked:
        st.caption(state.plain(GPT1VizError("app_read_only").message(lang)))
if (refused := session.pop("ft_refused", None)) is not None:
    st.error(state.plain(refused.message(lang)))


# ---- a run


def tuned_runs() -> list[str]:
    """Runs of this kind, those first that are being prepared, and one that never began."""
    found = [run.name for run in jobs.all_runs() if run.settings.get("kind") == "finetune"]
    started = [name for name in jobs.going_on() if (job := jobs.job(name)) and job.kind == "finetune"]
    ours = session.get("ft_begun")
    failed = [ours] if ours and (job := jobs.job(ours)) and job.fault else []
    return list(dict.fromkeys([*started, *failed, *found]))[:SHOWN_RUNS]


def act(do, *args) -> None:
    try:
        do(*args)
    except GPT1VizError as error:
        session.ft_refused = error


def live(name: str, state_then: str) -> None:
    """Where the run stands; asks for the whole page when it has begun or ended."""
    run = jobs.find(name)
    now = "preparing" if jobs.preparing(name) else run.state if run else "none"
    if now != state_then:
        st.rerun()
    if now in ("preparing", "none"):
        job = jobs.job(name)
        if now == "preparing":
            st.info(t("finetune.preparing", lang))
        else:
            st.error(state.plain((job and job.fault) or t("finetune.gone", lang, run=name)))
        return
    words = {"state": t(f"training.state_{now}", lang), "step": f"{run.step:,}", "share": f"{run.progress:.0%}"}
    st.progress(min(1.0, run.progress), t("finetune.progress", lang, **words))
    if now == "running":
        st.caption(t("finetune.close", lang))
    if run.message and now == "failed":
        st.error(state.plain(t(run.message["code"], lang, **run.message["params"])))
    rows, evaluated = run.metrics("train"), run.metrics("eval")
    losses, measured = st.columns([2, 1], gap="medium")
    if rows:
        thin = rows[:: -(-len(rows) // MOST_POINTS)]
        names = {"loss": palette.INK, "clf_loss": palette.EXTRACT, "lm_loss": palette.ATTENTION}
        there = [key for key in names if key in thin[0]]
        columns = {t(f"finetune.{key}", lang): [row.get(key) for row in thin] for key in there}
        step = t("finetune.step", lang)
        colours = [names[key][dark] for key in there]
        losses.line_chart(
            {step: [row["step"] for row in thin]} | columns, x=step, y=[*columns], color=colours, height=260
        )
        last = " · ".join(f"{t(f'finetune.{key}', lang)} {rows[-1][key]:.3f}" for key in there)
        losses.caption(f"{last} · {t('finetune.rate', lang)} {rows[-1]['lr']:.1e}")
    metric = files.read_json(run.path / "task.json").get("metric")
    scored = [row for row in evaluated if metric in row]
    if scored:
        title = t(f"finetune.metric_{metric}", lang)
        data = {t("finetune.step", lang): [row["step"] for row in scored], title: [row[metric] for row in scored]}
        measured.line_chart(data, x=t("finetune.step", lang), y=title, color=palette.INK[dark], height=260)
        measured.caption(t("finetune.metric_now", lang, metric=title, value=f"{scored[-1][metric]:.3f}", n=len(scored)))


def shown_state(name: str) -> str:
    run = jobs.find(name)
    return "preparing" if jobs.preparing(name) else run.state if run else "none"


def choose_run() -> str | None:
    names = tuned_runs()
    if not names:
        st.caption(t("finetune.no_runs", lang))
        return None
    state.asked("tuned", names[0], state.one_of(names))
    if session.tuned not in names:
        session.tuned = names[0]
    if session.get("ft_run") not in names:
        session.ft_run = session.tuned
    session.tuned = st.selectbox(t("finetune.run", lang), names, key="ft_run", width=320)
    return session.tuned


st.header(t("finetune.learning", lang), anchor=False)
name = choose_run()
if name is not None:
    now = shown_state(name)
    with st.container(horizontal=True):
        busy = now in ("running", "preparing")
        st.button(t("finetune.stop", lang), on_click=act, args=(jobs.stop, name), disabled=not busy or jobs.read_only())
        can_resume = now == "stopped" and not jobs.read_only()
        st.button(t("finetune.resume", lang), on_click=act, args=(jobs.resume, name, lang), disabled=not can_resume)
    with components.careful(lang):
        st.fragment(live, run_every=1 if busy else None)(name, now)


# ---- what came of it


def matrix(task: dict, rows: list[dict]) -> None:
    st.header(t("finetune.confusion", lang), anchor=False)
    if results.is_scores(rows):
        st.caption(t("finetune.no_confusion", lang))
        return
    classes = results.classes_of(task, rows, lang)
    counts = results.confused(rows, len(classes))
    right = int(counts.trace()) / max(1, int(counts.sum()))
    st.caption(t("finetune.confusion_caption", lang, n=f"{int(counts.sum()):,}", right=numbers.percent(right)))
    shown = np.sort(np.argsort(-counts.sum(1), kind="stable")[:MOST_CLASSES])
    if len(shown) < len(classes):
        st.caption(t("finetune.confusion_part", lang, shown=len(shown), n=len(classes)))

    def columns() -> dict:
        names, (true, prediction) = np.array(classes, object), np.indices(counts.shape)
        return {"true": names[true.ravel()], "prediction": names[prediction.ravel()], "count": counts.ravel()}

    title, names = t("finetune.confusion", lang), [classes[k] for k in shown]
    components.chart(confusion, counts[np.ix_(shown, shown)], names, key="confusion", title=title, data=columns)


def wrong(task: dict, rows: list[dict]) -> None:
    st.header(t("finetune.errors", lang), anchor=False)
    found, most = results.errors(rows), MOST_ERRORS_OF_WORDS if task["kind"] == "token" else MOST_ERRORS
    st.caption(t("finetune.errors_caption", lang, n=len(found), m=len(rows), shown=min(len(found), most)))
    if found:
        st.html(panels.page(results.errors_table(found[:most], task, lang), dark))


def attention(run, rows: list[dict], kind: str) -> None:
    """One example of the validation split: what ◆extract looks at at the run's first checkpoint and at its last."""
    st.header(t("finetune.attention", lang), anchor=False)
    (first, _), (last, _) = run.checkpoints()[0], run.checkpoints()[-1]
    ends = [models.run_id(run.name, step) for step in (first, last)]
    tuned = models.load(ends[1], models.stamp(ends[1]))
    row = layout(kind, rows[0]["texts"], tuned.tokenizer, tuned.model.config).rows[0]
    spans = list(dict.fromkeys(span.name for span in row.spans))
    shown = {name: {"start": "▸start", "delim": "¦delim", "extract": "◆extract"}.get(name) for name in spans}
    names = {name: special or t(f"inputs.span_{name}", lang) for name, special in shown.items()}
    default = spans.index("delim") if "delim" in spans else len(spans) - 1
    key = st.segmented_control(
        t("finetune.looks_at", lang), spans, default=spans[default], format_func=names.get, required=True
    )
    before, after = (
        results.on_span(results.extract_weights(end, models.stamp(end), row.ids), row, key) for end in ends
    )
    st.caption(t("finetune.attention_caption", lang, key=names[key], first=first, last=last))
    columns = {"layer": [], "head": [], "before": before.ravel(), "after": after.ravel()}
    for layer in range(len(before)):
        columns["layer"] += [layer] * before.shape[1]
        columns["head"] += range(before.shape[1])
    title = t("finetune.attention", lang)
    draw = partial(attention_moved, query="◆extract", key=names[key])
    components.chart(draw, before, after, key="attention_moved", title=title, data=lambda: columns)


def try_it(run, rows: list[dict], task: dict) -> None:
    st.header(t("finetune.try", lang), anchor=False)
    id = models.run_id(run.name)
    when = models.stamp(id)
    tuned = models.load(id, when)
    texts = [
        st.text_input(
            t("finetune.try_text", lang, n=n + 1), text, max_chars=2000, key=f"try_{run.name}_{n}", live="300ms"
        )
        for n, text in enumerate(rows[0]["texts"])
    ]
    kind, words = task["kind"], texts[0].split()
    label = tuple(range(len(words))) if kind == "token" else None
    example = layout(kind, texts, tuned.tokenizer, tuned.model.config, label=label)
    probabilities = torch.from_numpy(scores := task_model.scores(id, when, tuned, example)).softmax(-1)
    if kind == "token":
        read = [(i, k) for i, k in enumerate(example.label) if k >= 0]
        best = [probabilities[i].max(-1) for i, _ in read]
        chosen = [task["labels"][int(b.indices)] for b in best]
        body = task_rows.word_classes([words[k] for _, k in read], chosen, [float(b.values) for b in best])
    else:
        names = texts[2:] if kind == "choice" else task["labels"]
        title = t("inputs.col_answer" if kind == "choice" else "inputs.col_class", lang)
        body = task_rows.bars(title, names, scores, probabilities, lang)
    st.html(panels.page(body, dark))
    st.caption(t("finetune.use", lang, run=state.plain(run.name)))


run = jobs.find(name) if name else None
if run is not None and run.state != "running" and run.checkpoints():
    task_of_run = files.read_json(run.path / "task.json")
    predicted, _ = files.read_rows(run.path / "predictions.jsonl")
    if task_of_run and predicted:
        with components.careful(lang):
            matrix(task_of_run, predicted)
        with components.careful(lang):
            wrong(task_of_run, predicted)
        with components.careful(lang):
            attention(run, predicted, task_of_run["kind"])
        with components.careful(lang):
            try_it(run, predicted, task_of_run)

state.also_link(data=None if session.data == next(iter(TOYS)) else session.data, tuned=name)
components.look_for("finetune", lang)
components.show_code(lang, transferred, finetune, TaskLosses.__call__, Predictions)
