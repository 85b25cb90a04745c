"""From typed text to the words of 2018, and back: cleaning, spaCy's rules of its day, readable joining.

The steps are those of `text_utils.py` in openai/finetune-transformer-lm: ftfy, a table of replacements, blanks around
punctuation, newlines as words of their own, then spaCy's English rules. The released ids were made with ftfy 5.5 and
spaCy 2.0; both have changed since, and what that means for the words is put right here (but for garbled encodings,
which today's ftfy repairs more often). Of today's spaCy only tables are taken (exceptions, units, symbols): its
tokenizer looks for suffixes in another place and joins exceptions again that 2018 left apart. ftfy and spaCy are
imported when first needed.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

NEWLINE = "\n"
UNKNOWN = "<unk>"
_LONGEST_CHUNK = 1_000  # characters; a longer run without a blank is split in pieces of this size
_LONGEST_SUFFIX = 8  # characters, full stops aside
_LONGEST_LINE = 1_000_000  # characters; ftfy repairs no encoding in longer lines
_SEARCH = 40  # characters searched for the place where typed and repaired text agree again
_AGREE = 3  # characters in a row that count as agreement

# ---- cleaning

# ftfy changes nothing in plain ASCII without entities and control characters, and curly quotes only to straight ones.
_NEEDS_FTFY = re.compile(r"[^\t\n\f\x20-\x25\x27-\x7e‘’“”–—…]")
_DROPPED_IN_2018 = re.compile("[\U0001d173-\U0001d17a\U000e0000-\U000e007f]")
_ENDLESS_MARKS = re.compile("[\u0300-\u036f]{1000}")  # putting these in order would take quadratic time
_ENTITY = re.compile(r"&#?\w{1,24};")
_REPLACEMENTS = {"—": "-", "–": "-", "―": "-", "…": "...", "´": "'"}
_PUNCTUATION_RUN = re.compile(r'([-~!";?+,)(/*\[\]}{|_])\1*')


def _uncurl(text: str) -> str:
    if text.isascii():
        return text
    return text.replace("‘", "'").replace("’", "'").replace("“", '"').replace("”", '"')


def _first_markup(text: str) -> int:
    """Where the first line stands that has both < and >: from there on entities are left alone, as in ftfy 5.5."""
    if "<" not in text or ">" not in text:
        return len(text)
    start = 0
    for line in text.split("\n"):
        if "<" in line and ">" in line:
            return start
        start += len(line) + 1
    return len(text)


def _fixed_lines(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, repaired text) of every stretch of `text`; only lines that may need it are given to ftfy."""
    done, markup = 0, None
    while found := _NEEDS_FTFY.search(text, done):
        import ftfy

        markup = _first_markup(text) if markup is None else markup
        start = text.rfind("\n", done, found.start()) + 1 or done
        end = text.find("\n", found.start()) + 1 or len(text)
        line = _DROPPED_IN_2018.sub("", text[start:end])
        config = ftfy.TextFixerConfig(
            unescape_html=start < markup,
            fix_encoding=len(line) <= _LONGEST_LINE,
            fix_c1_controls=False,
            normalization=None if _ENDLESS_MARKS.search(line) else "NFC",
        )
        yield done, start, _uncurl(text[done:start])
        yield start, end, ftfy.fix_text_segment(line, config)
        done = end
    yield done, len(text), _uncurl(text[done:])


def _fix(text: str) -> str:
    return "".join(fixed for _, _, fixed in _fixed_lines(text))


def _replace(text: str) -> str:
    for old, new in _REPLACEMENTS.items():
        text = text.replace(old, new)
    return text


CLEANING: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("ftfy", _fix),
    ("replacements", _replace),
    ("punctuation", lambda text: _PUNCTUATION_RUN.sub(r" \g<0> ", text)),
    ("newlines", lambda text: re.sub(r"\n\s*", " \n ", text)),
    ("blanks", lambda text: re.sub(r"[^\S\n]+", " ", text).strip()),
)


