"""Pictures of graphs."""

from __future__ import annotations

import gc
import graphlib
import re
from contextlib import ExitStack

import numpy as np
import pytest
from engine_pictures import Seen, faults

from docs.pictures import PICTURES
from reference_engine import Tensor, draw, name_scope
from reference_engine.draw.layout import columns as columns_module
from reference_engine.draw.layout import heights as heights_module
from reference_engine.draw.layout.boxes import Box, Frame, shorten, width_in_cells
from reference_engine.draw.layout.columns import Wire
from reference_engine.draw.text import constant_lines

DIRECTIONS = ("right", "down")


def arrows(dot):
    """The arrows of a DOT text as pairs of labels."""
    labels = dict(re.findall(r'^\s*(n\d+) \[.*label="(.*)"\];$', dot, re.MULTILINE))
    return [(labels[a], labels[b]) for a, b in re.findall(r"^  (n\d+) -> (n\d+);$", dot, re.MULTILINE)]


def layers(count):
    """A network whose parameters belong to no scope, with two scopes in each layer."""
    h = Tensor(np.ones((4, 8)), label="x")
    for i in range(count):
        W = Tensor(np.eye(8), requires_grad=True, label=f"W{i}")
        b = Tensor(np.zeros(8), requires_grad=True, label=f"b{i}")
        with name_scope(f"layer {i}"):
            with name_scope("linear"):
                z = h @ W + b
            with name_scope("activation"):
                h = np.tanh(z)
    return np.sum(h)


def recurrent(steps):
    """A scope that is left and entered again with what was computed outside of it."""
    h = Tensor(0.5, requires_grad=True)
    for _ in range(steps):
        with name_scope("cell"):
            h = np.tanh(h) * 2.0
        h = h + 1.0
    return h


def at_random(seed):
    """A graph of random operations, some inside random scopes."""
    random = np.random.default_rng(seed)
    values = [Tensor(1.0, True, f"leaf {i}") for i in range(random.integers(1, 6))]
    how_near = random.random()
    scopes = []

    def any_value():
        near = random.random() < how_near
        return values[-min(len(values), random.integers(1, 4)) if near else random.integers(len(values))]

    for _ in range(random.integers(1, 60)):
        if random.random() < 0.3:
            scopes = [*scopes, "abcd"[random.integers(4)]] if random.random() < 0.5 else scopes[:-1]
        with ExitStack() as stack:
            for name in scopes[:4]:
                stack.enter_context(name_scope(name))
            operation = random.integers(5)
            if operation == 0:
                new = np.sin(any_value())
            elif operation == 1:
                new = any_value() - any_value()
            elif operation == 2:
                new = any_value() * 2.5
            elif operation == 3:
                new = np.sum(np.stack([any_value() for _ in range(random.integers(1, 5))]))
            else:
                u, s, _ = np.linalg.svd(np.stack([any_value() for _ in range(4)]).reshape(2, 2))
                new = s[0] + u[0, 0]
            values.append(new)
    return values[-1]


# ---------------------------------------------------------------- what is shown


def test_labels_values_gradients_and_operations():
    a, b, c, f = (Tensor(v, True, n) for v, n in ((3.0, "a"), (-2.0, "b"), (8.0, "c"), (-2.0, "f<&>")))
    L = (a * b + c) * f
    L.label = "L"
    L.backward()
    seen = Seen(draw(L).svg)
    assert sorted(box.words for box in seen.boxes) == sorted([
        ("a", "data 3", "grad 4"),
        ("b", "data -2", "grad -6"),
        ("c", "data 8", "grad -2"),
        ("f<&>", "data -2", "grad 2"),
        ("data -6", "grad -2"),
        ("data 2", "grad -2"),
        ("L", "data -4", "grad 1"),
        ("×",),
        ("+",),
        ("×",),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (-0.0, ["-0"]),
        (1 / 3, ["0.3333"]),
        (True, ["True"]),
        (10**12, ["1000000000000"]),
        (1 - 2j, ["1-2j"]),
        (complex("nan+infj"), ["nan+infj"]),
        (np.float32(0.1), ["0.1"]),
        (np.array([1.5, np.nan, -np.inf]), ["[1.5, nan, -inf]"]),
        (np.array([[1, 2], [3, 4]]), ["[[1, 2], [3, 4]]"]),
        (np.array([True, False]), ["[True, False]"]),
        (np.array([1e-300 + 1e300j] * 4), ["(4,) complex128", "norm 2e+300"]),
        (np.zeros((0, 3)), ["(0, 3)", "empty"]),
        (np.zeros(0, bool), ["(0,) bool", "empty"]),
        (np.arange(6.0).reshape(2, 3), ["(2, 3)", "norm 7.416"]),
        (np.full((5, 5), 60000, np.float16), ["(5, 5) float16", "norm 3e+05"]),
        (np.full(9, 1e300), ["(9,)", "norm 3e+300"]),
        (np.full(9, 1e-300), ["(9,)", "norm 3e-300"]),
        (np.zeros(9), ["(9,)", "norm 0"]),
        (np.array([np.nan, np.nan, np.inf, 1, 2]), ["(5,)", "2 nan, 1 inf"]),
        (np.arange(-3, 9, dtype=np.int8), ["(12,) int8", "-3 to 8"]),
        (np.arange(6) > 1, ["(6,) bool", "4 of 6 true"]),
    ],
    ids=str,
)
def test_numbers_and_arrays(value, lines):
    assert constant_lines(value) == lines


