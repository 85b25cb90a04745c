"""Laws that hold whatever is drawn: of the tokenizer, the task layouts, sampling, masks, caches and edits."""

from itertools import pairwise

import pytest
import torch
from cases import LONG, times
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tiny import CONFIG, close, tiny_model

from gpt1viz import load
from gpt1viz.config import GPT1Config
from gpt1viz.generate import Cache, generate
from gpt1viz.inputs import IGNORED, KINDS, TRUNCATIONS, layout
from gpt1viz.sampling import Sampling, distribution
from gpt1viz.tokenizer import Tokenizer
from gpt1viz.trace import Edits, Trace

TOKENIZER = load("storybook").tokenizer
SPECIAL = {"start": 0, "delim": 1, "extract": 2}  # rows behind the vocabulary's


def drawn(short: int, long: int):
    return settings(
        max_examples=times(short, long),
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


SPICE = ["&amp;", "&lt;", "&#0;", "&#x1F600;", "<", ">", "'", '"', "''", "``", "...", "—", "´", "…", "don't", "U.S."]
SPICE += ["a.b@c.de", "1.2.3.4", "Ã©", "â€™", "5km", "'s", "n't", "i'll", "-", "/", "(x)", "$3", "100%", "e.g.", "'tis"]
SPICE += ["\x00", "\x1b[31m", "\x85", "\u2028", "\u2029", "\x1c", "\u200b", "\u200d", "\u202e", "\ufeff", "\ufffd"]
SPICE += ["\u0301" * 3, "\ufb01", "\u0130", "\u1e9e", "ß", "ǰ", "ΐ", "ﷺ", "가", "\U0001f469\u200d\U0001f469"]
SPICE += ["\U000e0041", "\U0010ffff", "the", "fox", "Mr.", " ", "\n", "\r\n", "\t", "\u3000", "\ud800", "\udfff"]
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
PIECES = st.sampled_from(SPICE)
STRINGS = st.lists(PIECES | ANY, max_size=12).map("".join) | ANY


@pytest.mark.area("laws of the tokenizer")
def test_any_string_has_ids_that_lead_back_to_it(case):
    @drawn(125, 6_000)
    @given(STRINGS)
    def holds(text):
        with case(ascii(text)):
            ids, pieces = TOKENIZER.encode(text), TOKENIZER.tokenize(text)
            assert [piece.id for piece in pieces] == ids and all(0 <= id < TOKENIZER.n_vocab for id in ids)
            spans = [(piece.start, piece.end) for piece in pieces]
            assert spans == [tuple(sorted(span)) for span in spans]
            assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))
            assert all(start >= 0 and end <= len(text) for start, end in spans)
            steps = TOKENIZER.show_steps(text)
            assert [id for word in steps.words for id in word.ids] == ids
            assert TOKENIZER.decode(ids).encode("utf-8") is not None

    holds()


@pytest.mark.area("laws of the tokenizer")
def test_plain_text_is_covered_by_its_tokens(case):
    @drawn(75, 3_000)
    @given(st.text("abcdefgh ABC.,!?'\"-;:()0123456789", max_size=60))
    def holds(text):
        with case(text):
            pieces = TOKENIZER.tokenize(text)
            covered = {at for piece in pieces for at in range(piece.start, piece.end)}
            assert covered == {at for at, character in enumerate(text) if character != " "}
            assert "".join(piece.text for piece in pieces) == text.lower().replace(" ", "")

    holds()


@pytest.mark.area("laws of the tokenizer")
def test_decoded_text_has_the_same_ids(case):
    words = [row for row in range(TOKENIZER.n_vocab) if TOKENIZER.entry(row).removesuffix("</w>").isalpha()]
    whole = st.lists(st.sampled_from([row for row in words if TOKENIZER.entry(row).endswith("</w>")]), max_size=30)

    @drawn(75, 3_000)
    @given(STRINGS, whole)
    def holds(text, rows):
        with case((ascii(text), rows)):
            assert TOKENIZER.encode(TOKENIZER.decode(rows)) == rows
            ids = TOKENIZER.encode(text)
            if 0 not in ids:
                assert TOKENIZER.encode(TOKENIZER.decode(ids)) == ids

    holds()


