"""The one set of colours: fill is value (violet more, amber below zero or surprising), line is role.

Every pair is (light, dark). Figures, canvas views and the app's theme all read from here.
"""

PAPER = ("#FFFFFF", "#171614")
PANEL = ("#F8F8F7", "#2D2B27")
INK = ("#2F2D2B", "#EDEBE8")
SECONDARY = ("#686255", "#B8B3A8")
BORDER = ("#8C877D", "#8A857B")
HATCH = ("#B9B4AB", "#55514A")
PRIMARY = ("#0F6478", "#1C7F96")
LINK = ("#0F6478", "#7CC4D8")
QUERY = ("#1450A0", "#4E9BF5")
KEY = ("#A84300", "#F47B3A")
VALUE = ("#007F6E", "#9AF0C0")
RESIDUAL = ("#6B7280", "#8E949D")
ATTENTION = ("#6F41C1", "#BD9EF5")
MLP = ("#707000", "#DDE87F")
START = ("#3A5A98", "#8FB0E6")
DELIMITER = ("#7A7164", "#D8D0C0")
EXTRACT = ("#7A0B36", "#F2588C")
VIOLET = (
    ("#FFFFFF", "#ECE3FC", "#D7C3F7", "#BA9BF1", "#976DE1", "#6F41C1", "#441B8C"),
    ("#171614", "#2C2546", "#473376", "#6A49AA", "#936DD9", "#BD9EF5", "#EDE2FE"),
)
AMBER = (
    ("#FFFFFF", "#F8ECCB", "#F1D08B", "#E0AA4E", "#BF8329", "#945E1C", "#643910"),
    ("#171614", "#3B2711", "#5C3C15", "#84591A", "#B27E23", "#DDAB46", "#F9E7B3"),
)
SANS = 'system-ui,"Segoe UI",Roboto,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif'
MONO = 'ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace'


def signed(dark: bool) -> tuple[str, ...]:
    """Amber - paper - violet, for values with a sign; zero is paper."""
    return (*reversed(AMBER[dark][1:]), *VIOLET[dark])
