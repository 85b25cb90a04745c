"""What notes on GPT-1 claim, put to the test: 21 rows, each with a check that runs, or with its source.

from gpt1viz.claims import CLAIMS, run
run("relu", model, tokenizer).seen
"""

from .result import Drawing, Result
from .rows import CLAIMS, Claim, report, run

__all__ = ["CLAIMS", "Claim", "Drawing", "Result", "report", "run"]