@pytest.mark.area("laws of the tokenizer")
def test_any_ids_are_decoded(case):
    @drawn(75, 3_000)
    @given(st.lists(st.integers(0, TOKENIZER.n_vocab - 1), max_size=40))
    def holds(ids):
        with case(ids):
            text = TOKENIZER.decode(ids)
            assert [piece.id for piece in TOKENIZER.pieces(ids)] == ids
            assert text.count("\n") == ids.count(1) and text.count("<unk>") == ids.count(0)
            assert isinstance(TOKENIZER.encode(text), list)

    holds()


@pytest.mark.area("laws of the tokenizer")
def test_a_learned_vocabulary_is_as_asked(case):
    @drawn(10, 300)
    @given(st.lists(STRINGS, min_size=1, max_size=4), st.integers(16, 80))
    def holds(texts, n_vocab):
        assume(any(TOKENIZER.encode(text) for text in texts))
        with case((ascii(texts), n_vocab)):
            learned = Tokenizer.train([*texts, "the fox ran"], n_vocab)
            assert learned.n_vocab <= n_vocab and learned.entry(0) == "<unk>" and learned.entry(1) == "\n</w>"
            assert Tokenizer.from_json(learned.to_json()).vocab == learned.vocab
            assert all(0 <= id < learned.n_vocab for text in texts for id in learned.encode(text))

    holds()


TEXT = STRINGS | st.lists(st.sampled_from(["the", "fox", "ran", "rabbits"]), max_size=40).map(" ".join)


@pytest.mark.area("laws of the layouts")
def test_rows_hold_what_figure_1_of_the_paper_says(case):
    n_texts = {"classification": 1, "token": 1, "entailment": 2, "similarity": 2}

    @drawn(75, 4_000)
    @given(st.sampled_from(KINDS), st.data(), st.integers(6, 40), st.sampled_from(TRUNCATIONS))
    def holds(kind, data, n_ctx, truncation):
        n = n_texts.get(kind) or data.draw(st.integers(4, 6))
        texts = data.draw(st.lists(TEXT, min_size=n, max_size=n))
        config = GPT1Config(n_vocab=TOKENIZER.n_vocab, n_special=3, n_ctx=n_ctx, n_embd=12, n_layer=1, n_head=3)
        with case((kind, ascii(texts), n_ctx, truncation)):
            rows = layout(kind, texts, TOKENIZER, config, truncation=truncation).rows
            assert len(rows) == {"similarity": 2, "choice": n - 2}.get(kind, 1)
            for row in rows:
                _is_laid_out(row, kind, n_ctx, truncation)
            if kind == "similarity":
                names = [[span.name for span in row.spans if span.name in "ab"] for row in rows]
                assert names[1] == names[0][::-1]

    holds()


def _is_laid_out(row, kind: str, n_ctx: int, truncation: str) -> None:
    first = TOKENIZER.n_vocab
    assert len(row.ids) == len(row.mask) <= n_ctx and list(row.positions) == list(range(len(row.ids)))
    ends = [0, *(span.end for span in row.spans)]
    assert [span.start for span in row.spans] == ends[:-1] and ends[-1] == len(row.ids)  # spans cover all, in order
    for span in row.spans:
        own = row.ids[span.start : span.end]
        if span.name in SPECIAL:
            assert own == (first + SPECIAL[span.name],) and not span.cut
        else:
            assert all(id < first for id in own) and span.cut >= 0
    pair = kind not in ("classification", "token")
    assert [span.name for span in row.spans if span.name in SPECIAL] == ["start", *["delim"] * pair, "extract"]
    assert row.ids[0] == first and row.extract == len(row.ids) - 1 and row.ids[-1] == first + 2
    cut = sum(span.cut for span in row.spans)
    if cut and (truncation == "balanced" or not pair):
        assert len(row.ids) == n_ctx  # nothing is cut while there is room
    if cut and truncation == "2018" and pair:
        at = row.ids.index(first + 1)
        assert max(at - 1, len(row.ids) - at - 2) == n_ctx // 2 - 2


