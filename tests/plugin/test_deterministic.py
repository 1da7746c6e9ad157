"""A seed decides what is drawn, whatever else is loaded; --gradcheck-deterministic takes the test's own."""

from __future__ import annotations

from typing import Any

import hypothesis
import hypothesis.internal.conjecture.providers as providers
import pytest

from pytest_gradcheck.plugin import reproducible_draws

SOURCE = """
import os
from pytest_gradcheck import arrays

def note(*values):
    with open(os.environ["SEEN"], "a") as file:
        print(*(np.asarray(v).tobytes().hex() for v in values), file=file)

@pytest.mark.gradcheck(x=st.floats(0.5, 1e9), methods=("central", "user"), gradient=right)
def test_floats(x):
    if type(x) is float:
        note(x)
    return x * x

@pytest.mark.gradcheck(x=arrays((2, 3)), methods=("central", "user"), gradient=right)
def test_arrays(x):
    note(x)
    return (x * x).sum()

@given(x=st.integers(0, 10**9), s=st.binary(min_size=2, max_size=2))
def test_fixture(gradcheck, x, s):
    note(x, list(s))
    gradcheck(lambda y: y * y, float(x), gradient=right, methods=("central", "user"))
"""

#: Constants of every kind, which Hypothesis would draw once a module with them is loaded.
FLOATS = [k + 0.123 for k in range(40)]
INTEGERS = [k * 1009 + 777 for k in range(40)]
BYTES = [bytes([k, 255 - k])[:size] for k in range(250) for size in (1, 2)]


def drawn(project: Any, *args: str, derandomize: bool = True, **how: Any) -> list[list[str]]:
    """What the tests drew, sorted, so nothing depends on the order in which they ran."""
    project.conftest(
        f"""
        import os
        if "OTHER" in os.environ:
            import other
        settings.register_profile("this", max_examples=15, database=None, derandomize={derandomize})
        settings.load_profile("this")
        """
    )
    project.write(test_it=SOURCE)
    seen = project.path / "seen"
    seen.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEN", str(seen))
        project.run(*args, **how).assert_outcomes(passed=3)
    return sorted(line.split() for line in seen.read_text().splitlines())


@pytest.fixture
def constants_of_another_module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function after which Hypothesis has met a module full of constants."""

    def load() -> None:
        found = providers.Constants(integers=set(INTEGERS), floats=set(FLOATS), bytes=set(BYTES))
        monkeypatch.setattr(providers, "_local_constants", providers._local_constants | found)
        providers.CONSTANTS_CACHE.cache.clear()

    yield load
    providers.CONSTANTS_CACHE.cache.clear()


def test_other_modules_and_processes_change_nothing(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.pytester.makepyfile(other=f"CONSTANTS = {[*FLOATS, *INTEGERS, *BYTES]}")
    alone = drawn(project)
    assert len({tuple(line) for line in alone}) > 30
    monkeypatch.setenv("OTHER", "1")
    assert drawn(project, workers=2) == alone


def test_nor_do_they_under_a_seed(project: Any, constants_of_another_module: Any) -> None:
    flag = "--hypothesis-seed=3"
    alone = drawn(project, flag, derandomize=False)
    constants_of_another_module()
    reverse = ["test_it.py::test_fixture", "test_it.py::test_arrays", "test_it.py::test_floats"]
    assert drawn(project, flag, *reverse, derandomize=False) == alone
    assert drawn(project, "--hypothesis-seed=4", derandomize=False) != alone


def test_the_flag_and_the_ini_key_repeat_a_run(project: Any, constants_of_another_module: Any) -> None:
    first = drawn(project, "--gradcheck-deterministic", derandomize=False)
    assert drawn(project, derandomize=False) != first
    constants_of_another_module()
    project.pytester.makeini("[pytest]\ngradcheck_deterministic = true\n")
    assert drawn(project, derandomize=False) == first
    assert drawn(project, "--hypothesis-seed=3", derandomize=False) != first


def test_other_tests_keep_the_constants(project: Any, constants_of_another_module: Any) -> None:
    """What is left out for a marked test comes back after it, also when it fails."""
    constants_of_another_module()
    project.write(
        test_it=f"""
        @pytest.mark.gradcheck(x=numbers, gradient=wrong, methods=("central", "user"))
        def test_marked(x):
            return x * x

        def test_plain():
            found = []

            @settings(max_examples=300)
            @given(st.floats(0, 50))
            def draw(x):
                found.append(x)

            draw()
            assert set(found) & set({FLOATS})
        """
    )
    project.run().assert_outcomes(passed=1, failed=1)


def test_the_installed_hypothesis_has_what_is_replaced() -> None:
    """The names are private: this fails first if a release has renamed them."""
    with reproducible_draws.by_seed_alone():
        drawn_from = providers._get_local_constants()
    assert isinstance(drawn_from, providers.Constants)
    assert len(drawn_from) == 0, (
        f"Hypothesis {hypothesis.__version__} collects the constants of local modules unlike "
        f"{reproducible_draws.__name__} expects, and examples depend on which modules are loaded"
    )


@pytest.mark.parametrize("module", ["hypothesis.no_such_module", "hypothesis"])
def test_versions_without_constants_are_left_as_they_are(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproducible_draws, "_PROVIDERS", module)
    before = providers._get_local_constants
    with reproducible_draws.by_seed_alone():
        assert providers._get_local_constants is before


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("_get_local_constants", None),
        ("_get_local_constants", 3),
        ("_get_local_constants", lambda modules: modules),
        ("Constants", None),
        ("Constants", 3),
        ("Constants", type("Constants", (), {"__init__": lambda self, more: None})),
        ("CONSTANTS_CACHE", None),
        ("CONSTANTS_CACHE", {}),
    ],
)
def test_nothing_is_replaced_in_another_release(
    name: str, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if other is None:
        monkeypatch.delattr(providers, name)
    else:
        monkeypatch.setattr(providers, name, other)
    before = dict(vars(providers))
    with reproducible_draws.by_seed_alone():
        assert vars(providers) == before
