"""Where the marker may stand, and what becomes of each argument."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS


def test_correct_gradients_pass_and_a_wrong_one_fails(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=vectors, gradient=right)
        def test_right(x):
            return (x * x).sum()

        @pytest.mark.gradcheck(x=vectors, gradient=wrong)
        def test_wrong(x):
            return (x * x).sum()
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: test_wrong", "*culprit:*user"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_gradient_by_hand_has_the_constants_that_it_names(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.fixture
        def scale():
            return 3.0

        def slope(x, power, scale):
            return scale * power * x ** (power - 1)

        def pulled_back(power, x, cotangent):
            return power * x ** (power - 1) * cotangent

        @pytest.mark.parametrize("power", [2, 3])
        class TestPowers:
            @pytest.mark.gradcheck(x=vectors, gradient=slope)
            def test_sum(self, x, power, scale):
                return scale * (x**power).sum()

            @pytest.mark.gradcheck(x=vectors, vjp=pulled_back)
            def test_each(self, power, x):
                return x**power

        @pytest.mark.parametrize("dtype", ["no matter"])
        @pytest.mark.gradcheck(x=numbers, gradient=np.cos)
        def test_of_a_ufunc(x, dtype):
            return np.sin(x)

        @pytest.mark.parametrize("power", [2])
        @pytest.mark.gradcheck(x=vectors, gradient=lambda x, power: power * x)
        def test_wrong(x, power):
            return (x**power).sum() + x.sum()
        """
    )
    project.run().assert_outcomes(passed=5, failed=1)


@pytest.mark.parametrize(
    "source",
    [
        """
        class TestIt:
            @pytest.mark.gradcheck(x=numbers, gradient=wrong)
            def test_a(self, x):
                return x * x
        """,
        """
        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        class TestIt:
            def test_a(self, x):
                assert isinstance(self, TestIt)
                return x * x
        """,
        """
        pytestmark = pytest.mark.gradcheck(x=numbers, gradient=wrong)

        def test_a(x):
            return x * x
        """,
        """
        class TestIt:
            @staticmethod
            @pytest.mark.gradcheck(x=numbers, gradient=wrong)
            def test_a(x):
                return x * x
        """,
        """
        class TestIt:
            @classmethod
            @pytest.mark.gradcheck(x=numbers, gradient=wrong)
            def test_a(cls, x):
                assert cls is TestIt
                return x * x
        """,
        """
        @pytest.mark.gradcheck(gradient=wrong)
        class TestIt:
            @pytest.mark.gradcheck(x=numbers)
            def test_a(self, x):
                return x * x
        """,
        """
        @pytest.mark.gradcheck(inputs={"x": numbers}, gradient=wrong)
        def test_a(x):
            return x * x
        """,
    ],
    ids=["method", "class", "module", "static", "classmethod", "merged", "inputs"],
)
def test_the_wrong_gradient_is_found_wherever_the_marker_stands(project: Any, source: str) -> None:
    project.write(test_it=source)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: *test_a"])


def test_the_closest_marker_wins_key_by_key(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(gradient=wrong, x=numbers, name="class")
        class TestIt:
            @pytest.mark.gradcheck(gradient=right)
            def test_a(self, x):
                return x * x
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=1)
    assert [c["name"] for c in project.report()["checks"]] == ["class"]


def test_fixtures_and_parameters_are_constants(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.fixture
        def scale(tmp_path):
            assert tmp_path.exists()
            return 3.0

        @pytest.fixture(params=[1.0, 2.0])
        def factor(request):
            return request.param

        @pytest.mark.parametrize("power", [2, 3])
        @pytest.mark.gradcheck(x=numbers)
        def test_a(power: int, x, scale: float, factor, left: float = 7.0):
            assert left == 7.0
            return factor * scale * x**power
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=4)
    checks = project.report()["checks"]
    assert {c["nodeid"] for c in checks} == {
        f"test_it.py::test_a[{factor}-{power}]" for factor in ("1.0", "2.0") for power in ("2", "3")
    }


