"""Numbers as the whole project prints them (figures, pages, notebooks): pure functions from a number to a string."""

import math

from gpt1viz.text import t

MINUS = "−"  # U+2212
NOTHING = "–"  # where there is no number (NaN)


def percent(p: float) -> str:
    """A probability: "23.4%", "0.42%" (two digits under 1%), "<0.001%"; "100%" only if it is 1."""
    if math.isnan(p):
        return NOTHING
    if p <= 0 or p >= 1:
        return "100%" if p > 0 else "0%"
    if p < 1e-5:
        return "<0.001%"
    if p < 0.01:
        digits = 1 - math.floor(math.log10(p * 100))  # decimals that leave two significant digits
        return f"{p * 100:.{digits}f}%"
    return ">99.9%" if p >= 0.9995 else f"{p:.1%}"


def bits(x: float, lang: str = "en") -> str:
    """Surprisal or entropy: "3.4 bits"."""
    return NOTHING if math.isnan(x) else t("figures.bits", lang, x=f"{x:.1f}")


def score(x: float, digits: int = 2) -> str:
    """A value with a sign: "+4.21", "−0.50"; "−1e9" where it is masked."""
    if math.isnan(x):
        return NOTHING
    if x <= -1e9:
        return f"{MINUS}1e9"
    text = f"{abs(x):.{digits}f}"
    if not float(text):
        return text
    return ("+" if x > 0 else MINUS) + text


def weight(x: float, digits: int = 2) -> str:
    """An attention weight: "0.21", or with four digits "0.2114"; "0" and "1" only if exact."""
    if math.isnan(x):
        return NOTHING
    if x <= 0 or x >= 1:
        return "1" if x > 0 else "0"
    step = 10.0**-digits
    if x < step / 2:
        return f"<{step:.{digits}f}"
    return f">{1 - step:.{digits}f}" if x > 1 - step / 2 else f"{x:.{digits}f}"


def nice_limit(x: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least x; 1 for 0."""
    if x == 0:
        return 1.0
    power = math.floor(math.log10(x))
    return next(limit for step in (1, 2, 5, 10, 20) if (limit := float(f"{step}e{power}")) >= x * (1 - 1e-9))


def three(x: float) -> str:
    """Three significant digits without a power of ten: "0.0123", "4.56", "789", "12,300"."""
    if not x:
        return "0"
    rounded = float(f"{x:.2e}")
    return f"{rounded:,.{max(0, 2 - math.floor(math.log10(abs(rounded))))}f}".replace("-", MINUS)


def _scaled(x: float, steps: list[tuple[float, str]]) -> str:
    """x in the largest unit that leaves at least 1, after rounding to three digits."""
    x = float(f"{x:.2e}")
    size, unit = next(((size, unit) for size, unit in reversed(steps) if abs(x) >= size), steps[0])
    return f"{three(x / size)}{unit}"


def short(n: float, lang: str = "en") -> str:
    """A large number in three digits: "97", "117M", "175B"; in Chinese "1.17 亿", "1,750 亿"."""
    if n < (1e4 if lang == "zh" else 1e3):
        return f"{n:,.0f}"
    if lang == "zh":
        return _scaled(n, [(1, ""), (1e4, " 万"), (1e8, " 亿"), (1e12, " 万亿")])
    return _scaled(n, [(1, ""), (1e3, "K"), (1e6, "M"), (1e9, "B"), (1e12, "T")])


def size(n: float) -> str:
    """Bytes: "466 MB", "1.86 GB", "2.79 TB" (powers of 1000)."""
    return _scaled(n, [(1, " B"), (1e3, " kB"), (1e6, " MB"), (1e9, " GB"), (1e12, " TB"), (1e15, " PB")])


def operations(n: float) -> str:
    """Floating-point operations: "753 MFLOP", "82.9 EFLOP", "323 ZFLOP"."""
    return _scaled(n, [(1000.0**i, f" {prefix}FLOP") for i, prefix in enumerate(["", *"kMGTPEZY"])])


def span(seconds: float, lang: str = "en") -> str:
    """A time: "0.583 ms", "41.2 s", "23.3 days", "20.7 years"."""
    seconds = float(f"{seconds:.2e}")
    if seconds < 1:
        return _scaled(seconds, [(1e-9, " ns"), (1e-6, " µs"), (1e-3, " ms")])
    units = [(1, "seconds"), (120, "minutes"), (7200, "hours"), (172_800, "days"), (2 * 31_557_600, "years")]
    lengths = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400, "years": 31_557_600}
    unit = next(name for least, name in reversed(units) if seconds >= least)
    return t(f"figures.{unit}", lang, x=three(seconds / lengths[unit]))
