"""What is recorded, in parts that run in processes of their own."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.comparison.recorder import ROOT, Recorder, of_record

__all__ = ["FEW", "PARTS", "run"]

#: Of the 48 parts of the operators: those whose backwards are broken, those of them whose output is scaled
#: too, those that are checked in directional mode, and those that run on the reference engine.
BROKEN = range(0, 48, 3)
SCALED = (0, 24)
ALONG = (0, 24)
ENGINE = range(0, 48, 4)

#: Files of tests whose checks are recorded, wherever they are in the tree.
TESTS = (
    "test_batched.py",
    "test_causes.py",
    "test_complex_step.py",
    "test_domain.py",
    "test_engine_alone.py",
    "test_false_alarms.py",
    "test_hard_functions.py",
    "test_location.py",
    "test_message.py",
    "test_not_implemented.py",
    "test_properties.py",
    "test_stop_gradients.py",
    "test_torch_is_wrong.py",
    "test_unavailable.py",
    "test_user.py",
    "test_vanishing.py",
    "test_verdicts.py",
    "test_wrong_backwards.py",
    "test_wrong_functions.py",
    "test_wrong_use.py",
)

#: How many cases of a part are run by ``--few``, to try the script out.
FEW = 3


def run(name: str, recorder: Recorder, *, few: bool = False) -> None:
    """Run one part, all of it or its first few cases."""
    np.random.seed(0)
    with warnings.catch_warnings():
        # torch's samples exercise its own deprecations.
        warnings.simplefilter("ignore")
        for where, case in itertools.islice(PARTS[name](recorder), FEW if few else None):
            try:
                case()
            except Exception as error:
                recorder.failed(where, error)


Cases = Iterator[tuple[str, Callable[[], Any]]]


# ---------------------------------------------------------------------- torch's operators


def _right(dtype: str) -> Callable[[Recorder], Cases]:
    def cases(recorder: Recorder) -> Cases:
        from docs.coverage_page.torch_sweep import OPERATORS
        from docs.verdicts_page import sweep

        def case(name: str) -> None:
            start = sweep.problem(name, sweep.DTYPES[dtype])
            if start is not None:
                recorder.attempt(f"{dtype}/{name}", start.fn, start.inputs, name=name)

        for name in sorted(OPERATORS):
            yield f"{dtype}/{name}", partial(case, name)

    return cases


def _broken(recorder: Recorder) -> Cases:
    from docs.verdicts_page import sweep

    def case(where: str, name: str, dtype: str, scale: str) -> None:
        checkers, scales = {"ours": _checker(recorder)}, {scale: sweep.SCALES[scale]}
        _by_fault(recorder, where, lambda: sweep.on_broken(name, dtype, checkers, scales))

    for part in BROKEN:
        for name in sweep.names_of_part(part):
            for dtype in sweep.DTYPES:
                for scale in sweep.SCALES if part in SCALED else ("1",):
                    where = f"{name}/{dtype}, output times {scale}"
                    yield where, partial(case, where, name, dtype, scale)


def _directional(recorder: Recorder) -> Cases:
    from docs.verdicts_page import sweep

    vars(sweep)["DIRECTIONAL"] = {"ours": _checker(recorder, mode="directional")}
    for part in ALONG:
        for name in sweep.names_of_part(part):
            for dtype in sweep.DTYPES:
                where = f"{name}/{dtype}"
                yield where, partial(_by_fault, recorder, where, partial(sweep.on_directional, name, dtype))


def _checker(recorder: Recorder, **options: Any) -> Callable[..., str]:
    """A checker for the sweeps, which records; its letter only says that it ran."""

    def check(fn: Any, inputs: Any) -> str:
        # An exception is recorded as well.
        with contextlib.suppress(Exception):
            recorder.check(fn, tuple(inputs), **options)
        return "c"

    return check


def _by_fault(recorder: Recorder, where: str, run: Callable[[], Any]) -> None:
    """Name the checks of one operator by fault. A dash in the letters is a fault that changes nothing."""
    from docs.verdicts_page import sweep

    recorder.at(where)
    before = list(recorder.entries)
    found = run()
    ran = [recorder.entries.pop(key) for key in list(recorder.entries)[len(before) :]]
    letters = found[0].letters[0] if found else ""
    kinds = [kind for kind, letter in zip(("right", *sweep.FAULTS), letters, strict=False) if letter != "-"]
    for kind, entry in zip(kinds, ran, strict=True):
        recorder.entries[f"{where}: {kind}"] = entry


def _engine(recorder: Recorder) -> Cases:
    """Each operator on the reference engine, as on the page of its coverage."""
    from docs.coverage_page import torch_sweep
    from docs.verdicts_page import sweep

    def case(name: str) -> None:
        found = torch_sweep.outcome(name)
        recorder.entries[name] = {
            "error": None,
            "verdict": "fail" if found.findings else "pass",
            "labels": ["random"] * found.random,
            "compared": [found.samples, found.first, found.second],
            "message": "\n".join(f"{f.stage} of sample {f.sample}: {f.text}" for f in found.findings),
            "cpu": None,
        }

    for part in ENGINE:
        for name in sweep.names_of_part(part):
            yield name, partial(case, name)


# ---------------------------------------------------------------------- planted faults


def _diagnoses(recorder: Recorder) -> Cases:
    from docs.diagnoses import SECTIONS

    for title, _, faults in SECTIONS:
        for fault in faults:
            where = f"{title}: {fault.what}"
            options = {"order": fault.order, **fault.by_hand}
            yield where, partial(recorder.attempt, where, fault.function, fault.inputs, **options)


def _named(recorder: Recorder) -> Cases:
    """Each of the public FAULTS in functions of torch and of NumPy, at both orders."""
    import torch

    from pytest_gradcheck.testing import FAULTS, corrupt

    rows = torch.linspace(-1.5, 2.0, 9, dtype=torch.float64).reshape(3, 3)
    functions: dict[str, tuple[Any, Any]] = {
        "torch": (lambda x, y: (x.sin() * y).cumsum(0), (rows, rows.exp())),
        "torch in float32": (lambda x, y: (x.sin() * y).cumsum(0), (rows.float(), rows.exp().float())),
        "NumPy": (lambda x, y: np.tanh(x @ y), (rows.numpy(), rows.exp().numpy())),
        "NumPy, a scalar": (lambda x: (np.exp(x) * x).sum(), rows.numpy()[0]),
    }
    for what, (function, inputs) in functions.items():
        for fault in FAULTS:
            for order in (1, 2):
                where = f"{fault} in {what}, order {order}"
                wrong = corrupt(function, fault)
                yield where, partial(recorder.attempt, where, wrong, inputs, order=order)


def _places(recorder: Recorder) -> Cases:
    """The faults at special places: at the first special point that shows each, and at a random one."""
    from docs.search_page.planted import PLANTED

    def case(planted: Any) -> None:
        rng = np.random.default_rng(0)
        ordinary = {name: given.random(rng, planted.library) for name, given in planted.inputs.items()}
        points = {"an ordinary point": ordinary}
        for what, change in _special(planted.library):
            point = _showing(planted, ordinary, change)
            if point is not None:
                points[what] = point
                break
        by_hand = planted.gradient is not None
        options = {"gradient": planted.gradient} if by_hand else {}
        for what, point in points.items():
            for order in (1,) if by_hand else (1, 2):
                where = f"{planted.name}, {planted.what}, {what}, order {order}"
                recorder.attempt(where, planted.function, tuple(point.values()), order=order, **options)

    for planted in PLANTED:
        yield planted.name, partial(case, planted)


Change = Callable[[Any, Any], Any]
"""From an input of a planted fault, with its bounds, and an ordinary value of it to a special one."""


def _showing(planted: Any, ordinary: dict[str, Any], change: Change) -> dict[str, Any] | None:
    """A special point at which the gradient is wrong, or None."""
    try:
        point = {name: change(given, ordinary[name]) for name, given in planted.inputs.items()}
        return point if planted.is_wrong_at(point) else None
    except Exception:
        # The function takes no inputs of this shape, dtype or layout.
        return None


def _special(library: str) -> Iterator[tuple[str, Change]]:
    """What is special, from the plain to the odd."""
    import torch

    for value in (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, 1e-7, 1e-30, 200.0, 2000.0, 1e6):
        yield f"one entry {value}", _of_numbers(partial(_with_first, value=value))
        yield f"all entries {value}", _of_numbers(partial(np.full_like, fill_value=value))
    yield "two equal entries", _of_numbers(lambda x: _with_first(x, x.flat[-1]))
    yield "equal rows", _of_numbers(lambda x: np.broadcast_to(x[:1], x.shape))
    yield "negative", _of_numbers(lambda x: -np.abs(x))
    yield "positive", _of_numbers(np.abs)
    yield "whole numbers", _of_numbers(np.round)
    yield "repeated indices", lambda given, x: x if given.into is None else 0 * x
    if library == "numpy":
        yield "in Fortran order", lambda given, x: np.asfortranarray(x)
        yield "strided", lambda given, x: np.repeat(x, 2, axis=-1)[..., ::2]
        yield "reversed", lambda given, x: x[..., ::-1]
    else:
        yield "transposed in memory", lambda given, x: x.mT.contiguous().mT
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            yield str(dtype), partial(_in_dtype, dtype=dtype)
        yield "no dimension", lambda given, x: x.reshape(-1)[0]
    yield "a single row", lambda given, x: x[:1]
    yield "a single column", lambda given, x: x[..., :1]
    yield "a square", lambda given, x: x[:3, :3]


def _of_numbers(values: Callable[[np.ndarray[Any, Any]], Any]) -> Change:
    """A change of the numbers alone, within the bounds."""

    def change(given: Any, x: Any) -> Any:
        import torch

        if given.into is not None:
            # Indices stay as they are: a special number is not one of them.
            return x
        changed = np.clip(values(np.array(x, dtype=np.float64)), given.low, given.high)
        if isinstance(x, torch.Tensor):
            return torch.from_numpy(np.asarray(changed)).to(x.dtype)
        return np.asarray(changed, dtype=x.dtype)

    return change


def _with_first(x: np.ndarray[Any, Any], value: float) -> np.ndarray[Any, Any]:
    x.flat[0] = value
    return x


def _in_dtype(given: Any, x: Any, dtype: Any) -> Any:
    return x if given.into is not None else x.to(dtype)


# ---------------------------------------------------------------------- options, tests, marked tests


def _options(recorder: Recorder) -> Cases:
    from tests.comparison.options import cases

    for each in cases():
        yield each.name, partial(recorder.attempt, each.name, each.function, each.inputs, **each.options)


class _ByTest:
    """A pytest plugin that names the checks after the test that runs them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._recorder.at(_tail(item.nodeid))


