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
