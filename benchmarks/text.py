"""The text pipeline of 2018: how fast, and how many texts get their ids of 2018; beside Hugging Face's tokenizer."""

import json
import os
from pathlib import Path
from statistics import median

from gpt1viz.checkpoints import BUNDLED
from gpt1viz.data.oz import chapters
from gpt1viz.tokenizer import Tokenizer

from .report import Row
from .timing import interleaved, ratios

TITLE = "Text to ids"
NOTE = (
    "Speed: six chapters of prose (gpt1viz/assets/oz), a paragraph a text, the bundled vocabulary, one core, words "
    "already met forgotten before each round. Right: the 2,061 awkward texts of ../shared/golden with the ids that "
    "the released code of 2018 gives them, the released vocabulary; left out where ../shared is missing. The peer is "
    "transformers' OpenAIGPTTokenizer, which splits words as BERT does and has one implementation, the fast one of "
    "the tokenizers library; it does less: no ftfy, no word splitter of spaCy's."
)
AIM = 0.5e6  # bytes a second
SHARED = Path(__file__).parents[2] / "shared"


def measure(repeats: int) -> list[Row]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    ours = Tokenizer.from_json(BUNDLED / "tokenizer.json")
    theirs = peer(ours)
    texts = [line for chapter in chapters() for line in chapter.split("\n") if line]
    size = sum(len(text.encode()) for text in texts)

    def fresh() -> None:
        Tokenizer(ours.vocab, list(ours.merges)).encode_batch(texts, workers=1)

    seconds = interleaved({"ours": fresh, "theirs": lambda: theirs(texts)}, repeats)
    rates = {name: f"{size / median(times) / 1e6:.2f} MB a second" for name, times in seconds.items()}
    ratio, spread = ratios(seconds["theirs"], seconds["ours"])
    slowest, fastest = (size / pick(seconds["ours"]) / AIM for pick in (max, min))
    reached = size / median(seconds["ours"]) / AIM
    return [
        Row(
            "speed on one core",
            rates["ours"],
            f"aim {AIM / 1e6} MB a second",
            f"{reached:.2f} of it",
            f"{slowest:.2f} to {fastest:.2f}",
            "1",
            reached >= 1,
        ),
        Row("OpenAIGPTTokenizer's speed", rates["ours"], rates["theirs"], f"{ratio:.2f} times as fast", spread),
        golden(),
    ]


def golden(folder: Path = SHARED) -> Row:
    """How many of the texts with known ids get them, ours and theirs."""
    what, path = "texts with their ids of 2018, beside OpenAIGPTTokenizer", folder / "golden" / "tokenizer.jsonl"
    if not path.exists():
        return Row(what, "not measured", "not measured", "the texts lie in ../shared, which is missing here", "")
    released = folder / "gpt1-tokenizer"
    ours = Tokenizer.from_files(released / "encoder_bpe_40000.json", released / "vocab_40000.bpe")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    texts, wanted = [line["text"] for line in lines], [line["ids"] for line in lines]
    found = peer(ours)(texts)["input_ids"]
    right = sum(ours.encode(text) == ids for text, ids in zip(texts, wanted, strict=True))
    theirs = sum(a == b for a, b in zip(found, wanted, strict=True))
    share = right / len(texts)
    counts = [f"{n:,} of {len(texts):,} ({n / len(texts):.1%})" for n in (right, theirs)]
    return Row(what, *counts, f"{share:.1%}", "exact", "all", right == len(texts))


def peer(ours: Tokenizer):
    """transformers' OpenAIGPTTokenizer over the same vocabulary."""
    from transformers import OpenAIGPTTokenizer

    return OpenAIGPTTokenizer(vocab=ours.vocab, merges=list(ours.merges), unk_token=min(ours.vocab, key=ours.vocab.get))