def chunks(text: str) -> list[str]:
    """Clean `text` and cut it at blanks. A newline is a chunk of its own; every other chunk is for `split`."""
    for _, step in CLEANING:
        text = step(text)
    return text.split(" ") if text else []


def words(text: str) -> list[str]:
    """The words that the 2018 pipeline makes of `text`, before they are put into lower case."""
    return [word for chunk in chunks(text) for word in split(chunk)]


# ---- back to the characters typed


def typed_spans(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where the characters of the cleaned words stand in `text` as typed.

    Returns:
        one (start, end) for each character that is no blank after ftfy and replacements, in order, which are just the
        characters of the words; and one for each newline that becomes a word. Exact where ftfy changes nothing or
        single characters; where it rewrites a run, its parts share the run in order.
    """
    fixed, spans = "", []
    for start, end, part in _fixed_lines(text):
        fixed += part
        if len(part) == end - start and part == _uncurl(text[start:end]):
            spans += [(i, i + 1) for i in range(start, end)]
        else:
            spans += [(start + i, start + j) for i, j in _align(text[start:end], part)]
    characters = [spans[i] for i, c in enumerate(fixed) if not c.isspace() for _ in _REPLACEMENTS.get(c, c)]
    newlines = []
    for run in re.finditer(r"\s+", fixed):
        if run.start() and run.end() < len(fixed) and NEWLINE in run.group():
            first, last = fixed.index(NEWLINE, run.start()), fixed.rindex(NEWLINE, run.start(), run.end())
            newlines.append((spans[first][0], spans[last][1]))
    return characters, newlines


def _align(typed: str, fixed: str) -> list[tuple[int, int]]:
    """(start, end) in `typed` for every character of `fixed`; starts and ends never go back."""
    spans, i, j = [], 0, 0
    while j < len(fixed):
        n_typed, n_fixed = _next_run(typed, fixed, i, j)
        spans += [(i + k * n_typed // n_fixed, i - (-(k + 1) * n_typed // n_fixed)) for k in range(n_fixed)]
        i, j = i + n_typed, j + n_fixed
    return spans


def _next_run(typed: str, fixed: str, i: int, j: int) -> tuple[int, int]:
    """How many characters of `typed` from i became how many of `fixed` from j."""
    entity = _ENTITY.match(typed, i)
    if entity and not fixed.startswith(entity.group(), j):
        own = html.unescape(entity.group())
        if fixed.startswith(own, j):
            return len(entity.group()), len(own)
    own = typed[i : i + 1]
    if own != fixed[j]:
        own = _fix_character(own)
    if own and fixed.startswith(own, j):
        return 1, len(own)
    return _until_agreement(typed, fixed, i, j)


@lru_cache(maxsize=4096)
def _fix_character(character: str) -> str:
    import ftfy

    return ftfy.fix_text_segment(character, unescape_html=False)


def _until_agreement(typed: str, fixed: str, i: int, j: int) -> tuple[int, int]:
    """How many characters of each to skip until the two agree again; to the end where they do not soon."""
    for total in range(1, _SEARCH):
        for n_typed in range(total + 1):
            a, b = i + n_typed, j + total - n_typed
            if a <= len(typed) and b <= len(fixed) and typed[a : a + _AGREE] == fixed[b : b + _AGREE]:
                return n_typed, total - n_typed
    return len(typed) - i, len(fixed) - j


# ---- spaCy's rules of 2018


class _Rules(NamedTuple):
    exceptions: dict[str, tuple[str, ...]]
    prefix: re.Pattern
    suffix: re.Pattern
    infix: re.Pattern


# What the rules take for a web or mail address, in a chunk that cleaning has rid of "/", "-", "?" and the like.
_ADDRESS = re.compile(
    r"(?=\w)(?:\S+@)?(?:[a-z0-9]+(?:\.[a-z0-9]+)*\.[a-z]{2}"
    r"|(?!(?:10|127)(?:\.\d{1,3}){3}|(?:169\.254|192\.168)(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})"
    r"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5])){2}\.[1-9])"
    r"\S*(?<=\w)"
)
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉"


def _letters() -> tuple[str, str]:
    """Lower-case and upper-case letters as the rules of 2018 knew them; scripts without case count as both."""
    lower, upper = "ёа-яәөүҗңһα-ωάέίόώήύ", "ЁА-ЯӘӨҮҖҢҺΑ-ΩΆΈΊΌΏΉΎ"
    for character in map(chr, range(0x10000)):
        category, script = unicodedata.category(character), unicodedata.name(character, "").partition(" ")[0]
        caseless = category[0] == "L" and script in ("BENGALI", "HEBREW", "ARABIC", "SINHALA")
        lower += character if caseless or (script == "LATIN" and category == "Ll") else ""
        upper += character if caseless or (script == "LATIN" and category == "Lu") else ""
    return lower, upper


@cache
def _rules() -> _Rules:
    from spacy.lang import char_classes
    from spacy.lang.en.tokenizer_exceptions import TOKENIZER_EXCEPTIONS
    from spacy.symbols import ORTH

    exceptions = {chunk: tuple(part[ORTH] for part in parts) for chunk, parts in TOKENIZER_EXCEPTIONS.items()}
    newer = {"Prof.", "v.s.", "[=", "]=", "=[", "=]"}
    for chunk, parts in list(exceptions.items()):
        if chunk in newer or parts[0].lower() in ("this", "these", "those", "c'm", "c’m", "°"):
            del exceptions[chunk]
    exceptions |= {that + verb: (that, verb) for that in ("that", "That") for verb in ("'re", "re", "'ve", "ve")}
    exceptions["May."] = ("May.",)

    lower, upper = _letters()
    marks = (
        "".join(piece for piece in char_classes.LIST_PUNCT if piece not in ("۔", "……")) + _QUOTES + char_classes.ICONS
    )
    currency = r"US\$|C\$|A\$|[$£€¥฿₽﷼]"
    prefixes = [r"\.\.+", "``", f"[§%=+{marks}]", currency]
    suffixes = [r"\.\.+", "''|``|‘‘|’’|['’][sS]", f"[{marks}]", f"(?<=[0-9])(?:\\+|{currency}|{char_classes.UNITS})"]
    suffixes += [r"(?<=°[FfCcKk])\.", rf"(?<=[0-9{lower}%²)\]+(?:|\-{_QUOTES}])\.", rf"(?<=[{upper}][{upper}])\."]
    infixes = [r"\.\.+", f"[…{char_classes.ICONS}]", r"(?<=[0-9])\^(?=[0-9])"]
    infixes += [rf"(?<=[{lower}])\.(?=[{upper}])", rf"(?<=[{lower}{upper}])[:<>=](?=[{lower}{upper}])"]
    return _Rules(
        exceptions,
        re.compile("|".join(prefixes)),
        re.compile(f"(?:{'|'.join(suffixes)})$"),
        re.compile("|".join(infixes)),
    )


def split(chunk: str) -> tuple[str, ...]:
    """The words of one cleaned chunk (no blank in it): spaCy 2.0's order of exceptions, addresses, affixes, infixes."""
    exceptions = _rules().exceptions
    if chunk in exceptions:
        return exceptions[chunk]
    if len(chunk) > _LONGEST_CHUNK:
        return tuple(
            word for i in range(0, len(chunk), _LONGEST_CHUNK) for word in split(chunk[i : i + _LONGEST_CHUNK])
        )
    if chunk.isascii() and chunk.isalpha():
        return (chunk,)
    before, rest, after = _split_affixes(chunk)
    if rest in exceptions:
        inner = exceptions[rest]
    elif not rest or _ADDRESS.fullmatch(rest):
        inner = (rest,) if rest else ()
    else:
        inner = _split_infixes(rest)
    return (*before, *inner, *reversed(after))


def _split_affixes(rest: str) -> tuple[list[str], str, list[str]]:
    """(prefixes, what remains, suffixes from the outermost inwards)."""
    exceptions, prefix, suffix, _ = _rules()
    before, after = [], []
    while rest and not _ADDRESS.fullmatch(rest):
        found = prefix.match(rest)
        n_before = found.end() if found else 0
        if n_before and rest[n_before:] in exceptions:
            before.append(rest[:n_before])
            return before, rest[n_before:], after
        found = suffix.search(rest, max(0, len(rest.rstrip(".")) - _LONGEST_SUFFIX))
        cut = found.start() if found else len(rest)
        if found and rest[:cut] in exceptions:
            after.append(rest[cut:])
            return before, rest[:cut], after
        if not n_before and not found:
            break
        if found and n_before <= cut:
            after.append(rest[cut:])
            rest = rest[:cut]
        if n_before:
            before.append(rest[:n_before])
            rest = rest[n_before:]
        if rest in exceptions:
            break
    return before, rest, after


def _split_infixes(rest: str) -> tuple[str, ...]:
    parts, start = [], 0
    for found in _rules().infix.finditer(rest):
        if found.start():
            parts += [rest[start : found.start()], found.group()]
            start = found.end()
    return tuple(part for part in (*parts, rest[start:]) if part)


# ---- words as people write them

_JOINS_LEFT = re.compile(r"[,;:!?)\]}%]|\.+|''|n't|'(?:s|m|d|re|ve|ll)")
_JOINS_RIGHT = frozenset("([{$£#`") | {"``"}
_BETWEEN = frozenset("-/")
_CLIPPED = frozenset({"tis", "twas", "twere", "twill", "twould"})  # written with an apostrophe before them


def join(words_: Iterable[str]) -> str:
    """Lower-case words as readable text: blanks between words, punctuation and quotes as people write them.

    Exceptions get the capitals by which they are known ("mr." becomes "Mr."), and where writing words together would
    make other words of them they stay apart, so that splitting the result gives the same words again.
    """
    lines: list[list[list[str]]] = [[]]  # lines of groups (no blank inside) of words
    previous, glue, quotes = "", False, {'"': False, "'": False}
    sequence = list(words_)
    for word, following in zip(sequence, [*sequence[1:], NEWLINE], strict=False):
        if word == NEWLINE:
            lines.append([])
            previous, glue, quotes = "", False, {'"': False, "'": False}
            continue
        left, right = bool(_JOINS_LEFT.fullmatch(word)), word in _JOINS_RIGHT
        if word in quotes:
            if word == "'" and following in _CLIPPED:
                right = True
            elif word == "'" and not quotes[word] and previous.isalpha() and previous.endswith("s"):
                left = True
            else:
                left, right = quotes[word], not quotes[word]
                quotes[word] = right
        elif word in _BETWEEN:
            left = right = previous[-1:].isalnum() and following[:1].isalnum()
        elif previous[:1].isalpha() and _rules().exceptions.get(previous + word) == (previous, word):
            left = True
        if (left or glue) and lines[-1]:
            lines[-1][-1].append(word)
        else:
            lines[-1].append([word])
        previous, glue = word, right
    return NEWLINE.join(" ".join(map(_write, groups)) for groups in lines)


def _write(group: list[str]) -> str:
    written = [_capitals(word) for word in group]
    together = "".join(written)
    if len(group) == 1 or UNKNOWN in group or [word.lower() for word in words(together)] == group:
        return together
    return " ".join(written)


@cache
def _known_capitals() -> dict[str, str]:
    return {chunk.lower(): chunk for chunk, parts in _rules().exceptions.items() if parts == (chunk,)}


@lru_cache(maxsize=50_000)
def _capitals(word: str) -> str:
    for form in (word, _known_capitals().get(word, word), word[:1].upper() + word[1:], word.upper()):
        if [part.lower() for part in split(form)] == [word]:
            return form
    return word
