"""Every notebook in a real JupyterLab in a real browser, without a network: figures drawn, sliders at work."""

import pytest
from lab import SHOWN, move_sliders, open_and_run, server
from notebook_files import CHINESE, ENGLISH, cells, label

pytest.importorskip("jupyterlab", reason="jupyterlab is not installed (extra: notebooks)")
ALWAYS = ("07_generation",)  # one with figures, a view and a slider; the others are for make test-all


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    with server(tmp_path_factory.mktemp("lab")) as url:
        yield browser, url


@pytest.mark.browser
@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=() if label(p) in ALWAYS else pytest.mark.long) for p in ENGLISH + CHINESE],
    ids=label,
)
def test_runs_in_jupyterlab(path, lab):
    page = open_and_run(*lab, label(path))
    page.wait_for_timeout(500)
    shown = page.evaluate(SHOWN)
    assert [cell["faults"] for cell in shown if cell["faults"]] == []
    for cell, live in zip(cells(path, "code"), shown, strict=True):
        pictures = sum("image/png" in output.get("data", {}) for output in cell["outputs"])
        assert live["figures"] + live["views"] >= pictures, cell["id"]
    assert all(move_sliders(page))
    assert page.outside == []
    page.close()
