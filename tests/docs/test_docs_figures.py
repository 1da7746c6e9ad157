"""No figure in the README or on a page that neither a command prints nor a test holds.

A figure is a time, a share, a factor, or a number of more than one digit in the prose, which may be an old
measurement. Each must be listed here, with the reason why it is not one, or with what holds it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import PAGES, ROOT, noted

from docs.benchmarks_page.questions import QUESTIONS

#: Pages that a script writes as a whole, which tests of their own hold.
WRITTEN = {
    "docs/benchmarks_scientists.md": "tests/benchmarks/scientists.py",
    "docs/reference/calibration.md": "docs/calibration.py",
    "docs/reference/diagnoses.md": "docs/diagnoses.py",
    "docs/reference/engine_coverage.md": "docs/coverage.py",
    "docs/reference/jax_primitives.md": "docs/jax_primitives.py",
    "docs/reference/proofs.md": "docs/proofs.py",
    "docs/reference/search.md": "docs/search.py",
    "docs/reference/torch_coverage.md": "docs/torch_coverage.py",
    "docs/reference/verdicts.md": "docs/verdicts.py",
    "docs/troubleshooting.md": "docs/troubleshooting.py",
}

#: Between marks of these names the benchmarks write, on their page and nowhere else.
BENCHMARKS = sorted([*(question.name for question in QUESTIONS), "aims", "summary"])

_UNIT = r"(?:%|percent\b|times\b|×|ns\b|µs\b|us\b|ms\b|s\b|seconds?\b|minutes?\b|hours?\b|[kMG]i?B\b)"
_SHARE = r"(?:half|third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|hundredth)"
_SPELLED = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|fifty|hundred|thousand)"

#: What is, or may be, a measurement.
MEASURED = (
    rf"\d[\d.,]*\s?{_UNIT}"  # a time, a percentage, a factor
    r"|\d[\d.,]* (?:out )?of (?:the |all |all the |them )?\d[\d.,]*"  # x of y
    rf"|\b{_SHARE} (?:of|as|less|more|the|an?)\b|\b{_SPELLED} {_SHARE}s\b"
    rf"|\bpercent\b|\btwice as\b|\b{_SPELLED}[- ](?:times|percent|milliseconds?|seconds?|minutes?|hours?)\b"
)
#: A count, and no exponent.
COUNT = r"|(?<![\w.^-])\d[\d,]*\d\b(?:\.\d+)*|(?<![\w.])\d+\.\d+"

FIGURE = re.compile(MEASURED + COUNT)

#: Pages on which numbers are calculated with, step by step: there a count is the reader's, and the sessions
#: between the sentences print it.
WORKED = {
    "docs/tutorial/backpropagation.md": re.compile(MEASURED),
    # Its counts are versions and closed forms, which a test of tests/third_party runs and compares.
    "docs/bugs_found.md": re.compile(MEASURED),
}

#: A version is not a figure, whatever its package.
VERSION_OF = re.compile(
    r"\b(?:Python|NumPy|SciPy|scipy|torch|JAX|jax|pytest|Hypothesis|SARIF)(?: before| since| from)?"
    r" \(?\d+(?:\.\d+)*\b"
)


class Known(NamedTuple):
    """Words of a page in which a figure may stand, why, and the line of the sources that makes them true."""

    page: str
    words: str
    why: str
    source: tuple[str, str] | None = None


YEAR = "a year"
ARITHMETIC = "mathematics, for the reader to follow"
EXAMPLE = "what the block next to it says, whose output is compared"
SETTING = "a constant of the code"
HELD = "a test of this name asserts it"

#: The most calls of kernels on trial, right and wrong.
RIGHT_ON_TRIAL = "RIGHT = {torch.float64: (16, 6), torch.float32: (24, 6), torch.bfloat16: (24, 8)}"
WRONG_ON_TRIAL = "WRONG = {torch.float64: (100, 20), torch.float32: (100, 20), torch.bfloat16: (200, 50)}"
HALF_ON_TRIAL = (
    "tests/core/test_few_calls_in_half.py",
    "RIGHT, HALF_ALONE, WRONG = (24, 8), (120, 8), (250, 45)",
)

KNOWN = [
    Known("docs/tutorial/backpropagation.md", "four times as far as a", ARITHMETIC),
    Known("README.md", "off by 42 % here", EXAMPLE),  # see below
    Known(
        "README.md",
        "at −1.0001 | 1.528126 | 1.525215 |",
        HELD,
        ("tests/third_party/test_outside_gpytorch.py", "1.528126   1.525215"),
    ),
    Known(
        "README.md",
        "| 0 | 0.134273 |",
        HELD,
        ("tests/third_party/test_outside_botorch.py", "φ(h) φ(k) = 0.134273"),
    ),
    Known(
        "README.md",
        "| 0.8416667 | 0.8414710 |",
        HELD,
        ("tests/third_party/test_outside_pypose.py", "sin(1) = 0.8414710"),
    ),
    Known(
        "docs/howto/gpu_kernel.md",
        "float64 | 16",
        HELD,
        ("tests/kernels_on_trial/trials.py", RIGHT_ON_TRIAL),
    ),
    Known(
        "docs/howto/gpu_kernel.md",
        "float32 | 24",
        HELD,
        ("tests/kernels_on_trial/trials.py", RIGHT_ON_TRIAL),
    ),
    Known(
        "docs/howto/gpu_kernel.md",
        "bfloat16 | 24 | 8",
        HELD,
        ("tests/kernels_on_trial/trials.py", RIGHT_ON_TRIAL),
    ),
    Known(
        "docs/howto/gpu_kernel.md",
        "or float32 | 100 | 20",
        HELD,
        ("tests/kernels_on_trial/trials.py", WRONG_ON_TRIAL),
    ),
    Known(
        "docs/howto/gpu_kernel.md",
        "bfloat16 | 200 | 50",
        HELD,
        ("tests/kernels_on_trial/trials.py", WRONG_ON_TRIAL),
    ),
    Known(
        "CHANGELOG.md",
        "takes up to 16 calls if it is right (24 in float32",
        HELD,
        ("tests/core/test_few_calls.py", "RIGHT = {torch.float64: (16, 6), torch.float32: (24, 6)}"),
    ),
    Known(
        "CHANGELOG.md",
        "to 100 to name a wrong entry",
        HELD,
        ("tests/kernels_on_trial/trials.py", WRONG_ON_TRIAL),
    ),
    Known(
        "CHANGELOG.md",
        "or ten times as long as a passing test",
        HELD,
        ("pytest_gradcheck/plugin/search.py", "PASSING_TESTS = 60.0, 10.0"),
    ),
    Known(
        "docs/explanation/verdicts.md",
        "up to 16 calls in this way (24 in\nfloat32)",
        HELD,
        ("tests/core/test_few_calls.py", "RIGHT = {torch.float64: (16, 6), torch.float32: (24, 6)}"),
    ),
    Known(
        "docs/explanation/verdicts.md",
        "wrong one up to 100",
        HELD,
        ("tests/kernels_on_trial/trials.py", WRONG_ON_TRIAL),
    ),
    Known(
        "CHANGELOG.md",
        "(250 in half precision)",
        HELD,
        HALF_ON_TRIAL,
    ),
    Known(
        "docs/explanation/verdicts.md",
        "one more\npass with 1.25 times the cotangent",
        SETTING,
        ("pytest_gradcheck/core/evidence/few_calls.py", "GRID, MULTIPLE = 16.0, 1.25"),
    ),
    Known(
        "docs/explanation/verdicts.md",
        "window three times as wide",
        SETTING,
        ("pytest_gradcheck/methods/windows.py", "HALF = Few(3 * WIDTH, "),
    ),
    Known(
        "docs/explanation/verdicts.md",
        "takes up to 120",
        HELD,
        HALF_ON_TRIAL,
    ),
    Known(
        "CHANGELOG.md",
        "adds 25 digits to a failure",
        SETTING,
        ("pytest_gradcheck/methods/exact.py", "DIGITS = 25"),
    ),
    Known("docs/explanation/proofs.md", "Computers 66, 2017", YEAR),
    Known("docs/explanation/proofs.md", "At 30 all but three digits", EXAMPLE),
    Known("docs/explanation/proofs.md", "5 % off is not", EXAMPLE),
    Known("docs/explanation/proofs.md", "is 0.1000000000000000055…", ARITHMETIC),
    Known(
        "docs/explanation/proofs.md",
        "200,000 numbers",
        SETTING,
        ("reference_engine/balls/replay.py", "MOST_NUMBERS = 200_000"),
    ),
    Known(
        "docs/explanation/proofs.md",
        "2,000,000 derivatives",
        SETTING,
        ("reference_engine/balls/replay.py", "MOST_SLOPES = 2_000_000"),
    ),
    Known(
        "docs/howto/adjoint_solver.md",
        "up to 16 calls",
        HELD,
        ("tests/core/test_few_calls.py", "RIGHT = {torch.float64: (16, 6), torch.float32: (24, 6)}"),
    ),
    Known(
        "docs/howto/adjoint_solver.md",
        "promised error of 0.1 %",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "SENSITIVITY = 1e-3"),
    ),
    Known(
        "docs/howto/residual_jacobian.md",
        "more than 128 numbers",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "ENTRYWISE = 128"),
    ),
    Known("CHANGELOG.md", "-0.0, ties", ARITHMETIC),
    Known("CHANGELOG.md", "zeroed or 1 % off", HELD, ("tests/core/test_location.py", '"1 % off"')),
    Known(
        "CHANGELOG.md",
        "up to 128 inputs",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "ENTRYWISE = 128"),
    ),
    Known(
        "docs/explanation/inconclusive.md",
        "more than half of its",
        SETTING,
        ("pytest_gradcheck/records/inconclusive.py", "2 * count > examples"),
    ),
    Known(
        "docs/architecture.md",
        "Up to 256 inputs",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "CLEAR = 256"),
    ),
    Known(
        "docs/architecture.md",
        "most 128 inputs",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "ENTRYWISE = 128"),
    ),
    Known(
        "docs/architecture.md",
        "within 16 of its\n  own measured bars and within 64 roundings",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "NOISE_BARS = 16.0"),
    ),
    Known("docs/explanation/error_bars.md", "Parker 1997", YEAR),
    Known("docs/explanation/error_bars.md", "Moré and Wild 2011", YEAR),
    Known("docs/explanation/kinks.md", "Clarke 1983", YEAR),
    Known("docs/explanation/special_points.md", "0 times inf", ARITHMETIC),
    Known("docs/explanation/torch_gradients.md", "gets half of it", EXAMPLE),
    Known("docs/explanation/torch_gradients.md", "twice as wide", EXAMPLE),
    Known("docs/explanation/verdicts.md", "one percent wrong", EXAMPLE),
    Known("docs/howto/gate_ci.md", "its 600 seconds", EXAMPLE, ("docs/howto/gate_ci.md", "max-seconds=600")),
    Known("docs/howto/hard_inputs.md", "-0.0", ARITHMETIC),
    Known(
        "docs/howto/hard_inputs.md",
        "Up to 64",
        SETTING,
        ("pytest_gradcheck/strategies/values.py", "INDIVIDUAL = 64"),
    ),
    Known("docs/howto/hard_inputs.md", "array of 10,000 entries", "a size; the benchmarks have its time"),
    Known(
        "docs/reference/pytest.md",
        "10 by default",
        SETTING,
        ("pytest_gradcheck/records/thresholds.py", "FACTOR = 10.0"),
    ),
    Known(
        "docs/reference/pytest.md",
        "at most 20 |",
        SETTING,
        ("pytest_gradcheck/plugin/hypothesis_settings.py", "QUICK_EXAMPLES = 20"),
    ),
    Known("docs/reference/pytest.md", "100 by default", "Hypothesis's own"),
    Known(
        "docs/reference/pytest.md",
        "5 times the number",
        SETTING,
        ("pytest_gradcheck/plugin/hypothesis_settings.py", "THOROUGH_FACTOR = 5"),
    ),
    Known(
        "docs/reference/pytest.md",
        "at most 128",
        SETTING,
        ("pytest_gradcheck/core/thresholds.py", "ENTRYWISE = 128"),
    ),
    Known(
        "docs/reference/pytest.md",
        "up to 0.01 count",
        SETTING,
        ("pytest_gradcheck/records/gate.py", "NEAR = 0.01"),
    ),
    Known(
        "docs/reference/pytest.md",
        "count as 0.01",
        SETTING,
        ("pytest_gradcheck/records/gate.py", "NEAR = 0.01"),
    ),
]


def prose(text):
    """What is left of a page without code, comments, what a command writes, and code in a line."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    names = "|".join(BENCHMARKS)
    text = re.sub(rf"<!-- ({names}): begin -->.*?<!-- \1: end -->", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`]*`", "", text)


def unknown(text, known, figure=FIGURE):
    """The figures of a page that stand in none of the known words, each with its line."""
    spans = [m.span() for words in known for m in re.finditer(re.escape(words), text)]
    spans += [m.span() for m in VERSION_OF.finditer(text)]
    return [
        f"{m[0]!r} in {line_of(text, m.start())!r}"
        for m in figure.finditer(text)
        if not any(start <= m.start() and m.end() <= end for start, end in spans)
    ]


def named(page):
    return str(page.relative_to(ROOT))


def line_of(text, at):
    return text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()


@pytest.mark.parametrize(
    "said",
    [
        "takes 3 ms",
        "in 0.5 s,",
        "some 20 seconds",
        "a hundred times faster",
        "7 times the size",
        "1.5 to 1.8 times as long",
        "twice as long",
        "takes fifty minutes",
        "3 % of all",
        "two percent of it",
        "a tenth of the time",
        "half a minute",
        "a third less",
        "half as long",
        "two thirds of them",
        "7 of 9 operators",
        "7 out of the 9",
        "475 operators",
        "12,013 checks",
        "needs 3 MB",
        "1.5 of it",
    ],
)
def test_a_figure_is_seen(said):
    assert unknown(f"A check {said} now.", [])


@given(
    st.integers(2, 10**7), st.sampled_from([" %", " s", " ms", " times", " of 12", "× as fast", " percent"])
)
def test_a_figure_is_seen_whatever_its_number(number, unit):
    for written in (f"{number}", f"{number:,}"):
        assert unknown(f"Ours takes {written}{unit} here.", []), written


@pytest.mark.parametrize(
    "said",
    [
        "5 steps",
        "float64",
        "3 inputs, then 4",
        "x = 2 s_1",
        "1e-6 of it",
        "at 3 + 4i",
        "int32[3]",
        "f(2) is 9",
    ],
)
def test_other_numbers_are_none(said):
    assert not unknown(said, [])


def test_known_words_excuse_a_figure_inside_of_them_and_no_other():
    assert not unknown("Up to 64 entries.", ["Up to 64"])
    assert len(unknown("Up to 64 entries in 64 ms.", ["Up to 64"])) == 1
    assert unknown("Up to 640 entries.", ["Up to 64"])


def test_figures_between_marks_and_in_code_are_not_looked_at():
    written = "<!-- engine: begin -->\n4 ms\n<!-- engine: end -->"
    text = f"a 3 ms\n{written}\n```sh\nsleep 5 s\n```\n`6 s` <!-- 7 s -->"
    assert FIGURE.findall(prose(text)) == ["3 ms"]


@pytest.mark.parametrize("page", sorted(set(map(named, PAGES)) - set(WRITTEN)))
def test_every_figure_is_printed_by_a_command_or_known(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    known = [one.words for one in KNOWN if one.page == page]
    assert unknown(prose(text), known, WORKED.get(page, FIGURE)) == []
    # What is no longer said excuses nothing.
    assert [words for words in known if words not in prose(text)] == []


@pytest.mark.parametrize("known", [k for k in KNOWN if k.source], ids=lambda k: f"{k.page}-{k.words[:20]!r}")
def test_what_a_figure_is_said_to_come_from_is_there(known):
    path, line = known.source
    assert line in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: f"{k.page}-{k.words[:20]!r}")
def test_no_words_are_known_that_have_no_figure(known):
    assert WORKED.get(known.page, FIGURE).search(known.words)


def test_pages_with_known_figures_exist():
    assert {known.page for known in KNOWN} <= set(map(named, PAGES)) - set(WRITTEN)


def test_the_pages_that_scripts_write_name_them():
    said = {
        named(page): found[1]
        for page in PAGES
        if (found := re.match(r"<!-- Written by ([\w/.]+)[ ,:]", page.read_text(encoding="utf-8")))
    }
    assert said == WRITTEN
    for page, script in WRITTEN.items():
        assert f'"{page}"' in (ROOT / script).read_text(encoding="utf-8")


def test_only_the_page_of_benchmarks_has_a_place_for_their_figures():
    begun = {
        named(page): re.findall(r"<!-- (\w+): begin -->", page.read_text(encoding="utf-8")) for page in PAGES
    }
    assert {page: sorted(names) for page, names in begun.items() if names} == {
        "docs/benchmarks.md": BENCHMARKS
    }


def test_the_readme_says_how_far_off_its_example_is():
    page = ROOT / "README.md"
    message, said = noted(page, "message"), page.read_text(encoding="utf-8")
    percent = int(re.search(r"off by (\d+) % here", said)[1])
    right, wrong = (float(re.search(rf"{name} +(-?\d\.\d+)", message)[1]) for name in ("reference", "torch"))
    assert round(100 * abs(wrong / right - 1)) == percent
