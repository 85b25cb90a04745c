"""Tables of the page Cost: what devices take for GPT-1, and three generations of GPT."""

import panels

from gpt1viz.analysis import costs
from gpt1viz.figures import numbers
from gpt1viz.text import t


def hardware(chosen: str, n: int, utilisation: float, half: bool, price: float, lang: str, dark: bool) -> str:
    """GPT-1's published compute on every device of the table."""
    flops = costs.PUBLISHED["gpt1"].petaflop_days * costs.PETAFLOP_DAY
    money = ("money",) if price else ()
    heads = ["device", "alone", "together", "device_hours", *money, "year", "peak", "bandwidth", "memory"]
    rows = []
    for device in costs.HARDWARE.values():
        alone = costs.training_seconds(flops, device, 1, utilisation, half)
        rows.append(
            [
                device.name,
                numbers.span(alone, lang),
                numbers.span(alone / n, lang),
                numbers.three(alone / 3600),
                *(numbers.three(alone / 3600 * price) for _ in money),
                str(device.year),
                f"{numbers.operations(device.peak(half))}/s",
                f"{numbers.size(device.bandwidth)}/s",
                numbers.size(device.memory),
            ]
        )
    titles = [t(f"cost.col_{name}", lang, n=n) for name in heads]
    return panels.table(titles, rows, dark, [*costs.HARDWARE].index(chosen))


def generations(lang: str, dark: bool) -> str:
    """GPT-1, GPT-2 and GPT-3: what was published, and what follows from it. Models are columns."""
    models = [costs.PUBLISHED[name] for name in ("gpt1", "gpt2", "gpt2-xl", "gpt3")]
    unknown = t("cost.unpublished", lang)

    def row(name: str, values) -> list[str]:
        return [t(f"cost.row_{name}", lang), *values]

    shapes = [m.config for m in models]
    rows = [
        row("year", [str(m.year) for m in models]),
        row("layers", [str(c.n_layer) for c in shapes]),
        row("channels", [f"{c.n_embd:,}" for c in shapes]),
        row("heads", [f"{c.n_head} × {c.d_head}" for c in shapes]),
        row("ctx", [f"{c.n_ctx:,}" for c in shapes]),
        row("vocab", [f"{c.n_vocab:,}" for c in shapes]),
        row("norm", [f"{c.norm}-LN" for c in shapes]),
        row("said", [numbers.short(m.said * 1e6, lang) for m in models]),
        row("counted", [f"{c.n_params:,}" for c in shapes]),
        row("data", [t(f"cost.data_{name}", lang) for name in ("gpt1", "gpt2", "gpt2", "gpt3")]),
        row("tokens", [unknown if m.tokens is None else numbers.short(m.tokens, lang) for m in models]),
        row("compute", [unknown if m.petaflop_days is None else f"{m.petaflop_days:,g}" for m in models]),
        row("flops", [numbers.operations(costs.flops_a_token(c)) for c in shapes]),
        row("cache", [numbers.size(costs.kv_cache(c, width=2)) for c in shapes]),
    ]
    return panels.table(["", *(m.name for m in models)], rows, dark)
