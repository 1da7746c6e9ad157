"""Wrong uses of the marker are reported at collection, with the argument and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

CASES = {
    "misspelt option": (
        "@pytest.mark.gradcheck(x=numbers, ordr=2)\ndef test_a(x): return x",
        "*test_it.py::test_a: ordr: got 2; did you mean 'order'? *",
    ),
    "positional": (
        "@pytest.mark.gradcheck(numbers, 3)\ndef test_a(x): return x",
        "*test_it.py::test_a: gradcheck: got the positional argument *; give strategies and options *",
    ),
    "no such parameter": (
        "@pytest.mark.gradcheck(xs=numbers, x=numbers)\ndef test_a(x): return x",
        "*test_a: xs: got a strategy for a parameter that does not exist; did you mean 'x'? *",
    ),
    "no strategy": (
        "@pytest.mark.gradcheck(x=3.0)\ndef test_a(x): return x",
        "*test_a: x: got 3.0; give a strategy, such as hypothesis.strategies.just(3.0)*",
    ),
    "unsupplied": (
        "@pytest.mark.gradcheck(x=numbers)\ndef test_a(x, y): return x",
        "*test_a: y: got no strategy, annotation, fixture or parametrize; write gradcheck(y=arrays(...))*",
    ),
    "nothing supplied": (
        "@pytest.mark.gradcheck\ndef test_a(x): return x",
        "*test_a: x: got no strategy, annotation, fixture or parametrize; write gradcheck(x=arrays(...))*",
    ),
    "annotation": (
        "@pytest.mark.gradcheck\ndef test_a(x: complex | bytes): return x",
        "*test_a: x: got *bytes*; *",
    ),
    "unresolvable annotation": (
        "@pytest.mark.gradcheck\ndef test_a(x: 'nowhere.Tensor'): return x",
        "*test_a: annotations: got NameError: *nowhere*; import the names at run time too*",
    ),
    "no inputs": (
        "@pytest.mark.gradcheck\ndef test_a(tmp_path): return 1.0",
        "*test_a: gradcheck: got a test without inputs; give it a parameter *",
    ),
    "unittest method": (
        "import unittest\nclass TestA(unittest.TestCase):\n    @pytest.mark.gradcheck\n"
        "    def test_a(self): pass",
        "*test_it.py::TestA::test_a: gradcheck: got a method of unittest.TestCase*assert_gradients*",
    ),
    "unittest class": (
        "import unittest\n@pytest.mark.gradcheck\nclass TestA(unittest.TestCase):\n"
        "    def test_a(self): pass",
        "*test_it.py::TestA::test_a: gradcheck: got a method of unittest.TestCase*",
    ),
    "async": (
        "@pytest.mark.gradcheck(x=numbers)\nasync def test_a(x): return x",
        "*test_a: test_a: got an async function; the function under test must be a plain one*",
    ),
    "async given": (
        "@pytest.mark.gradcheck\n@given(x=numbers)\nasync def test_a(x): return x",
        "*test_a: test_a: got an async function; *",
    ),
    "generator": (
        "@pytest.mark.gradcheck(x=numbers)\ndef test_a(x): yield x",
        "*test_a: test_a: got a generator function; return the value instead of yielding it*",
    ),
    "option's value": (
        "@pytest.mark.gradcheck(x=numbers, rtol=float('nan'))\ndef test_a(x): return x",
        "*test_a: rtol: got nan; *",
    ),
    "method's name": (
        "@pytest.mark.gradcheck(x=numbers, methods=['centrall'])\ndef test_a(x): return x",
        "*test_a: methods: got 'centrall'; did you mean 'central'?*",
    ),
    "inputs": (
        "@pytest.mark.gradcheck(inputs=[numbers])\ndef test_a(x): return x",
        "*test_a: inputs: got *; give a dict of strategies by parameter*",
    ),
    "strategy for an option": (
        "@pytest.mark.gradcheck(step=numbers)\ndef test_a(step): return step",
        "*test_a: step: got a strategy for an option; write inputs={'step': ...}*",
    ),
    "strategy and parametrize": (
        "@pytest.mark.gradcheck(x=numbers)\n@pytest.mark.parametrize('x,y', [(1, 2)])\n"
        "def test_a(x, y): return x",
        "*test_a: x: got both a strategy and parametrize; keep one of them*",
    ),
    "strategy and given": (
        "@pytest.mark.gradcheck(x=numbers)\n@given(x=numbers)\ndef test_a(x): return x",
        "*test_a: x: got a strategy in addition to the test's own @given; put it there*",
    ),
    "positional-only": (
        "@pytest.mark.gradcheck(x=numbers)\ndef test_a(x, /): return x",
        "*test_a: x: got a positional-only parameter; remove the '/'*",
    ),
    "parameter set alone": (
        "@pytest.mark.parametrize('p', [pytest.param(1, marks=pytest.mark.gradcheck)])\n"
        "def test_a(p): return p",
        "*test_a*: gradcheck: got a mark that came after collection, from a parameter set*",
    ),
    "strategy in a parameter set": (
        "@pytest.mark.parametrize('p', [pytest.param(1, marks=pytest.mark.gradcheck(x=numbers))])\n"
        "@pytest.mark.gradcheck(x=st.floats(3, 4))\ndef test_a(p, x): return x",
        "*test_a*: gradcheck: got 'x' from a parameter set, which can change options only*",
    ),
}


@pytest.mark.parametrize(("source", "message"), CASES.values(), ids=CASES)
def test_wrong_use_is_an_error_at_collection(project: Any, source: str, message: str) -> None:
    project.write(test_it=source)
    result = project.run()
    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
    lines = result.outlines + result.errlines
    assert not any("site-packages" in line or "collect.py" in line for line in lines), "a traceback"
    pytest.LineMatcher(lines).fnmatch_lines([message])


def test_a_marker_added_by_a_hook_is_refused(project: Any) -> None:
    project.conftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.gradcheck)
        """
    )
    project.write(test_it="def test_a(): pass")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_a: gradcheck: got a mark that came after collection*"])


def test_interactive_draws_are_refused(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck
        @given(x=numbers, data=st.data())
        def test_a(x, data):
            return x * data.draw(numbers)
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["data: got st.data(); the body runs many times for one example *"])