@pytest.mark.area("laws of the layouts")
def test_a_words_label_stands_at_its_last_token(case):
    @drawn(50, 2_000)
    @given(TEXT, st.integers(6, 40))
    def holds(text, n_ctx):
        config = GPT1Config(n_vocab=TOKENIZER.n_vocab, n_special=3, n_ctx=n_ctx, n_embd=12, n_layer=1, n_head=3)
        words = text.split()
        with case((ascii(text), n_ctx)):
            laid = layout("token", [text], TOKENIZER, config, label=tuple(range(len(words))))
            wanted = []
            for number, word in enumerate(words):
                n = len(TOKENIZER.encode(word))
                wanted += [IGNORED] * (n - 1) + [number] * (n > 0)
            assert laid.label == (IGNORED, *wanted[: n_ctx - 2], IGNORED)

    holds()


LOGITS = st.lists(st.floats(-80, 80, width=32) | st.sampled_from([0.0, -0.0, 1.0]), min_size=2, max_size=60)
TEMPERATURES = st.floats(1e-3, 100, exclude_min=True)


@pytest.mark.area("laws of sampling")
def test_filters_keep_what_they_must(case):
    @drawn(100, 6_000)
    @given(LOGITS, TEMPERATURES, st.integers(1, 70), st.floats(1e-6, 1), st.floats(0, 1, exclude_max=True))
    def holds(values, temperature, k, p, u):
        logits = torch.tensor(values)
        with case((values, temperature, k, p, u)):
            found = distribution(logits, Sampling(temperature, k, p))
            assert sorted(found.ids.tolist()) == list(range(len(values)))
            assert (found.logits.diff() <= 0).all() and found.logits[0] == logits.max()
            assert float(found.probabilities.sum()) == pytest.approx(1) and (found.probabilities >= 0).all()
            assert found.keep_p[0] and int(found.keep_k.sum()) == min(k, len(values))
            assert (found.keep_p <= found.keep_k).all() and (found.keep_p.int().diff() <= 0).all()
            assert (found.probabilities[~found.keep_p] == 0).all()
            place = found.pick(u)
            assert found.keep_p[place] and 0 <= place < len(values)
            within = found.unfiltered.masked_fill(~found.keep_k, 0)
            within = within / within.sum()
            n = int(found.keep_p.sum())
            assert float(within[:n].sum()) >= p - 1e-9 or n == int(found.keep_k.sum())  # reaches p
            assert float(within[: n - 1].sum()) < p + 1e-9  # and no smaller set does

    holds()


@pytest.mark.area("laws of sampling")
def test_sets_are_nested(case):
    @drawn(50, 3_000)
    @given(
        LOGITS, TEMPERATURES, st.tuples(st.integers(1, 70), st.integers(1, 70)), st.tuples(*[st.floats(1e-6, 1)] * 2)
    )
    def holds(values, temperature, ks, ps):
        logits = torch.tensor(values)
        with case((values, temperature, ks, ps)):
            few, many = (distribution(logits, Sampling(temperature, k)).keep_p for k in sorted(ks))
            assert (few <= many).all()
            few, many = (distribution(logits, Sampling(temperature, None, p)).keep_p for p in sorted(ps))
            assert (few <= many).all()
            greedy = distribution(logits, Sampling(temperature, greedy=True))
            assert int(greedy.keep_p.sum()) == 1 and greedy.ids[0] == logits.argmax()
            cold, hot = (distribution(logits, Sampling(t)).probabilities[0] for t in (temperature, temperature * 0.5))
            assert hot >= cold - 1e-12

    holds()


