"""The Break it page without a browser: what is hollow, the numbers of a pair, the queue, refusals."""

import base64
import json
import shutil

import numpy as np
import pytest
from app_driver import html, linked, opened, said, tables, typed, well
from app_runs import empty_folder, jobs, live, models, pair_results, pairs, sources, until  # noqa: F401 (a fixture)

from gpt1viz import cli, load
from gpt1viz.analysis.broken import measure
from gpt1viz.data.toys.stories import split, stories
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import t
from gpt1viz.training import breakit
from gpt1viz.training.prepare import encode

STEPS = 5
SOME = "".join(stories().splitlines(keepends=True)[:400])
both_languages = pytest.mark.parametrize("lang", ["en", "zh"])


@pytest.fixture(autouse=True)
def short(folder, monkeypatch):
    """A few updates on few stories."""
    monkeypatch.setenv("GPT1VIZ_BREAKIT_STEPS", str(STEPS))
    monkeypatch.setattr(breakit, "stories", lambda: SOME)
    monkeypatch.setattr(sources, "toy_stories", lambda: SOME)
    clear()
    yield split(SOME)
    clear()


def clear():
    pairs.queue.clear()
    breakit.wanted.cache_clear()
    breakit._texts.cache_clear()
    pairs._digest.cache_clear()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train(folder, split(SOME), "gpt1", "no-mask")
    return folder


@pytest.fixture
def pair(folder, trained):
    """A finished pair, as the page would have trained it."""
    return shutil.copytree(trained, folder)


def train(folder, texts, *variants, options=()):
    for variant in variants:
        text = folder / f"breakit-{variant}" / jobs.TEXT
        text.mkdir(parents=True)
        for name, part in zip(("learn-stories.txt", "validate-stories.txt"), texts, strict=True):
            (text / name).write_text(part, encoding="utf-8")
        words = [f"{text}/learn-stories.txt", "--validation", f"{text}/validate-stories.txt"]
        given = [*breakit.options(variant, STEPS), "--set", "sample_every=2", *options]
        assert cli.main(["train", *words, "--run", str(text.parent), *given]) == 0


def button(app, key):
    return next((found for found in app.button if found.key == key), None)


@both_languages
def test_all_is_hollow_at_first(lang):
    app = opened("breakit", lang=lang, broken="relu")
    assert well(app) and not app.warning and app.title[0].value == t("app.breakit", lang)
    assert linked(app)["broken"] == "relu" and t("breakit.relu_expect", lang) in said(app)
    (choice,) = app.get("button_group")
    shown = [option.content for option in choice.proto.options]
    assert len(shown) == sum(variant.twin is not None for variant in breakit.VARIANTS.values())
    assert all(name.startswith("○") for name in shown)
    assert not button(app, "train").disabled and not app.get("plotly_chart")
    assert t("breakit.is_missing", lang, name=t("breakit.relu", lang)) in progress(app)


def progress(app) -> list[str]:
    return [element.proto.text for element in app.get("progress")]


def test_what_the_link_cannot_mean_is_said():
    app = opened("breakit", broken="the-bank")
    assert not app.exception and len(app.warning) == 1 and linked(app)["broken"] == "no-mask"


