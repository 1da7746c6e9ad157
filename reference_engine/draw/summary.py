"""Choose which values of a graph share a box, so the picture stays readable.

Values are drawn individually while there is room. In a larger graph the values of one name scope become one
`Group`, the deepest scopes first. No loop over the nodes recurses, and each is linear in their number.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from reference_engine.primitives import Node, plain

__all__ = ["Group", "Part", "Path", "Summary", "is_value", "summarise", "visits"]

Path = tuple[str, ...]
"""The names of the scopes around a value, the outermost first."""

_by_order = attrgetter("order")
_Item = TypeVar("_Item", bound=Hashable)


class Group:
    """The values of one scope that share a box.

    A scope that is left, and entered again with values computed outside of it, has a group for each visit;
    otherwise the picture would have a cycle.
    """

    __slots__ = ("gives", "members", "path", "visit", "visits")

    def __init__(self, path: Path, visit: int = 1, visits: int = 1) -> None:
        self.path = path
        self.visit = visit
        self.visits = visits
        self.members: list[Node] = []
        self.gives: dict[Node, None] = {}
        """The members that other parts take, in order."""


Part = Node | Group
"""What one box of the picture stands for."""


class Summary:
    """The parts of a picture, arguments first.

    `arguments` has the other parts that each part takes values from, each once, in their order; `incomplete`
    are those that also use values that are not drawn. `left_out` counts the values that are not drawn.
    """

    def __init__(self, nodes: Sequence[Node], home: Mapping[Node, Group], level: int | None) -> None:
        self.left_out = 0
        self.incomplete: set[Part] = set()
        self._home = home
        self._level = level
        taken: dict[Part, dict[Part, None]] = {home.get(node, node): {} for node in nodes}
        for node in nodes:
            part = home.get(node, node)
            if isinstance(part, Group):
                part.members.append(node)
            for arg in arguments_of(node):
                other = home.get(arg, arg)
                if other not in taken:
                    self.incomplete.add(part)
                elif other is not part:
                    taken[part][other] = None
                    if isinstance(other, Group):
                        other.gives[arg] = None
        self.arguments: dict[Part, list[Part]] = {part: list(others) for part, others in taken.items()}
        self.parts = _in_order(self.arguments)

    def part(self, node: Node) -> Part | None:
        """The part that holds `node`; None if it is not drawn."""
        part = self._home.get(node, node)
        return part if part in self.arguments else None

    def frames(self, part: Part) -> Path:
        """The scopes around `part` that are open."""
        if isinstance(part, Group):
            return part.path[:-1]
        return _path(part.scope)[: None if self._level is None else self._level - 1]


def arguments_of(node: Node) -> list[Node]:
    """The nodes among the arguments of `node`."""
    return [arg for arg in map(plain, node.args or ()) if type(arg) is Node]


def is_value(node: Node) -> bool:
    """Whether `node` is a value, and not all outputs of an operation together."""
    return type(node.data) is not tuple


def summarise(root: Node, max_nodes: int, depth: int | None) -> Summary:
    """The graph behind `root` in at most `max_nodes` parts; `root` itself is always separate.

    With `depth=None` every value is separate if there is room, else scopes are closed level by level from the
    deepest one. `depth=1` closes all scopes, `depth=2` those inside another one, and so on. If that is not
    enough, leaves made outside of scopes move into the only scope that uses them, and finally the parts
    farthest from `root` are omitted.
    """
    nodes = _ancestors(root)
    paths = {scope: _path(scope) for scope in {node.scope for node in nodes}}
    own = {node: path for node in nodes if (path := paths[node.scope])}
    tables = [(own, Counter(own.values()))]
    plans: list[tuple[dict[Node, Path], Counter[Path], int | None]] = [(*tables[0], None)]
    if depth or len(nodes) > max_nodes:
        if joining := _only_users(nodes, own):
            joined = own | joining
            tables.append((joined, Counter(joined.values())))
        deepest = max(map(len, tables[0][1]), default=0)
        levels = [depth] if depth else range(deepest, 0, -1)
        plans = plans[: not depth] + [(*table, level) for level in levels for table in tables]
    for places, sizes, level in plans[:-1]:
        if len(nodes) - _fewest_inside(sizes, level) <= max_nodes:
            summary = _draft(nodes, places, level, max_nodes)
            if not summary.left_out:
                return summary
    places, _, level = plans[-1]
    return _draft(nodes, places, level, max_nodes)


def _path(scope: str | None) -> Path:
    return tuple(name for name in (scope or "").split("/") if name)


def _ancestors(root: Node) -> list[Node]:
    """`root` and everything that it was computed from, in topological order."""
    seen = {root}
    stack = [root]
    while stack:
        for arg in map(plain, stack.pop().args or ()):
            if type(arg) is Node and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen, key=_by_order)


def _only_users(nodes: Sequence[Node], own: Mapping[Node, Path]) -> dict[Node, Path]:
    """For leaves that were made in no scope, the innermost scope that all their users are in, if any."""
    common: dict[Node, Path] = {}
    for node in nodes:
        path = own.get(node, ())
        for arg in arguments_of(node):
            if arg.primitive is None and arg not in own:
                common[arg] = _common(common.get(arg, path), path)
    return {leaf: path for leaf, path in common.items() if path}


def _common(a: Path, b: Path) -> Path:
    length = 0
    while length < min(len(a), len(b)) and a[length] == b[length]:
        length += 1
    return a[:length]


def _fewest_inside(sizes: Mapping[Path, int], level: int | None) -> int:
    """By how much closing the scopes from `level` on makes the parts fewer, if none falls into visits."""
    if level is None:
        return 0
    closed = [path for path in sizes if len(path) >= level]
    return sum(sizes[path] for path in closed) - len({path[:level] for path in closed})


def _draft(nodes: list[Node], places: Mapping[Node, Path], level: int | None, max_nodes: int) -> Summary:
    root = nodes[-1]
    home = {} if level is None else _close(places, level)
    home.pop(root, None)
    if home:
        home = _by_visit(home, visits(nodes, arguments_of, home))
    kept = _nearest(root, nodes, home, max_nodes)
    drawn = [node for node in nodes if home.get(node, node) in kept]
    summary = Summary(drawn, home, level)
    if len(drawn) < len(nodes):
        summary.left_out = sum(map(is_value, nodes)) - sum(map(is_value, drawn))
    return summary


def _close(places: Mapping[Node, Path], level: int) -> dict[Node, Group]:
    """The group of each node whose scope is closed from `level` on."""
    groups: dict[Path, Group] = {}
    home: dict[Node, Group] = {}
    for node, path in places.items():
        if len(path) >= level:
            path = path[:level]
            if path not in groups:
                groups[path] = Group(path)
            home[node] = groups[path]
    return home


def _nearest(root: Node, nodes: Sequence[Node], home: Mapping[Node, Group], most: int) -> set[Part]:
    """The parts of `nodes` that are the fewest steps away from `root`."""
    members: dict[Part, list[Node]] = {}
    for node in nodes:
        members.setdefault(home.get(node, node), []).append(node)
    found: list[Part] = [root]
    seen: set[Part] = {root}
    for part in found:
        if len(found) >= most:
            break
        for node in members[part]:
            for arg in arguments_of(node):
                other = home.get(arg, arg)
                if other in members and other not in seen:
                    seen.add(other)
                    found.append(other)
    return set(found[:most])


def _by_visit(home: dict[Node, Group], numbers: Mapping[Node, tuple[int, int]]) -> dict[Node, Group]:
    """`home` with a group of its own for each visit to a scope that is entered again."""
    keys = dict.fromkeys((home[node], *visit) for node, visit in numbers.items())
    groups = {key: Group(key[0].path, *key[1:]) for key in keys}
    return home | {node: groups[home[node], *visit] for node, visit in numbers.items()}


def visits(
    items: Sequence[_Item],
    arguments: Callable[[_Item], Iterable[_Item]],
    home: Mapping[_Item, Hashable],
) -> dict[_Item, tuple[int, int]]:
    """The number of the visit, and how many there are, for items of groups that depend on themselves.

    `items` are in topological order; those without a `home` are alone. If a group depends on itself through
    what is outside of it, each uninterrupted run of it becomes a visit, so no cycle is left.
    """
    if not _returns(items, home):
        return {}
    before: dict[Hashable, list[Hashable]] = {home.get(item, item): [] for item in items}
    for item in items:
        key = home.get(item, item)
        for arg in arguments(item):
            other = home.get(arg, arg)
            if other != key and other in before:
                before[key].append(other)
    cyclic = _without_ends(_without_ends(before))
    numbers: dict[_Item, int] = {}
    runs: Counter[Hashable] = Counter()
    last: Hashable = None
    for item in items:
        key = home.get(item, item)
        if key in cyclic:
            runs[key] += key != last
            last = key
            numbers[item] = runs[key]
    return {item: (number, runs[home[item]]) for item, number in numbers.items() if item in home}


def _returns(items: Iterable[_Item], home: Mapping[_Item, Hashable]) -> bool:
    """Whether a group comes again after other items; if none does, none can depend on itself."""
    met: set[Hashable] = set()
    last: Hashable = None
    for item in items:
        key = home.get(item)
        if key != last:
            if key in met:
                return True
            if key is not None:
                met.add(key)
            last = key
    return False


def _without_ends(before: Mapping[Hashable, list[Hashable]]) -> dict[Hashable, list[Hashable]]:
    """What is left after removing, again and again, all that has nothing before it; arrows turned round."""
    after: dict[Hashable, list[Hashable]] = {key: [] for key in before}
    for key, others in before.items():
        for other in others:
            after[other].append(key)
    waiting = {key: len(others) for key, others in before.items()}
    ready = [key for key, count in waiting.items() if not count]
    for key in ready:
        for other in after.pop(key):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return after


def _in_order(arguments: Mapping[Part, Sequence[Part]]) -> list[Part]:
    """The parts, arguments first, and otherwise in the order in which they are given."""
    parts = list(arguments)
    place = {part: i for i, part in enumerate(parts)}
    users: dict[Part, list[Part]] = {part: [] for part in parts}
    for part, args in arguments.items():
        for arg in args:
            users[arg].append(part)
    waiting = {part: len(args) for part, args in arguments.items()}
    ready = [place[part] for part in parts if not waiting[part]]
    result: list[Part] = []
    while ready:
        part = parts[heapq.heappop(ready)]
        result.append(part)
        for user in users[part]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, place[user])
    return result
