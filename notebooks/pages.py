"""The series as web pages that need no network: build/notebooks/index.html, and zh/ beside it.

    python notebooks/pages.py             # into build/notebooks
    python notebooks/pages.py FOLDER

Pictures are the committed ones, mathematics is drawn into the pages, fonts are the system's: a page asks for nothing
but the style sheet beside it.
"""

import html
import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import ziamath
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from gpt1viz import palette
from gpt1viz.text import LANGUAGES, t

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "notebooks"
FOLDERS = {"en": "", "zh": "zh/"}
ziamath.config.svg2 = False  # each drawing carries its own outlines
PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
</head>
<body>
{links}
<main>
{body}
</main>
{links}
</body>
</html>
"""
STYLE = f"""body {{ max-width: 860px; margin: 0 auto; padding: 16px; font: 16px/1.6 {palette.SANS}; }}
body {{ color: {palette.INK[0]}; background: {palette.PAPER[0]}; }}
a {{ color: {palette.LINK[0]}; }}
h1 {{ font-size: 28px; }} h2 {{ font-size: 22px; margin-top: 40px; }} h3 {{ font-size: 18px; }}
nav {{ display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 8px 0; font-size: 14px; }}
nav :last-child {{ margin-left: auto; }}
pre, code {{ font-family: {palette.MONO}; font-size: 14px; }}
p code, li code, td code {{ background: {palette.PANEL[0]}; padding: 1px 4px; border-radius: 4px; }}
pre {{ overflow-x: auto; padding: 8px 12px; margin: 8px 0; line-height: 1.45; }}
.highlight {{ background: {palette.PANEL[0]}; border-left: 3px solid {palette.HATCH[0]}; border-radius: 4px; }}
.output {{ white-space: pre-wrap; }}
img {{ max-width: 100%; height: auto; display: block; margin: 8px 0; }}
details {{ border: 1px solid {palette.HATCH[0]}; border-radius: 4px; padding: 4px 12px; margin: 12px 0; }}
summary {{ cursor: pointer; color: {palette.LINK[0]}; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ border-bottom: 1px solid {palette.HATCH[0]}; padding: 4px 12px 4px 0; text-align: left; }}
.formula {{ overflow-x: auto; text-align: center; }}
"""


class Page(NamedTuple):
    """A notebook and how the others speak of it: file name without suffix, heading, question."""

    name: str
    notebook: nbformat.NotebookNode
    title: str
    question: str


class Renderer(IPythonRenderer):
    """Markdown as HTML: formulas as drawings, links to notebooks as links to their pages."""

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{formula(body, inline=False)}</div>'

    def inline_math(self, body: str) -> str:
        return formula(body, inline=True)

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, re.sub(r"\.ipynb(?=#|$)", ".html", url), title)


def formula(tex: str, inline: bool) -> str:
    """TeX as an SVG drawing that reads out its TeX."""
    drawing = ziamath.Latex(tex.strip(), size=18, inline=inline, color=palette.INK[0])
    sink = drawing.getyofst() - drawing.margin if inline else 0.0  # from the line of text down to the lower edge
    start = f'<svg role="img" aria-label="{html.escape(tex.strip())}" style="vertical-align: {sink:.1f}px" '
    return drawing.svg().replace("<svg ", start, 1)


def read(lang: str) -> list[Page]:
    """The notebooks of one language; their first cell is `# title`, a blank line, `**question**`."""
    pages = []
    for path in sorted((HERE / FOLDERS[lang]).glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        title, question = re.search(r"^# (.+?)\n\n\*\*(.+?)\*\*", notebook.cells[0].source, re.DOTALL).groups()
        pages.append(Page(path.stem, notebook, title, question.replace("\n", " ")))
    return pages


def body(notebook) -> str:
    """The cells of a notebook with their outputs."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            renderer = Renderer(escape=False, exclude_anchor_links=True)
            parts.append(MarkdownWithMath(renderer=renderer).render(cell.source))
        elif cell.cell_type == "code":
            parts.append(Highlight2HTML(pygments_lexer="ipython3")(cell.source))
            parts += [shown(output, cell.id) for output in cell.outputs]
    return "\n".join(parts)


def shown(output, name: str) -> str:
    """A picture if the output has one, else its text."""
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f'<pre class="output">{html.escape(output.get("text") or data["text/plain"])}</pre>'


def links(lang: str, name: str, before: Page | None = None, after: Page | None = None) -> str:
    """Contents, the notebooks before and after, and the same page in the other language (or what it has)."""
    found = [("index", t("lessons.contents", lang))] if name != "index" else []
    found += [(before.name, f"← {before.title}")] if before else []
    found += [(after.name, f"{after.title} →")] if after else []
    (other,) = LANGUAGES.keys() - {lang}
    there = (HERE / FOLDERS[other] / f"{name}.ipynb").is_file()
    found.append(({"en": "zh/", "zh": "../"}[lang] + (name if there else "index"), LANGUAGES[other]))
    return "<nav>" + "".join(f'<a href="{url}.html">{html.escape(text)}</a>' for url, text in found) + "</nav>"


def write(folder: Path, lang: str, name: str, **parts: str) -> None:
    style = {"en": "style.css", "zh": "../style.css"}[lang]
    path = folder / FOLDERS[lang] / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PAGE.format(lang=lang, style=style, **parts), encoding="utf-8")


def build(folder: Path) -> None:
    """All pages of both languages, and a page of contents for each."""
    folder.mkdir(parents=True, exist_ok=True)
    style = STYLE + HtmlFormatter(style="friendly").get_style_defs(".highlight pre")
    (folder / "style.css").write_text(style, encoding="utf-8")
    for lang in LANGUAGES:
        pages = read(lang)
        for before, page, after in zip([None, *pages], pages, [*pages[1:], None], strict=False):
            place = links(lang, page.name, before, after)
            write(folder, lang, page.name, title=html.escape(page.title), links=place, body=body(page.notebook))
        title = html.escape(t("lessons.series", lang))
        rows = "".join(
            f'<li><a href="{page.name}.html">{html.escape(page.title)}</a><br>{html.escape(page.question)}</li>\n'
            for page in pages
        )
        contents = f"<h1>{title}</h1>\n<ul>\n{rows}</ul>"
        write(folder, lang, "index", title=title, links=links(lang, "index"), body=contents)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD
    build(target)
    print(target / "index.html")
