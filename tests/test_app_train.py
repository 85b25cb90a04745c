"""The Train page: what a form starts, watching, stopping, going on, refusals; costs by arithmetic and by trial."""

import io

import pytest
from app_driver import opened, said, well
from app_runs import empty_folder, jobs, sources, speed, until  # noqa: F401 (a fixture)

from gpt1viz.config import GPT1Config
from gpt1viz.errors import GPT1VizError
from gpt1viz.text import t
from gpt1viz.training.cost import probe
from gpt1viz.training.pretrain import PretrainSettings

pytestmark = pytest.mark.usefixtures("folder")
both_languages = pytest.mark.parametrize("lang", ["en", "zh"])


def small(app, **values):
    """The form filled for a run of some seconds."""
    for name, value in ({"n_layer": 1, "n_ctx": 16, "d_head": 4, "vocabulary": 128, "batch_size": 4} | values).items():
        app.select_slider(key=name).set_value(value)
    return app.run()


def button(app, key):
    return next((found for found in app.button if found.key == key), None)


@both_languages
def test_the_form_opens_and_says_what_it_costs(lang):
    app = opened("train", lang=lang)
    assert well(app) and not app.warning and app.title[0].value == t("app.train", lang)
    small(app)
    config = GPT1Config(n_vocab=128, n_ctx=16, n_embd=8, n_layer=1, n_head=2)
    until(lambda: f">{config.n_params:,}<" in _html(app.run()) and t("train.plan_time", lang) in _html(app), 1)
    assert well(app)


def _html(app) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def test_a_run_from_form_to_stop_and_on():
    app = small(opened("train"))
    app.text_input(key="run_name").set_value("first one").run()
    button(app, "start").click().run()
    assert well(app) and app.session_state.run == "first one"
    until(lambda: (run := jobs.find("first one")) and run.step > 10)
    app.run()
    assert well(app) and t("train.close_tab", "en") in said(app) and t("train.n_norm", "en") in _html(app)

    other = opened("train")  # a second tab, or this one reloaded
    assert well(other) and other.session_state.run == "first one" and t("train.close_tab", "en") in said(other)
    button(other, "another_run").click().run()
    assert well(other) and button(other, "start").disabled
    with pytest.raises(GPT1VizError):
        jobs.start("second", "pretrain", ["train"])

    button(app, "stop_run").click().run()
    until(lambda: jobs.job("first one").process is None)
    app.run()
    assert well(app) and button(app, "stop_run").disabled and app.get("plotly_chart")
    step = jobs.find("first one").step
    button(app, "resume_run").click().run()
    until(lambda: jobs.find("first one").step > step)
    assert well(app.run())
    run = jobs.find("first one")
    assert run.settings["batch_size"] == 4 and (run.config.n_layer, run.config.n_embd, run.config.n_ctx) == (1, 8, 16)


def test_a_name_that_is_a_path_is_refused_aloud(folder):
    app = small(opened("train"))
    app.text_input(key="run_name").set_value("../up").run()
    button(app, "start").click().run()
    assert [e.value for e in app.error] and not app.exception and not folder.exists()


@both_languages
def test_a_read_only_server_offers_no_form(lang, monkeypatch):
    monkeypatch.setenv("GPT1VIZ_READ_ONLY", "1")
    app = opened("train", lang=lang)
    assert well(app) and t("errors.app_read_only", lang) in said(app) and button(app, "start") is None


def test_a_run_that_is_not_there_is_said():
    app = opened("train", run="**gone**")
    assert well(app) and app.session_state.run == ""  # no run can be called so
    app = opened("train", run="gone")
    assert well(app) and t("train.no_run", "en", name="gone") in said(app)


class Upload(io.BytesIO):
    def __init__(self, name: str, content: bytes):
        super().__init__(content)
        self.name = name


def test_uploads_are_kept_under_plain_names_and_split():
    content = "".join(f"line {n} of a story\n" for n in range(2000)).encode()
    found = sources.source("upload", [Upload("../../etc/pass wd.MD", content), Upload("x.jsonl", b'{"text": "a"}\n')])
    assert [*found.files] == ["learn-1-pass_wd.md", "validate-1-pass_wd.md", "learn-2-x.jsonl"]
    assert found.files["learn-1-pass_wd.md"] + found.files["validate-1-pass_wd.md"] == content
    assert found.arguments == [
        "{text}/learn-1-pass_wd.md",
        "{text}/learn-2-x.jsonl",
        "--validation",
        "{text}/validate-1-pass_wd.md",
    ]
    with pytest.raises(GPT1VizError, match="Choose a file"):
        sources.source("upload")


def test_only_what_the_owner_named_is_offered(tmp_path, monkeypatch):
    (tmp_path / "tales").mkdir()
    monkeypatch.setenv("GPT1VIZ_TEXTS", f"{tmp_path / 'tales'}")
    assert "folder:tales" in sources.offered("en")
    assert sources.source("folder:tales").arguments == [str(tmp_path / "tales")]
    with pytest.raises(GPT1VizError):
        sources.source("folder:../tales")


def test_the_sample_is_the_same_text_every_time_and_holds_some_out():
    found = sources.source("sample")
    learned, held_out = found.files.values()
    assert (learned + held_out).decode() == sources.toy_stories() and len(held_out) > 50_000


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_memory_by_arithmetic_is_near_what_a_trial_counts(dropout):
    drop = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), dropout)
    config = GPT1Config(n_vocab=200, n_ctx=32, n_embd=48, n_layer=3, n_head=3, **drop)
    settings = PretrainSettings(batch_size=8, steps=1, device="cpu")
    assert speed.memory(config, settings) == pytest.approx(probe(config, settings, 1).memory, rel=0.25)


def test_what_is_too_large_is_not_tried_out():
    settings = PretrainSettings(steps=1)
    assert speed.trials().ask(GPT1Config.preset("gpt1"), settings) == (True, None)
    assert speed.trials().process is None