@both_languages
def test_a_read_only_server_trains_nothing(lang, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_READ_ONLY", "1")
    app = opened("breakit", lang=lang)
    assert well(app) and t("errors.app_read_only", lang) in said(app)
    assert button(app, "train").disabled and button(app, "train_all").disabled
    with pytest.raises(GPT1VizError):
        pairs.queue().ask(["gpt1"], "en")


def test_a_finished_pair_is_compared_with_its_own_numbers(pair, short):
    app = opened("breakit", broken="no-mask", text="the fox and the hen .")
    assert well(app) and not app.warning and button(app, "train") is None
    losses, used = {}, {}
    for name in ("gpt1", "no-mask"):
        loaded, run = load(pair / f"breakit-{name}"), jobs.find(f"breakit-{name}")
        held_out = encode([str(run.path / jobs.TEXT / "validate-stories.txt")], loaded.tokenizer)
        found = measure(loaded.model, held_out.ids)
        losses[name], used[name] = found.own.mean(), found.left_to_right.mean()
        assert run.metrics("eval")[-1]["loss"] == pytest.approx(losses[name], abs=0.05)  # on other windows
    rows = {row[0]: row[1:] for row in tables(app)[0][1:] if len(row) == 4}
    wanted = [f"{used[name]:.3f}" for name in ("gpt1", "no-mask")]
    assert rows[t("breakit.row_used", "en")][:2] == wanted
    assert rows[t("breakit.row_own", "en")][:2] == [f"{losses[name]:.3f}" for name in ("gpt1", "no-mask")]
    assert f"{wanted[1]} against {wanted[0]} on held-out text" in said(app)
    charts = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    names = {trace.get("name") for trace in charts[0]["data"]}
    assert {t("breakit.gpt1", "en"), t("breakit.no_mask", "en")} <= names
    assert said(app).count(t("train.sample", "en", step=STEPS)) == 2 and "once upon a time" in html(app)
    assert t("runs.model", "en", run="breakit-no-mask") in app.selectbox(key="model").options


def test_all_pairs_are_compared_and_what_is_missing_stays_empty(pair):
    app = opened("breakit", broken="relu")
    assert well(app) and not app.get("plotly_chart")
    app.toggle(key="all_pairs").set_value(True).run()
    assert well(app)
    (chart,) = app.get("plotly_chart")
    (drawn,) = json.loads(chart.proto.spec)["data"]
    sides = [pair_results.side(f"breakit-{name}", models.stamp(f"runs/breakit-{name}")) for name in ("gpt1", "no-mask")]
    lost = sides[1].measured.left_to_right - sides[0].measured.left_to_right
    values = np.frombuffer(base64.b64decode(drawn["x"]["bdata"]), drawn["x"]["dtype"])
    assert values[0] == pytest.approx(lost.mean()) and np.isnan(values[1:]).all()
    assert drawn["customdata"][0].endswith(f"{2 * lost.std(ddof=1) / len(lost) ** 0.5:.3f}")


def test_what_is_typed_there_is_read_by_both(pair):
    app = opened("breakit", text="the fox and the hen .", lang="zh")
    for text in ("", "the fox " * 60, "狐狸", "<b>the</b> pig"):
        assert well(typed(app, text)) and "<b>the" not in html(app)


def test_other_settings_and_other_texts_are_another_run(pair, short, monkeypatch):
    assert pairs.state("gpt1") == pairs.state("no-mask") == "done"
    monkeypatch.setenv("GPT1VIZ_BREAKIT_STEPS", str(STEPS + 1))
    assert pairs.state("gpt1") == "missing" and well(opened("breakit"))
    monkeypatch.setenv("GPT1VIZ_BREAKIT_STEPS", str(STEPS))
    monkeypatch.setattr(breakit, "stories", lambda: "other\n" * 50)
    clear()
    assert pairs.state("gpt1") == "missing"
    assert [run.name for run in jobs.all_runs()] and pairs.run_of("gpt1") is None  # it is kept all the same


# ---- the queue


@pytest.fixture
def begun(monkeypatch):
    """What the queue starts, none of it really; `busy` says what else is going on."""
    calls, busy = [], []
    monkeypatch.setattr(jobs, "start", lambda name, *rest: calls.append(name))
    monkeypatch.setattr(jobs, "resume", lambda name, lang: calls.append(f"{name} again"))
    monkeypatch.setattr(jobs, "going_on", lambda: [*busy])
    monkeypatch.setattr(pairs, "LOOKS_EVERY", 0.01)
    return calls, busy


def test_the_second_starts_when_the_first_has_ended(begun):
    calls, busy = begun
    busy.append("another")
    pairs.queue().ask(["gpt1", "relu"], "en")
    assert calls == [] and pairs.state("gpt1") == pairs.state("relu") == "waiting"
    app = opened("breakit", broken="relu")
    assert well(app) and button(app, "stop") and t("breakit.waits", "en", most=1, names="another") in said(app)
    pairs.queue().ask(["relu", "gpt1"], "en")  # somebody else, at the same time
    busy[:] = []
    until(lambda: len(calls) == 2, 0.01)
    assert calls == ["breakit-gpt1", "breakit-relu"] and pairs.queue().waiting == []


def test_what_is_in_line_beside_the_pair_can_be_stopped(begun):
    begun[1].append("another")
    pairs.queue().ask(["gpt1", "relu", "pre-ln"], "en")
    app = opened("breakit", broken="relu")
    assert well(app) and t("breakit.others", "en", names=t("breakit.pre_ln", "en")) in said(app)
    button(app, "stop_others").click().run()
    assert well(app) and pairs.queue().waiting == ["gpt1", "relu"] and button(app, "stop_others") is None
    pairs.queue().stop(("gpt1", "relu"))


def test_what_waits_can_be_taken_back(begun):
    calls, busy = begun
    busy.append("another")
    pairs.queue().ask(["gpt1", "relu", "pre-ln"], "en")
    pairs.queue().stop(("gpt1", "relu"))
    busy[:] = []
    until(lambda: calls == ["breakit-pre-ln"], 0.01)
    assert pairs.state("gpt1") == pairs.state("relu") == "missing"


def test_stopping_a_pair_stops_what_runs_of_it_and_nothing_else(pair, begun, monkeypatch):
    stopped = []
    monkeypatch.setattr(jobs, "stop", stopped.append)
    monkeypatch.setattr(pairs, "state", lambda variant: "running" if variant == "gpt1" else "missing")
    begun[1].append("breakit-gpt1")
    pairs.queue().ask(["relu", "pre-ln"], "en")
    pairs.queue().stop(("gpt1", "relu"))
    assert stopped == ["breakit-gpt1"] and pairs.queue().waiting == ["pre-ln"]
    pairs.queue().stop(("pre-ln",))


def test_what_cannot_start_is_said_and_holds_nobody_up(begun, monkeypatch):
    calls, _ = begun

    def refuse(name, *rest):
        if name == "breakit-gpt1":
            raise GPT1VizError("app_runs_unwritable", path="there", fault="no room")
        calls.append(name)

    monkeypatch.setattr(jobs, "start", refuse)
    pairs.queue().ask(["gpt1", "relu"], "en")
    until(lambda: calls == ["breakit-relu"], 0.01)
    app = opened("breakit", broken="relu")
    assert not app.exception and "no room" in app.error[0].value


def test_a_stopped_run_is_gone_on_with(folder, short, begun):
    train(folder, short, "gpt1", options=["--steps", "3"])
    settings = json.loads((folder / "breakit-gpt1/settings.json").read_text())
    (folder / "breakit-gpt1/settings.json").write_text(json.dumps(settings | {"steps": STEPS}))
    status = json.loads((folder / "breakit-gpt1/status.json").read_text())
    (folder / "breakit-gpt1/status.json").write_text(json.dumps(status | {"state": "stopped", "message": None}))
    assert pairs.state("gpt1") == "stopped"
    app = opened("breakit")
    button(app, "train").click().run()
    assert not app.exception
    until(lambda: begun[0][:1] == ["breakit-gpt1 again"], 0.01)


def test_a_run_whose_numbers_ran_away_is_an_answer_too(pair):
    run = pair / "breakit-no-mask"
    status = json.loads((run / "status.json").read_text())
    message = {"code": pairs.DIVERGED, "params": {"step": 3, "loss": 1e9, "norm": 1.0}}
    (run / "status.json").write_text(json.dumps(status | {"state": "failed", "message": message}))
    assert pairs.state("no-mask") == "done"
    app = opened("breakit")
    assert not app.exception and t("breakit.no_mask", "en") in app.error[0].value and app.get("plotly_chart")
    message = {"code": "errors.training_disk_full", "params": {"path": str(run), "step": 4, "fault": "full"}}
    (run / "status.json").write_text(json.dumps(status | {"state": "failed", "message": message}))
    app = opened("breakit")
    assert pairs.state("no-mask") == "failed" and str(pair) not in app.error[0].value
    assert button(app, "train").label.startswith(t("breakit.resume", "en", time="").partition("(")[0])