def test_a_value_and_its_gradient_share_the_shape():
    x = Tensor(np.float32([1, 2, 3, 4, 5]), True, "x")
    y = Tensor(np.float32([1, 2, 3]), True, "y")
    (np.sum(x * 2) + np.sum(y * 1000.125)).backward()
    seen = Seen(draw(np.sum(x) + np.sum(y)).svg)
    assert seen.box("x").words == ("x", "(5,) float32", "data norm 7.416", "grad norm 4.472")
    assert seen.box("y").words == ("y", "data [1, 2, 3]", "grad [1000, 1000, 1000]")


def test_the_outputs_of_one_operation_hang_on_it():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    u, s, _ = np.linalg.svd(x @ np.ones((3, 2)) + np.eye(2))
    picture = draw(np.sum(s) + np.sum(u))
    outputs = [b.split("\\n")[0] for a, b in arrows(picture.dot) if a == "svd"]
    assert sorted(outputs) == ["output 0", "output 1"]
    assert Seen(picture.svg).box("[[1, 0], [0, 1]]").kind == "constant"


def test_labels_are_cut_and_cleaned():
    for label, shown in (
        ("a" * 40, "a" * 29 + "…"),
        ("日本" * 20, "日本" * 7 + "…"),
        ("a\nb\x00c\x1b\ud800", "a b\ufffdc\ufffd\ufffd"),
        ('<&>"\\', '<&>"\\'),
        ("e\u0301" * 20, "e\u0301" * 20),
    ):
        assert shorten(label) == shown
        assert width_in_cells(shown) <= 30
        picture = draw(Tensor(1.0, label=label))
        assert Seen(picture.svg).boxes[0].words[0] == shown
        assert not faults(picture.svg)


def test_a_freed_graph_says_so():
    x = Tensor(2.0, requires_grad=True)
    y = np.exp(x * x)
    y.backward(retain_graph=False)
    assert arrows(draw(y).dot)[0] == ("graph freed", "exp")


# ---------------------------------------------------------------- where it stands


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("seed", range(12))
def test_nothing_overlaps_and_no_line_runs_through_a_box(seed, direction):
    L = at_random(seed)
    for options in ({}, {"depth": 1}, {"depth": 2}, {"max_nodes": 7}, {"max_nodes": 20}):
        picture = draw(L, direction=direction, **options)
        assert not faults(picture.svg), options
        seen = Seen(picture.svg)
        assert len(seen.tips) == len(arrows(picture.dot))
        assert len(seen.boxes) == picture.dot.count("label=") - picture.dot.count("subgraph")


def test_a_faulty_layout_would_be_noticed(monkeypatch):
    graphs = [at_random(seed) for seed in range(12)]
    monkeypatch.setattr(heights_module, "_WIRE_GAP", -4)
    assert any(faults(draw(L, max_nodes=20).svg) for L in graphs)
    monkeypatch.undo()
    monkeypatch.setattr(heights_module, "_GAP", -3)
    assert any(faults(draw(L, max_nodes=20).svg) for L in graphs)


def test_the_long_way_is_one_line_and_arguments_stand_in_their_order():
    seen = Seen(PICTURES["graph.svg"]().svg)
    way = [seen.box(name) for name in ("a", "d", "e", "L")]
    assert len({box.y + box.height / 2 for box in way}) == 1
    assert [box.x for box in way] == sorted(box.x for box in way)
    for first, second in (("a", "b"), ("d", "c"), ("e", "f")):
        assert seen.box(first).y < seen.box(second).y
    assert not seen.numbers


def test_down_is_right_turned():
    x = Tensor(3.0, True, "first")
    L = x / Tensor(2.0, True, "second")
    L.label = "L"
    seen = Seen(draw(L, direction="down").svg)
    assert seen.box("first").x < seen.box("second").x
    assert seen.box("first").y < seen.box("÷").y < seen.box("L").y
    assert "rankdir=TB" in draw(L, direction="down").dot