def _tail(nodeid: str) -> str:
    """A nodeid without the folders of its file, which may move."""
    path, colons, rest = nodeid.partition("::")
    return path.rpartition("/")[2] + colons + rest


def _found(name: str) -> Path:
    paths = sorted((ROOT / "tests").rglob(name))
    if len(paths) != 1:
        raise LookupError(f"{name}: {len(paths)} files of that name in {ROOT / 'tests'}")
    return paths[0]


def _tests(recorder: Recorder) -> Cases:
    """The checks that tests make, in the tests themselves, run by pytest in this process."""

    def case(name: str) -> None:
        before = len(recorder.entries)
        # The package is imported already, so pytest could not rewrite its assertions, and would warn of it.
        status = pytest.main([*_FLAGS, "--assert=plain", str(_found(name))], plugins=[_ByTest(recorder)])
        if status != 0 or len(recorder.entries) == before:
            checks = len(recorder.entries) - before
            print(f"{name}: pytest ended with {status!r} after {checks} checks", file=sys.stderr)

    for name in TESTS:
        yield name, partial(case, name)


_FLAGS = ("-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}")


def _marked(recorder: Recorder) -> Cases:
    """What marked tests report: searches with a fixed seed, which fail at a shrunk example."""

    def case(what: str, files: list[Path], *flags: str, **environment: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            # The examples that Hypothesis saves would be met again by the next run.
            env = os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": folder} | environment
            command = [sys.executable, "-m", "pytest", *_FLAGS, "-m", "sweep or not sweep", *flags]
            done = subprocess.run(
                [*command, f"--gradcheck-report={report}", *map(str, files)],
                cwd=ROOT,
                env=env,
                capture_output=True,
                text=True,
            )
            if not report.exists():
                raise RuntimeError(
                    f"{what}: no report was written\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
                )
            for check in json.loads(report.read_text(encoding="utf-8"))["checks"]:
                recorder.entries[f"{what}/{_tail(check['nodeid'])}: {check['name']}"] = of_record(check, None)

    seeded = ("--hypothesis-seed=0", "--gradcheck-profile=quick")
    examples = sorted((ROOT / "docs/examples").glob("test_*.py"))
    yield "examples", partial(case, "examples", examples, PLANT_FAULT="1")
    yield "places", partial(case, "places", [_found("marked_faults.py")], *seeded)
    yield "right", partial(case, "right", [_found("test_right_functions.py")], *seeded)


PARTS: dict[str, Callable[[Recorder], Cases]] = {
    "right-float64": _right("float64"),
    "right-float32": _right("float32"),
    "broken": _broken,
    "directional": _directional,
    "engine": _engine,
    "diagnoses": _diagnoses,
    "named": _named,
    "places": _places,
    "options": _options,
    "tests": _tests,
    "marked": _marked,
}
