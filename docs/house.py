"""The structure of the two packages as their imports have it: rooms, arrows, floors and circles.

A *room* is a file or a folder; the rooms of a folder are what lies directly in it. An *arrow* leads from the
room of a module to the room of a module that it imports. Imports inside functions count, imports under
``TYPE_CHECKING`` do not. The *floor* of a room is the length of the longest road of arrows that begins there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("pytest_gradcheck", "reference_engine")

Arrows = Mapping[str, frozenset[str]]


@cache
def modules() -> Mapping[str, Path]:
    """The dotted names of all modules, a package's ``__init__`` among them, and their files."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is true for a type checker alone."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def imported(tree: ast.AST) -> Iterator[str]:
    """Every dotted name that a module imports when it runs; ``from a import b`` as ``a.b``."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and is_type_checking(node.test):
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"relative import in line {node.lineno}: write the whole name")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        pending += ast.iter_child_nodes(node)


def _module_of(name: str) -> str | None:
    """The module in which an imported name is found: itself, its package, or the module that has it."""
    known = modules()
    for candidate in (name, f"{name}.__init__", *([] if "." not in name else [name.rpartition(".")[0]])):
        if candidate in known:
            return candidate
    parent = f"{name.rpartition('.')[0]}.__init__"
    return parent if parent in known else None


@cache
def arrows() -> Arrows:
    """By module the modules of the two packages that it imports."""
    found = {}
    for name, path in modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = {_module_of(each) for each in imported(tree) if each.split(".")[0] in PACKAGES}
        found[name] = frozenset(target for target in targets if target is not None and target != name)
    return found


def rooms(folder: str) -> Arrows:
    """The rooms of a folder, given by its dotted name, and the arrows between them."""
    depth = folder.count(".") + 1
    inside = [name for name in modules() if name.startswith(f"{folder}.")]
    room = {name: ".".join(name.split(".")[: depth + 1]) for name in inside}
    found: dict[str, set[str]] = {each: set() for each in room.values()}
    for name in inside:
        found[room[name]] |= {room[target] for target in arrows()[name] if target in room}
    return {name: frozenset(targets - {name}) for name, targets in found.items()}


def folders() -> list[str]:
    """The dotted names of all folders, from the packages down."""
    names = {name.rsplit(".", depth)[0] for name in modules() for depth in range(1, name.count(".") + 1)}
    return sorted(names)


def circles(graph: Arrows) -> list[list[str]]:
    """The groups of two and more nodes each of which leads to each other one."""
    reached = {name: _reach(graph, name) for name in graph}
    groups = {
        tuple(sorted({name, *(other for other in reached[name] if name in reached[other])})) for name in graph
    }
    return sorted(list(group) for group in groups if len(group) > 1)


def _reach(graph: Arrows, start: str) -> set[str]:
    found: set[str] = set()
    pending = list(graph[start])
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += graph[name]
    return found


def floors(graph: Arrows) -> dict[str, int]:
    """The floor of every room, from 1; the graph must have no circle."""
    found: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((floor(target) for target in graph[name]), default=0)
        return found[name]

    for name in graph:
        floor(name)
    return found


# -- the picture -----------------------------------------------------------------------------------

BOX, GAP, ROW, MARGIN = (118, 30), 18, 74, 16

#: The colours of the engine's pictures, on light and on dark pages.
STYLE = """
.page { fill: #ffffff }
text { fill: #1a1a1a }
.axis { stroke: #5f6368; fill: none }
@media (prefers-color-scheme: dark) {
  .page { fill: #16181c }
  text { fill: #e8eaed }
  .axis { stroke: #a8adb4 }
}
"""


def picture() -> str:
    """The top level of ``pytest_gradcheck``: its rooms by floor, and the arrows between them."""
    graph = rooms("pytest_gradcheck")
    level = floors(graph)
    by_floor: dict[int, list[str]] = {}
    for name in sorted(graph):
        by_floor.setdefault(level[name], []).append(name)
    width = 2 * MARGIN + max(len(row) * (BOX[0] + GAP) - GAP for row in by_floor.values())
    height = 2 * MARGIN + (len(by_floor) - 1) * ROW + BOX[1]
    at: dict[str, tuple[float, float]] = {}
    for number, row in by_floor.items():
        left = (width - (len(row) * (BOX[0] + GAP) - GAP)) / 2
        for k, name in enumerate(row):
            at[name] = left + k * (BOX[0] + GAP), MARGIN + (len(by_floor) - number) * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" font-size="12">',
        f"<title>The rooms of pytest_gradcheck, each above what it imports</title><style>{STYLE}</style>",
        f'<rect class="page" width="{width:g}" height="{height:g}"/>',
    ]
    for name, target in _needed(graph):
        (x, y), (u, v) = at[name], at[target]
        start, end = (x + BOX[0] / 2, y + BOX[1]), (u + BOX[0] / 2, v)
        lines.append(
            f'<path class="axis" d="M {start[0]:g} {start[1]:g} C {start[0]:g} {start[1] + 26:g} '
            f'{end[0]:g} {end[1] - 26:g} {end[0]:g} {end[1]:g}"/>'
        )
    for name, (x, y) in at.items():
        title = name.split(".")[1]
        path = ROOT / "pytest_gradcheck" / title
        words = f"{title}/" if path.is_dir() else f"{title}.py"
        box = f'x="{x:g}" y="{y:g}" width="{BOX[0]}" height="{BOX[1]}" rx="4"'
        lines.append(
            f'<rect class="page" {box}/><rect class="axis" {box}/>'
            f'<text x="{x + BOX[0] / 2:g}" y="{y + 19:g}" text-anchor="middle">{escape(words)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _needed(graph: Arrows) -> Iterable[tuple[str, str]]:
    """The arrows that are not implied by a road over another room."""
    for name in sorted(graph):
        implied = {far for near in graph[name] for far in _reach(graph, near)}
        yield from ((name, target) for target in sorted(graph[name] - implied))