def test_in_a_tree_all_arguments_stand_in_their_order(monkeypatch):
    # Already before crossings are counted.
    monkeypatch.setattr(columns_module, "_SWEEPS", 0)
    level = [Tensor(float(i), True, f"leaf {i}") for i in range(32)]
    while len(level) > 1:
        level = [np.sin(a) - b for a, b in zip(level[::2], level[1::2], strict=True)]
    seen = Seen(draw(level[0]).svg)
    leaves = [box for box in seen.boxes if box.kind == "leaf"]
    assert [box.y for box in leaves[::2]] == sorted(box.y for box in leaves[::2])
    assert not seen.numbers


def test_crossings_are_undone():
    frame = Frame()
    a, b, p, q, r = boxes = [Box("value", [name], frame) for name in "abpqr"]
    wires = [Wire(one, None, other, None, one, 0, 0, 0) for one, other in ((a, p), (b, q), (a, r))]
    (left, right), _ = columns_module.columns(boxes, wires)
    assert (left, right) == ([a, b], [p, r, q])


def test_arguments_that_cannot_stand_in_order_are_numbered():
    a, b = Tensor(3.0, True, "a"), Tensor(2.0, True, "b")
    assert not Seen(draw((a + b) * (b + a)).svg).numbers
    assert sorted(Seen(draw((a - b) * (b - a)).svg).numbers) == ["1", "2"]


def test_a_value_that_is_taken_twice_has_two_arrows():
    x = Tensor(3.0, True)
    picture = draw(x * x)
    tips = Seen(picture.svg).tips
    assert len({tuple(tip) for tip in tips}) == 3
    assert arrows(picture.dot)[:2] == [("data 3", "×")] * 2


# ---------------------------------------------------------------- scopes


def test_an_open_scope_is_a_frame_around_its_values():
    with name_scope("outer"):
        W = Tensor(2.0, True, "W")
        with name_scope("inner"):
            y = W * Tensor(3.0, True, "x")
        y.label = "y"
        z = y + Tensor(1.0, label="c")
    L = -z
    seen = Seen(draw(L).svg)
    frames = {frame.words[0]: frame for frame in seen.frames}
    assert set(frames) == {"outer", "inner"}
    assert frames["outer"].surrounds(frames["inner"])
    for name, frame in (("W", "outer"), ("c", "outer"), ("x", "inner"), ("y", "inner")):
        assert frames[frame].surrounds(seen.box(name))
    assert frames["inner"].apart_from(seen.box("W"))
    assert not frames["outer"].surrounds(seen.box("data -7"))


def test_a_closed_scope_says_what_is_in_it_and_what_it_gives():
    picture = draw(layers(3), depth=1)
    seen = Seen(picture.svg)
    for i in range(3):
        words = (f"layer {i}", "3 values, 3 operations", "gives (4, 8)")
        assert seen.box(f"layer {i}").words == words
        assert seen.box(f"layer {i}").kind == "scope"
    assert not seen.frames
    found = {(a.split("\\n")[0], b.split("\\n")[0]) for a, b in arrows(picture.dot)}
    assert {("layer 0", "layer 1"), ("layer 1", "layer 2"), ("W1", "layer 1"), ("b1", "layer 1")} <= found
    assert found >= {("layer 2", "sum")}


def test_several_values_that_leave_a_scope():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    with name_scope("part"):
        values = [x * 2.0, x * 3.0, np.sum(x), np.sum(x, axis=0)]
    L = sum(np.sum(value) for value in values)
    assert Seen(draw(L, depth=1).svg).box("part").words == (
        "part",
        "4 values, 4 operations",
        "gives 2 of (2, 3), (), …",
    )


def test_depth_two_closes_the_scopes_inside_another_one():
    seen = Seen(draw(layers(3), depth=2).svg)
    frames = {frame.words[0]: frame for frame in seen.frames}
    assert set(frames) == {"layer 0", "layer 1", "layer 2"}
    inside = [box.words[:2] for box in seen.boxes if frames["layer 1"].surrounds(box)]
    assert sorted(inside) == [("activation", "1 value, 1 operation"), ("linear", "2 values, 2 operations")]