def test_parameters_from_a_generate_tests_hook_are_constants(project: Any) -> None:
    project.write(
        test_it="""
        def pytest_generate_tests(metafunc):
            if "power" in metafunc.fixturenames:
                metafunc.parametrize("power", [2, 3])

        @pytest.mark.gradcheck(x=numbers)
        def test_a(x, power):
            return x**power
        """
    )
    project.run().assert_outcomes(passed=2)


def test_inputs_come_from_annotations(project: Any) -> None:
    project.write(
        test_it="""
        seen = []

        @pytest.mark.gradcheck
        def test_a(x: float, v: np.ndarray):
            seen.append((type(x), type(v)))
            return (x * v).sum()

        def test_seen():
            assert (float, np.ndarray) in seen
        """
    )
    project.run().assert_outcomes(passed=2)


def test_a_strategy_beats_fixture_and_annotation(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.fixture
        def x():
            raise AssertionError("the strategy is closer")

        @pytest.mark.gradcheck(x=numbers, gradient=lambda x: 2 * x)
        def test_a(x: np.ndarray):
            assert not isinstance(x, np.ndarray) or x.ndim == 0
            return x * x
        """
    )
    project.run().assert_outcomes(passed=1)


def test_inputs_keep_the_order_of_the_signature(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(b=numbers, a=st.floats(3, 4), gradient=lambda a, b: (2 * a * b, a * a))
        def test_a(a, b):
            return a * a * b
        """
    )
    project.run().assert_outcomes(passed=1)


def test_inherited_and_imported_tests_have_their_own_markers(project: Any) -> None:
    project.write(
        test_base="""
        class Base:
            def test_a(self, x):
                return x * x

        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        class TestWrong(Base):
            pass

        @pytest.mark.gradcheck(x=numbers, gradient=right)
        class TestRight(TestWrong):
            pass
        """,
        test_import="""
        from test_base import TestRight

        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        class TestAgain(TestRight):
            pass
        """,
    )
    result = project.run("--gradcheck-report=report.json")
    result.assert_outcomes(passed=2, failed=2)
    assert {c["nodeid"]: c["verdict"] for c in project.report()["checks"]} == {
        "test_base.py::TestWrong::test_a": "fail",
        "test_base.py::TestRight::test_a": "pass",
        "test_import.py::TestRight::test_a": "pass",
        "test_import.py::TestAgain::test_a": "fail",
    }


def test_a_parameter_set_can_change_options(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.parametrize("p", [1, pytest.param(2, marks=pytest.mark.gradcheck(gradient=wrong))])
        @pytest.mark.gradcheck(x=numbers, gradient=right)
        def test_a(p, x):
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)


def test_the_domain_of_a_strategy_is_respected(project: Any) -> None:
    project.write(
        test_it="""
        from pytest_gradcheck import arrays

        seen = []

        def body(x):
            if type(x) is np.ndarray:
                seen.extend(x.tolist())
            return (x * x).sum()

        @pytest.mark.gradcheck(x=arrays(2, min_value=0, max_value=1))
        @example(x=np.array([0.0, 1.0]))
        def test_marker(x):
            return body(x)

        @pytest.mark.gradcheck
        @given(x=arrays(2, min_value=0, max_value=1))
        @example(x=np.array([0.0, 1.0]))
        def test_given(x):
            return body(x)

        @pytest.mark.gradcheck(x=arrays(2, min_value=0, max_value=1), domain={"x": (-9, 9)})
        @example(x=np.array([0.0, 1.0]))
        def test_domain(x):
            return body(x)

        @pytest.fixture(autouse=True)
        def bounds(request):
            seen.clear()
            yield
            assert (min(seen) < 0) == (max(seen) > 1) == (request.function.__name__ == "test_domain")
        """
    )
    project.run().assert_outcomes(passed=3)


def test_what_a_module_holds_beside_tests_is_asked_for_nothing(project: Any) -> None:
    """Proxies such as flask's current_app raise outside of where they are at home."""
    project.write(
        test_it="""
        class Proxy:
            def __getattr__(self, name):
                raise RuntimeError(f"{name} outside of an application")

        class Pretending:
            @property
            def __class__(self):
                raise RuntimeError("outside of an application")

        class Attributes(dict):
            __getattr__ = dict.__getitem__

        proxy, pretending, attributes = Proxy(), Pretending(), Attributes()

        class TestHere:
            proxy, pretending, attributes = proxy, pretending, attributes

            @pytest.mark.gradcheck(x=numbers)
            def test_a(self, x):
                return x * x
        """
    )
    project.run().assert_outcomes(passed=1)


