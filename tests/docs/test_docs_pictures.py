"""The pictures on the pages are what is drawn today."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT

from docs import pictures, plots


@pytest.mark.parametrize("name", pictures.drawn())
def test_a_picture_is_what_is_drawn_today(name):
    text = (pictures.FOLDER / name).read_text(encoding="utf-8")
    assert text == pictures.drawn()[name], "run python docs/pictures.py"


@pytest.mark.parametrize("name", pictures.files_of_plots())
def test_a_plot_shows_todays_data(name):
    plot, theme = pictures.files_of_plots()[name]
    text = (pictures.FOLDER / name).read_text(encoding="utf-8")
    assert plots.digest_of(text) == plots.digest(plot.data()), "run python docs/pictures.py"
    # Its ground is that of the pages it is for.
    assert re.search(r'<path [^>]*style="fill: (#\w+)"', text)[1] == theme.ground


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["kink", "bench-faults"])
def test_a_plot_is_drawn_as_it_was(name):
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib, which the docs extra installs")
    plot = plots.PLOTS[name]
    for page, theme in plots.THEMES.items():
        drawn, stored = (
            plots.svg(plot, theme),
            (pictures.FOLDER / f"plots/{name}.{page}.svg").read_text("utf-8"),
        )
        words = re.compile(r"<text[^>]*>(.*?)</text>")
        assert len(words.findall(stored)) > 5
        assert words.findall(drawn) == words.findall(stored), matplotlib.__version__
        assert abs(len(drawn) / len(stored) - 1) < 0.1


def test_a_digest_sees_a_change_and_no_rounding():
    data = [("a", 1.0, [0.1 + 0.2])]
    assert plots.digest(data) == plots.digest([("a", 1.0, (0.3,))])
    assert plots.digest(data) != plots.digest([("a", 1.0, [0.301])])
    assert plots.digest(data) != plots.digest([("b", 1.0, [0.3])])


def test_every_plot_is_on_a_page_for_both_grounds():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in plots.PLOTS:
        for ground in plots.THEMES:
            assert re.search(rf"images/plots/{name}\.{ground}\.svg\){{\.only-{ground}}}", text), name


def test_every_picture_is_on_a_page_and_says_what_it_shows():
    shown = set()
    for page in PAGES:
        for words, target in re.findall(
            r"!\[(.*?)\]\(([^)]+)\)", page.read_text(encoding="utf-8"), re.DOTALL
        ):
            assert words, f"{page}: {target}"
            shown.add((page.parent / target).resolve())
    assert shown == {path.resolve() for path in (ROOT / "docs/images").rglob("*.*")}


def test_it_writes_and_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    (tmp_path / "plots").mkdir()
    # Plots are not drawn here: that needs matplotlib.
    monkeypatch.setattr(plots, "svg", lambda plot, theme: described(plots.digest(plot.data())))
    assert pictures.main(["--check"]) == 1
    assert "run python docs/pictures.py" in capsys.readouterr().err
    assert pictures.main([]) == 0
    assert pictures.main(["--check"]) == 0
    assert pictures.main(["--verbose"]) == 2
    (tmp_path / "plots/kink.dark.svg").write_text(described("0" * 16), encoding="utf-8")
    capsys.readouterr()
    assert pictures.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "kink.dark.svg shows old data" in said
    assert "kink.light.svg" not in said


def described(digest):
    return f"<dc:description>data {digest}</dc:description>"


def test_the_plot_is_of_the_function_of_the_tutorial():
    assert [plots.f(x) for x in (2, 6, -2)] == [6, 58, 18]