@pytest.mark.parametrize(
    ("room", "boxes", "frames"),
    [
        # Ten layers of two scopes each, and 21 leaves in no scope.
        (52, 0, 30),
        (51, 20, 10),
        (42, 20, 10),
        (41, 20, 10),
        (21, 20, 10),
        (20, 10, 0),
        (11, 10, 0),
    ],
)
def test_the_deepest_scopes_are_closed_first(room, boxes, frames):
    L = layers(10)
    seen = Seen(draw(L, max_nodes=room).svg)
    kinds = [box.kind for box in seen.boxes]
    assert (kinds.count("scope"), len(seen.frames)) == (boxes, frames)
    assert kinds.count("scope") + kinds.count("leaf") + kinds.count("value") <= room
    assert not any("more" in word for word in seen.texts)


def test_leaves_of_no_scope_stand_alone_while_there_is_room():
    L = layers(2)
    assert {"W0", "b1"} <= set(Seen(draw(L, max_nodes=12, depth=1).svg).texts)
    seen = Seen(draw(L, max_nodes=6, depth=1).svg)
    assert not {"W0", "b1", "x"} & set(seen.texts)
    assert seen.box("layer 0").words[1] == "6 values, 3 operations"
    assert seen.box("layer 1").words[1] == "5 values, 3 operations"


def test_a_leaf_that_two_scopes_use_belongs_to_neither():
    x = Tensor(2.0, True, "x")
    y = x
    for name in ("one", "two"):
        with name_scope(name):
            y = np.sin(y * x)
    assert "x" in Seen(draw(-y, max_nodes=4).svg).texts


def test_the_drawn_tensor_always_stands_alone():
    with name_scope("everything"):
        x = Tensor(1.0, True, "x")
        L = np.sin(np.exp(x))
        L.label = "L"
    seen = Seen(draw(L, depth=1).svg)
    assert seen.box("L").words == ("L", "data 0.4108")
    assert seen.box("everything").words[1] == "2 values, 1 operation"


@pytest.mark.parametrize("options", [{}, {"depth": 1}])
def test_a_scope_that_is_entered_again_has_a_box_for_each_visit(options):
    picture = draw(recurrent(3), **options)
    assert [word for word in Seen(picture.svg).texts if "visit" in word] == [
        f"cell (visit {i} of 3)" for i in (1, 2, 3)
    ]
    assert not faults(picture.svg)


def test_a_scope_that_is_entered_again_without_need_is_one():
    x = Tensor(1.0, True)
    with name_scope("squares"):
        a = x * x
    b = np.sin(x)
    with name_scope("squares"):
        b = b * b
    seen = Seen(draw(a + b, depth=1).svg)
    assert seen.box("squares").words[1] == "2 values, 2 operations"


@pytest.mark.parametrize("seed", range(12))
def test_no_picture_has_a_cycle(seed):
    L = at_random(seed)
    for options in ({"depth": 1}, {"depth": 2}, {"max_nodes": 7}):
        before = {}
        for a, b in re.findall(r"^  (n\d+) -> (n\d+);$", draw(L, **options).dot, re.MULTILINE):
            before.setdefault(b, set()).add(a)
        assert list(graphlib.TopologicalSorter(before).static_order())


# ---------------------------------------------------------------- size


def test_what_does_not_fit_is_counted():
    y = Tensor(1.0, requires_grad=True)
    for _ in range(1000):
        y = y + 1.0
    assert [box.words for box in Seen(draw(y).svg).boxes if box.kind == "more"] == [("… 701 more values",)]
    seen = Seen(draw(recurrent(100), max_nodes=50, depth=1).svg)
    assert seen.box("cell (visit 100 of 100)")
    drawn = sum(2 if box.kind == "scope" else box.kind == "value" for box in seen.boxes)
    assert f"… {301 - drawn} more values" in seen.texts


def test_several_places_where_something_is_left_out():
    leaves = [Tensor(1.0, True) for _ in range(4)]
    L = np.sin(leaves[0] * leaves[1]) + np.cos(leaves[2] * leaves[3])
    words = [box.words for box in Seen(draw(L, max_nodes=3).svg).boxes if box.kind == "more"]
    assert sorted(words) == [("…",), ("…",), ("… 6 more values",)]


