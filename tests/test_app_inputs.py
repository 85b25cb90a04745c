"""The page Task inputs without a browser: rows, cuts, the classifier's numbers, the edited word, links."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from app_driver import html, linked, opened, said, tables, well
from tuned import LABELS, base, tuned

import gpt1viz
from gpt1viz.figures.numbers import percent, score
from gpt1viz.inputs import KINDS, collate, layout
from gpt1viz.text import strings, t

EVIL = "<script>alert(1)</script> <b>bold</b> & \"'**x** $y$ :red[z]"
TEXTS = {"nothing": "", "markup": EVIL, "Chinese": "从前有一只狐狸", "words": "a " * 900, "no blank": "a" * 2000}


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory):
    """On the model box: a base model, a very short one, and three fine-tuned ones."""
    folder = tmp_path_factory.mktemp("models")
    short = base(folder / "short", n_ctx=5).rename(folder / "too-short")
    found = [base(folder), short, *(tuned(folder, kind) for kind in LABELS)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT1VIZ_MODELS", ":".join(map(str, found)))
        yield {path.name: gpt1viz.load(path) for path in found}


def chips(app, which=0) -> list[str]:
    """Texts of the tokens in one of the page's drawings, in order."""
    drawings = [e.proto.body for e in app.get("html") if "class='g1r'" in e.proto.body]
    return re.findall(r"<span class='t'[^>]*>(.*?)</span>", drawings[which])


def fields(app, kind) -> list[str]:
    return [app.text_input(key=f"in_{kind}_{n}").value for n in range(len(app.session_state.task_texts[kind]))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_layout_is_drawn_as_it_is_laid_out(kind, lang):
    app = opened("inputs", task=kind, lang=lang)
    assert well(app) and not app.warning
    loaded = gpt1viz.load("storybook")
    config = replace(loaded.model.config, n_special=3)
    laid = layout(kind, fields(app, kind), loaded.tokenizer, config)
    longest = collate([laid]).ids.shape[-1]
    names = {4096: "▸start", 4097: "¦delim", 4098: "◆extract"}
    wanted = []
    for row in laid.rows:
        wanted += [names.get(id) or loaded.tokenizer.pieces([id])[0].text for id in row.ids]
        wanted += [t("inputs.padding", lang, n=longest - len(row.ids))] if len(row.ids) < longest else []
    assert chips(app) == wanted
    assert t("inputs.no_head", lang, model="Storybook") in said(app)
    positions = re.findall(r"<span class='p'>(\d+)", html(app))
    assert positions[: len(laid.rows[0].ids)] == [str(i) for i in laid.rows[0].positions]


def test_what_does_not_fit_is_hatched_in_both_ways():
    long, short = "the fox ran to the mill and sat down", "the hen"
    app = opened("inputs", task="entailment", x0=long, x1=short, ctx="14")
    cut = re.findall(r"class='c [^']*cut[^']*'.*?<span class='t'>(.*?)</span>", html(app))
    assert well(app) and cut == ["mill", "and", "sat", "down"] and t("inputs.cut_off", "en", n=4) in said(app)
    app.segmented_control(key="in_cut").set_value("balanced").run()
    assert "cut e" not in html(app) and t("inputs.mode_balanced", "en", n=11) in said(app)
    assert linked(app)["cut"] == "balanced" and linked(app)["ctx"] == "14"


@pytest.mark.parametrize("kind", LABELS)
def test_a_fine_tuned_model_says_what_its_head_says(kind, models):
    app = opened("inputs", model=f"tuned-{kind}")
    assert well(app) and app.selectbox(key="in_task").value == kind
    model, tokenizer, _, head = models[f"tuned-{kind}"]
    texts = fields(app, kind)
    label = tuple(range(len(texts[0].split()))) if kind == "token" else None
    example = layout(kind, texts, tokenizer, model.config, label=label)
    batch = collate([example])
    with torch.inference_mode():
        hidden = model(batch.ids.flatten(0, -2)).hidden.unflatten(0, batch.ids.shape[:-1])
        scores = head(hidden, batch.extract)[0]
    p = scores.softmax(-1)
    if kind == "token":
        found = re.findall(r"<br><b>(.*?)</b> <span[^>]*>(.*?)</span>", html(app))
        read = [i for i, k in enumerate(example.label) if k >= 0]
        assert found == [(head.labels[int(p[i].argmax())], percent(float(p[i].max()))) for i in read]
    else:
        names = texts[2:] if kind == "choice" else head.labels
        rows = next(table[1:] for table in tables(app) if table[0][1:] == ["hW", "softmax"])
        wanted = zip(names, scores.tolist(), p.tolist(), strict=True)
        assert rows == [[name, score(s), percent(x)] for name, s, x in wanted]
    other = next(k for k in KINDS if k != kind)
    app.selectbox(key="in_task").set_value(other).run()
    assert well(app) and "hW" not in [cell for table in tables(app) for cell in table[0]]
    own = t(f"inputs.kind_{kind}", "en")
    assert any(own in info.value for info in app.info)


@pytest.mark.parametrize("model", ["storybook", "base", "tuned-entailment"])
def test_the_first_token_stays_and_extract_moves(model):
    app = opened("inputs", model=model, task="entailment", word="castle")
    assert well(app) and t("inputs.first_same", "en") in said(app)
    assert "moved by" in said(app) and t("inputs.extract_same", "en") not in said(app)
    notes = re.findall(r"<span class='p'>(.*?)</span>", html(app))
    n = chips(app, 1).index("castle") - chips(app, 1).index("▸start", 1)
    after = notes[-n - 3 :]  # the row after the edit ends in castle . extract
    assert set(after[:n]) == {"="} and "=" not in after[n:]
    last = app.session_state.task_texts["entailment"][1].split()[-1].strip(".")
    app.text_input(key="in_word").set_value(last).run()
    assert well(app) and t("inputs.extract_same", "en") in said(app)


def test_the_states_that_are_compared_are_the_models_own(models):
    import task_model  # lies beside the app's pages

    model, tokenizer, *_ = models["tuned-entailment"]
    row = layout("entailment", ["the fox ran", "the hen"], tokenizer, model.config).rows[0]
    with torch.inference_mode():
        wanted = model(torch.tensor([row.ids])).hidden[0]
    torch.testing.assert_close(task_model.hidden_states(model, row.ids, len(row.ids)), wanted)
    # A model without special rows: as if they stood behind its vocabulary's.
    plain = models["base"].model
    row = layout("entailment", ["the fox ran", "the hen"], tokenizer, replace(plain.config, n_special=3)).rows[0]
    grown = gpt1viz.GPT1(replace(plain.config, n_special=3)).eval()
    tensors = plain.state_dict()
    rows = torch.cat([tensors["tokens_embed.weight"], task_model.new_rows(plain.config)])
    grown.load_state_dict(tensors | {"tokens_embed.weight": rows})
    with torch.inference_mode():
        wanted = grown(torch.tensor([row.ids])).hidden[0]
    torch.testing.assert_close(task_model.hidden_states(plain, row.ids, len(row.ids)), wanted)
    moved = task_model.moved(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 0.5]]))
    assert moved.tolist() == [0.0, 0.5]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_whatever_is_typed_is_answered(kind, text):
    app = opened("inputs", task=kind, model="tuned-choice")
    for n in range(len(app.session_state.task_texts[kind])):
        app.text_input(key=f"in_{kind}_{n}").set_value(text)
    app.text_input(key="in_word").set_value(text[:40]).run()
    assert well(app) and "<script>" not in html(app) and "<b>bold" not in html(app)
    if not text:
        assert t("inputs.nothing_typed", "en") in said(app)