def test_torch_tensors(project: Any) -> None:
    pytest.importorskip("torch", reason="the function under test is written with torch")
    project.write(
        test_it="""
        import torch
        from pytest_gradcheck import tensors

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                return g * ctx.saved_tensors[0]

        @pytest.mark.gradcheck(x=tensors((2,), min_value=1, max_value=2))
        def test_right(x):
            return torch.sin(x)

        @pytest.mark.gradcheck(x=tensors((2,), min_value=1, max_value=2))
        def test_wrong(x):
            return Square.apply(x)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: test_wrong", "*culprit:*torch"])


def test_marked_tests_in_worker_processes(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers)
        @pytest.mark.parametrize("p", [1, 2, 3])
        def test_a(x, p):
            return x**p

        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        def test_wrong(x):
            return x * x
        """
    )
    result = project.run(workers=2)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: test_wrong"])


@pytest.mark.parametrize("decorated", ["by_position", "by_anything"])
def test_a_decorated_body_is_called_as_its_own_code_allows(project: Any, decorated: str) -> None:
    """The signature is the decorated function's, and no parameter of the wrapper has a name of it."""
    project.write(
        test_it=f"""
        import functools

        def by_position(test):
            @functools.wraps(test)
            def wrapper(*args):
                return test(*args)
            return wrapper

        def by_anything(test):
            @functools.wraps(test)
            def wrapper(*args, **kwargs):
                return test(*args, **kwargs)
            return wrapper

        @pytest.mark.gradcheck(x=vectors, y=vectors)
        @{decorated}
        def test_product(x, y):
            return (x * y).sum()
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 gradient check: 1 passed"])


@pytest.mark.parametrize("workers", WORKERS)
def test_a_mark_on_a_class_or_module_leaves_plain_tests_alone(project: Any, workers: int) -> None:
    project.write(
        test_class="""
        @pytest.mark.gradcheck(x=vectors, gradient=wrong)
        class TestIt:
            def test_drawn(self, x):
                return x @ x

            def test_plain(self):
                pass

            @staticmethod
            def test_static(tmp_path):
                assert tmp_path.is_dir()

            @pytest.mark.parametrize("k", [1, 2])
            def test_parametrized(self, k, request):
                assert k < 3

            async def helper(self):
                pass
        """,
        test_module="""
        pytestmark = pytest.mark.gradcheck

        def test_drawn(x: float):
            return x**2

        def test_plain():
            pass

        def test_fails():
            assert False
        """,
    )
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.assert_outcomes(passed=6, failed=2)
    checked = {c["nodeid"]: c["verdict"] for c in project.report()["checks"]}
    assert checked == {"test_class.py::TestIt::test_drawn": "fail", "test_module.py::test_drawn": "pass"}


def test_what_a_mark_on_a_class_or_module_cannot_mean_names_where_it_is(project: Any) -> None:
    project.write(
        test_class="""
        @pytest.mark.gradcheck(x=vectors)
        class TestIt:
            def test_other(self, y):
                return y @ y

            def test_plain(self):
                pass
        """,
        test_module="""
        pytestmark = pytest.mark.gradcheck(z=vectors)

        def test_other(y: float):
            return y**2
        """,
        test_own="""
        @pytest.mark.gradcheck
        def test_it():
            return 0.0
        """,
    )
    result = project.run()
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "*TestIt::test_other: x: got a strategy for a parameter that *(the mark is that of class TestIt)",
            "*::test_other: z: got a strategy for *(the mark is that of module test_module.py)",
            "*test_it: gradcheck: got a test without inputs; give it a parameter *",
        ]
    )


def test_a_mark_that_comes_to_a_plain_test_too_late_is_still_refused(project: Any) -> None:
    project.pytester.makeconftest(
        """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        item.parent.add_marker(pytest.mark.gradcheck)
"""
    )
    project.write(test_it="def test_plain():\n    pass\n")
    result = project.run()
    assert result.ret != 0
    assert "a mark that came after collection" in result.stdout.str() + result.stderr.str()