@pytest.fixture
def no_collection():
    """A million live objects are not garbage; collecting in between only takes time."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.sweep
@pytest.mark.usefixtures("no_collection")
def test_a_million_nodes_are_drawn():
    y = x = Tensor(1.0, requires_grad=True, label="x")
    for i in range(10):
        with name_scope(f"part {i}"), name_scope("inside"):
            for _ in range(50_000):
                y = y * x
    scoped = y
    for _ in range(500_000):
        y = -y
    seen = Seen(draw(scoped).svg)
    closed = [box.words for box in seen.boxes if box.kind == "scope"]
    # The drawn value itself stands alone.
    counts = ["50000 values, 50000 operations"] * 9 + ["49999 values, 49999 operations"]
    assert closed == [("inside", count, "gives ()") for count in counts]
    assert "… 999701 more values" in Seen(draw(y).svg).texts


def test_scopes_nested_deeper_than_the_stack():
    y = Tensor(1.0, requires_grad=True)
    with ExitStack() as stack:
        for i in range(1500):
            stack.enter_context(name_scope(f"s{i}"))
            if i % 10 == 0:
                y = -y
    picture = draw(y)
    assert len(Seen(picture.svg).frames) == 1491
    assert picture.dot.count("subgraph") == 1491


# ---------------------------------------------------------------- the forms


def test_files_and_notebooks(tmp_path):
    picture = PICTURES["graph.svg"]()
    assert picture._repr_svg_() == picture.svg
    assert picture.svg in picture._repr_html_()
    for ending in ("svg", "dot", "html"):
        assert picture.save(tmp_path / f"graph.{ending}").stat().st_size > 500
    page = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert '<meta charset="utf-8">' in page
    assert "<title>Graph of L</title>" in page
    with pytest.raises(ValueError, match="must end in"):
        picture.save(tmp_path / "graph.png")


def test_the_svg_carries_the_colours_of_a_dark_page_and_needs_nothing_else():
    svg = PICTURES["graph.svg"]().svg
    light, dark = svg.split("@media (prefers-color-scheme: dark)")
    coloured = set(re.findall(r"\.(re-\w+) \{ .*?: #", light))
    assert len(coloured) > 8
    # A frame is a grey that both show.
    for name in coloured - {"re-frame"}:
        assert f".{name} {{" in dark, name
    assert not re.search(r"href|url\(|<script|<image", svg)


DOT_LINE = re.compile(
    r'  n\d+ \[shape=(?:box|box3d|ellipse|plaintext), label="(?:[^"\\\n]|\\[\\"n])*"\];'
    r"|  n\d+ -> n\d+;"
    r'|  subgraph cluster_\d+ \{|  label="(?:[^"\\\n]|\\[\\"n])*";|  \}'
    r"|  rankdir=LR;|  ordering=in;"
)


def test_dot_is_well_formed():
    with name_scope('scope "quoted" \\'):
        x = Tensor(1.0, True, 'x "y" \\')
        y = x * Tensor(2.0, True, "\\n")
    first, *lines, last = draw(-y).dot.split("\n")
    assert (first, last) == ("digraph {", "}")
    for line in lines:
        assert DOT_LINE.fullmatch(line), line
    assert sum(line.endswith("{") for line in lines) == sum(line == "  }" for line in lines) == 1
    text = "\n".join(lines)
    assert r'label="scope \"quoted\" \\";' in text
    assert r'label="x \"y\" \\\ndata 1"]' in text
    assert r'label="\\n\ndata 2"]' in text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_nodes": 0}, ValueError, "max_nodes must be an integer of at least 1, got 0"),
        ({"max_nodes": 2.0}, TypeError, "max_nodes must be an integer of at least 1, got 2.0"),
        ({"max_nodes": None}, TypeError, "max_nodes must be an integer of at least 1, got None"),
        ({"depth": 0}, ValueError, "depth must be None or an integer of at least 1, got 0"),
        ({"depth": True}, TypeError, "depth must be None or an integer of at least 1, got True"),
        ({"depth": "1"}, TypeError, "depth must be None or an integer of at least 1, got '1'"),
        ({"direction": "up"}, ValueError, "direction must be 'right' or 'down', got 'up'"),
    ],
)
def test_wrong_options_are_named(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        draw(Tensor(1.0), **options)


def test_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="tensor must be a Tensor, got float"):
        draw(1.0)


def test_integers_of_numpy_are_integers():
    assert draw(layers(2), depth=np.int64(1)).svg == draw(layers(2), depth=1).svg


# ---------------------------------------------------------------- the pages


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_the_pages_are_in_order(name):
    assert not faults(PICTURES[name]().svg)


def test_what_the_pictures_of_the_pages_show():
    seen = Seen(PICTURES["graph.svg"]().svg)
    assert seen.box("e").words == ("e", "data 2", "grad -2")
    seen = Seen(PICTURES["mlp.svg"]().svg)
    assert [frame.words for frame in seen.frames] == [("layer 1",), ("layer 2",), ("loss",)]
    for name in ("W1", "b1", "h", "W2", "b2", "prediction", "L"):
        assert any(word.startswith("grad") for word in seen.box(name).words), name
    texts = Seen(PICTURES["transformer.svg"]().svg).texts
    assert texts.count("attention") == texts.count("feed forward") == 2
    assert "14 values, 11 operations" in texts
