"""Pictures of graphs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from reference_engine import Tensor, draw


@pytest.fixture
def picture():
    a, b, c, f = (Tensor(v, True, n) for v, n in ((3.0, "a"), (-2.0, "b"), (8.0, "c"), (-2.0, "f<&>")))
    L = (a * b + c) * f
    L.label = "L"
    L.backward()
    return draw(L)


def test_svg_shows_labels_values_gradients_and_operations(picture):
    root = ET.fromstring(picture.svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("a", "b", "c", "f<&>", "L", "data 3", "grad 4", "data -4", "grad 1", "grad -6", "×", "+"):
        assert text in texts


def test_boxes_do_not_overlap_and_lie_inside(picture):
    root = ET.fromstring(picture.svg)
    width, height = float(root.get("width")), float(root.get("height"))
    rects = [
        [float(r.get(k)) for k in ("x", "y", "width", "height")]
        for r in root.iter("{http://www.w3.org/2000/svg}rect")
        if r.get("x")
    ]
    for i, (x, y, w, h) in enumerate(rects):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        for x2, y2, w2, h2 in rects[:i]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_files_and_notebooks(picture, tmp_path):
    assert picture._repr_svg_() == picture.svg
    assert picture.svg in picture._repr_html_()
    assert picture.dot.startswith("digraph {")
    for ending in ("svg", "dot", "html"):
        assert picture.save(tmp_path / f"graph.{ending}").stat().st_size > 500
    with pytest.raises(ValueError, match="must end in"):
        picture.save(tmp_path / "graph.png")


def test_large_graphs_are_cut_and_say_so():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1000):
        y = y + 1.0
    assert "… 701 more values" in draw(y).svg


def test_arrays_several_outputs_and_constants():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    u, s, _ = np.linalg.svd(x @ np.ones((3, 2)) + np.eye(2))
    text = draw(np.sum(s) + np.sum(u)).svg
    for part in ("3 outputs", "output 1", "(2, 3), norm 7.416", "svd"):
        assert part in text
