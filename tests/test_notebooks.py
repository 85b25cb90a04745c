"""The notebooks as committed: they run, they read on a web page, their exercises' solutions hold, in both languages."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from notebook_files import CHINESE, ENGLISH, FOLDER, cells, label, read, solutions, source, with_solutions

LONGEST = 15  # lines of a cell
CJK = re.compile(r"[\u4e00-\u9fff]")
CAPTION = 40  # characters of prose beside a figure, at least

every_notebook = pytest.mark.parametrize("path", ENGLISH + CHINESE, ids=label)
every_translation = pytest.mark.parametrize("path", CHINESE, ids=label)


def test_the_series_starts_with_the_tour_and_is_there_in_both_languages():
    assert ENGLISH[0].name == "00_tour.ipynb"
    assert [path.name for path in CHINESE] == [path.name for path in ENGLISH]


@every_notebook
def test_committed_as_text_and_small_pictures(path):
    assert path.stat().st_size <= 400_000
    assert set(read(path)["metadata"]) == {"kernelspec", "language_info"}
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]  # run from top to bottom
    for output in (output for cell in code for output in cell["outputs"]):
        assert output["output_type"] in ("stream", "execute_result", "display_data")
        assert output.get("name", "stdout") == "stdout"  # no warnings
        assert set(output.get("data", {})) <= {"text/plain", "image/png"}
    assert str(FOLDER.parent) not in path.read_text(encoding="utf-8")


@every_notebook
def test_cells_are_short_and_the_language_is_set_first(path):
    code = cells(path, "code")
    assert max(len(source(cell).splitlines()) for cell in code) <= LONGEST
    lang = "zh" if path in CHINESE else "en"
    assert re.search(rf'^lang = "{lang}"', source(code[0]), re.MULTILINE)
    assert not any(re.search(r"^lang = ", source(cell), re.MULTILINE) for cell in code[1:])
    assert any("assert " in source(cell) for cell in code)
    compared = [cell for cell in code if "nbval-check-output" in cell["metadata"].get("tags", [])]
    assert {output["output_type"] for cell in compared for output in cell["outputs"]} == {"stream"}  # no pictures


@every_notebook
def test_every_picture_has_prose_beside_it(path):
    notebook = read(path)["cells"]
    prose = [cell["cell_type"] == "markdown" and len(source(cell)) >= CAPTION for cell in notebook]
    drawn = [any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])) for cell in notebook]
    assert any(drawn)
    bare = [notebook[i]["id"] for i, has in enumerate(drawn) if has and not any(prose[max(0, i - 1) : i + 2])]
    assert bare == []


@every_notebook
def test_exercises_have_solutions_that_assert(path):
    assert 2 <= len(solutions(path)) <= 5
    assert all("assert " in code for code in solutions(path))


@every_notebook
def test_links_to_other_notebooks_lead_somewhere(path):
    text = "".join(source(cell) for cell in cells(path, "markdown"))
    links = re.findall(r"\]\(([^):]+\.ipynb)\)", text)
    assert [link for link in links if not (path.parent / link).is_file()] == []


@every_translation
def test_the_chinese_edition_has_the_same_code(path):
    english, chinese = read(FOLDER / path.name)["cells"], read(path)["cells"]
    assert [cell["id"] for cell in chinese] == [cell["id"] for cell in english]
    assert solutions(path) == solutions(FOLDER / path.name)
    ours, theirs = ([c for c in cells_ if c["cell_type"] == "code"] for cells_ in (chinese, english))
    assert source(ours[0]) == source(theirs[0]).replace('lang = "en"', 'lang = "zh"')
    assert [source(cell) for cell in ours[1:]] == [source(cell) for cell in theirs[1:]]
    assert [cell["metadata"] for cell in ours] == [cell["metadata"] for cell in theirs]


@every_notebook
def test_bold_words_are_shown_bold(path):
    """Between a letter and a punctuation mark ** is no markup, which Chinese prose without blanks runs into."""
    for cell in cells(path, "markdown"):
        parts = re.sub(r"```.*?```|`[^`]*`", "x", source(cell), flags=re.DOTALL).split("**")
        assert len(parts) % 2 == 1, cell["id"]
        for before, bold, after in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
            assert not re.search(r"\w\Z", before) or re.match(r"\w", bold), f"{cell['id']}: {bold}"
            assert not re.match(r"\w", after) or re.search(r"\w\Z", bold), f"{cell['id']}: {bold}"


@every_translation
def test_the_chinese_edition_is_written_in_chinese(path):
    for cell in cells(path, "markdown"):
        prose = re.sub(r"```.*?```|`[^`]*`|\$\$?[^$]*\$\$?", "", source(cell), flags=re.DOTALL)
        assert CJK.search(prose) or not re.search(r"[a-z]{3}", prose), cell["id"]
        assert not re.search(r"[\u4e00-\u9fff，。：；]\n[\u4e00-\u9fff]", prose), cell["id"]  # shown as a blank
        formulas = re.findall(r"\$\$.*?\$\$|\$[^$\n]+\$", source(cell), flags=re.DOTALL)
        assert not CJK.search("".join(formulas)), f"{cell['id']}: no Chinese inside of formulas"


def test_ids_name_a_cell_and_nothing_else():
    for path in ENGLISH:
        ids = [cell["id"] for cell in read(path)["cells"]]
        assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-z0-9-]+", id) for id in ids)


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """path -> the finished run of that notebook under nbval; two run at a time."""
    folder = tmp_path_factory.mktemp("notebooks")
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", "-p", "no:cacheprovider", "-q"]

    def run(path):
        command = [sys.executable, "-m", "pytest", *options, with_solutions(path, folder).name]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)

    here = [item for item in request.session.items if item.path == request.path and "runs" in item.fixturenames]
    chosen = [item.callspec.params["path"] for item in here]
    with ThreadPoolExecutor(2) as pool:
        yield {path: pool.submit(run, path) for path in chosen}


@pytest.mark.parametrize(
    "path", [*ENGLISH, *(pytest.param(path, marks=pytest.mark.long) for path in CHINESE)], ids=label
)
def test_runs_prints_what_is_committed_and_its_solutions_hold(path, runs):
    run = runs[path].result()
    assert run.returncode == 0, run.stdout[-3000:]
    assert f"{len(cells(path, 'code')) + len(solutions(path))} passed" in run.stdout
    assert any("nbval-check-output" in cell["metadata"].get("tags", []) for cell in cells(path, "code"))