@pytest.mark.area("laws of sampling")
def test_a_seed_settles_the_text(case):
    model = tiny_model(n_vocab=TOKENIZER.n_vocab, n_special=0, n_layer=1)

    @drawn(7, 200)
    @given(st.integers(0, 2**31), TEMPERATURES, st.integers(1, 50) | st.none(), st.floats(0.01, 1) | st.none())
    def holds(seed, temperature, top_k, top_p):
        with case((seed, temperature, top_k, top_p)):
            chosen = {"seed": seed, "temperature": temperature, "top_k": top_k, "top_p": top_p}
            one, two = ([s.id for s in generate(model, TOKENIZER, "the fox", 6, **chosen)] for _ in range(2))
            assert one == two and len(one) == 6

    holds()


IDS = st.lists(st.integers(0, CONFIG.n_vocab + 1), min_size=1, max_size=11)
MODEL = tiny_model()


@pytest.mark.area("laws of masks")
def test_nothing_sees_what_comes_after_it(case):
    @drawn(20, 1_500)
    @given(IDS, st.data())
    @torch.inference_mode()
    def holds(ids, data):
        at = data.draw(st.integers(0, len(ids) - 1))
        other = [*ids[: at + 1], *data.draw(st.lists(st.integers(0, 30), min_size=len(ids) - at - 1, max_size=11))]
        with case((ids, at, other)):
            trace = Trace(fields={"weights"})
            logits = MODEL(torch.tensor([ids]), trace=trace).logits
            for block in trace.blocks:
                assert (block.weights.triu(1) == 0).all()
                assert close(block.weights.sum(-1), torch.ones(block.weights.shape[:3]))
            changed = MODEL(torch.tensor([other[: len(ids)]])).logits
            assert close(changed[:, : at + 1], logits[:, : at + 1])

    holds()


@pytest.mark.area("laws of masks")
def test_a_cache_split_anywhere_changes_nothing(case):
    @drawn(20, 1_500)
    @given(IDS, st.data())
    @torch.inference_mode()
    def holds(ids, data):
        cuts = sorted(data.draw(st.sets(st.integers(0, len(ids)), max_size=4)) | {0, len(ids)})
        with case((ids, cuts)):
            whole, cache, parts = MODEL(torch.tensor([ids])).logits, Cache(CONFIG), []
            for start, end in pairwise(cuts):
                parts.append(MODEL(torch.tensor([ids[start:end]]), cache=cache).logits)
            assert close(torch.cat(parts, 1), whole)

    holds()


@pytest.mark.area("laws of masks")
def test_edits_act_where_they_are_and_after(case):
    @drawn(20, 1_500)
    @given(IDS, st.data())
    @torch.inference_mode()
    def holds(ids, data):
        n, layers = len(ids), range(CONFIG.n_layer)
        layer, head = data.draw(st.sampled_from(layers)), data.draw(st.integers(0, CONFIG.n_head - 1))
        at, factor = data.draw(st.integers(0, n - 1)), data.draw(st.floats(-2, 2))
        with case((ids, layer, head, at, factor)):
            x, fields = torch.tensor([ids]), {"weights", "out"}
            plain, scaled, moved, same = (Trace(fields=fields) for _ in range(4))
            logits = MODEL(x, trace=plain).logits
            MODEL(x, trace=scaled, edits=Edits(heads={(layer, head): factor}))
            vector = torch.full((CONFIG.n_embd,), 3.0)
            MODEL(x, trace=moved, edits=Edits(residual={(layer, at): vector}))
            own = Edits(heads={(layer, head): 1.0}, attention={(layer, head): plain.blocks[layer].weights[0, head]})
            assert close(MODEL(x, trace=same, edits=own).logits, logits)
            for before in range(layer):
                for trace in (scaled, moved):
                    assert torch.equal(trace.blocks[before].out, plain.blocks[before].out)
            assert close(moved.blocks[layer].out[:, :at], plain.blocks[layer].out[:, :at]) if at else True

    holds()