def test_choices_are_added_and_removed():
    app = opened("inputs", task="choice")
    for n in (3, 4, 5, 6):
        next(b for b in app.button if b.label == t("inputs.add_answer", "en")).click().run()
        assert well(app) and chips(app).count("◆extract") == n
    assert next(b for b in app.button if b.label == t("inputs.add_answer", "en")).disabled
    next(b for b in app.button if b.label == t("inputs.remove_answer", "en")).click().run()
    assert chips(app).count("◆extract") == 5 and linked(app)["x6"] == "" and linked(app)["x7"] is None


def test_examples_and_links():
    app = opened("inputs", task="similarity", lang="zh")
    button = app.button(key="use_similarity_2")
    assert strings("inputs", "zh")["example_similarity_2"].strip().split("\n")[0] in button.label
    button.click().run()
    assert fields(app, "similarity") == strings("inputs", "en")["example_similarity_2"].strip().split("\n")
    link = {name: value for name, value in linked(app).items() if value is not None}
    again = opened("inputs", **link)
    assert well(again) and fields(again, "similarity") == fields(app, "similarity")
    assert opened("inputs", task="ranking").warning
    app.main.children.clear()
    app.switch_page("views/attention.py").run()
    assert linked(app)["x0"] is None and linked(app)["task"] is None
    app.main.children.clear()
    app.switch_page("views/inputs.py").run()
    assert fields(app, "similarity") == fields(again, "similarity")


def test_a_model_that_is_too_short_gets_a_sentence():
    app = opened("inputs", model="too-short")
    assert not app.exception and [e.value for e in app.error] and "6" in app.error[0].value
