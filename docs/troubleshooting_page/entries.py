"""What the page of messages has: code that provokes each message, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

POINT = "torch.ones(3, dtype=torch.float64)"


@dataclass(frozen=True)
class Entry:
    """One message: how it comes about, and what it means."""

    title: str
    answer: str
    #: A module with one test, `test_it`; what several of these import is there already.
    code: str = ""
    #: A wrong flag in its place.
    flag: str = ""
    #: How many of the message's lines are shown.
    lines: int = 1
    #: Whether the message comes when the module is collected.
    collecting: bool = False

    @property
    def test(self) -> str:
        """The name of the test, and of its module, where all of them run together."""
        return "_".join(["test", *re.findall(r"\w+", self.title.lower())])

    def shown(self, message: str) -> str:
        """Return the lines of a message that the page shows, with `test_it` as the name of the test."""
        lines = message.replace(self.test, "test_it").splitlines()
        raised = [line.removeprefix("E ").strip() for line in lines if line.startswith("E ")]
        return "\n".join(line.rstrip() for line in (raised or lines)[: self.lines])


def marked(marker: str, body: str, names: str = "x") -> str:
    """Return a marked test."""
    return f"@pytest.mark.gradcheck({marker})\ndef test_it({names}):\n    {body}\n"


def calling(call: str) -> str:
    """Return a test that calls the fixture."""
    return f"def test_it(gradcheck):\n    {call}\n"


GROUPS = {
    "Before anything runs": [
        Entry(
            "An argument has no strategy",
            "The marker does not say what to draw for this argument. Give a strategy by the argument's name, "
            "annotate the argument, or define a fixture of that name. See [](reference/pytest.md).",
            marked("", "return x"),
            collecting=True,
        ),
        Entry(
            "A strategy for an argument that the test does not have",
            "The name in the marker is misspelled, or the argument is missing from the test's signature.",
            marked("x=arrays(3), y=arrays(3)", "return x"),
            collecting=True,
        ),
        Entry(
            "Unknown type of a report",
            "The ending of the path decides the type. For a file with another ending write `json:PATH`, "
            "`html:PATH`, `markdown:PATH` or `sarif:PATH`.",
            flag="--gradcheck-report=report.txt",
        ),
    ],
    "The call is wrong": [
        Entry(
            "Inputs that are not in a tuple",
            "Put several inputs into a tuple: `gradcheck(f, (a, b))`.",
            calling("gradcheck(lambda a, b: a * b, 1.0, 2.0)"),
        ),
        Entry(
            "eps, of another checker",
            "Steps are chosen by the error that they leave, so there is no `eps`. `step=` fixes one.",
            calling("gradcheck(np.sin, np.ones(3), eps=1e-6)"),
        ),
        Entry(
            "The test returns nothing",
            "The body of a marked test is the function under test. End it with `return`.",
            marked("x=arrays(3)", "np.sum(x)"),
        ),
        Entry(
            "Integers have no derivative",
            "Pass floats: `np.arange(3.0)`, or `x.astype(float)`. An index may stay an integer if another "
            "input has a derivative.",
            calling("gradcheck(lambda x: x * 2, np.arange(3))"),
        ),
        Entry(
            "The gradient has another shape",
            "A gradient has the shape of its input. The Jacobian of a function with several outputs goes "
            "into `jacobian=`.",
            marked("x=arrays(3), gradient=lambda x: np.ones(2)", "return np.sum(x)"),
        ),
        Entry(
            "The gradient takes other arguments",
            "`gradient=` is called with all inputs, by name where its parameters have these names, and else "
            "in their order.",
            marked("x=arrays(3), y=arrays(3), gradient=lambda x: x", "return np.sum(x * y)", "x, y"),
        ),
        Entry(
            "NumPy arrays next to tensors",
            "Make the array a tensor with `torch.as_tensor`, draw it with `tensors(...)`, or leave it out "
            "with `wrt=`.",
            calling(f"gradcheck(lambda x, y: (x * y).sum(), ({POINT}, np.ones(3)))"),
        ),
        Entry(
            "The fixture is never called",
            "A test that takes `gradcheck` and never calls it checks nothing, so it fails. Call it, or "
            "remove the argument.",
            calling("pass"),
        ),
    ],
    "Code that leaves the graph": [
        Entry(
            "math.sin in place of np.sin",
            "The functions of `math` see a bare number. Write the function with NumPy, or give your own "
            "gradient with `gradient=`, which is then compared with differences.",
            calling("gradcheck(lambda x: math.sin(x), 0.5)"),
            lines=2,
        ),
        Entry(
            "Tensor.numpy inside of a torch function",
            "Autograd cannot follow a value through NumPy or `.item()`. Use torch's functions, or write an "
            "`autograd.Function`.",
            calling(f"gradcheck(lambda x: torch.tensor(np.sin(x.detach().numpy())), {POINT})"),
            lines=2,
        ),
        Entry(
            "detach stops the gradient",
            'Remove the `detach`, or pass `stop_gradients="intended"` if it is deliberate. What it detaches '
            "is then a constant.",
            calling(f"gradcheck(lambda x: (x.detach() * x).sum(), {POINT})"),
            lines=2,
        ),
        Entry(
            "A JAX function of NumPy arrays",
            'Draw JAX arrays with `arrays(..., library="jax")`, or pass `jnp.asarray(x)`.',
            calling("gradcheck(lambda x: jnp.sum(jnp.sin(x)), np.ones(3))"),
            lines=2,
        ),
    ],
    "No verdict": [
        Entry(
            "The function is random",
            "Draw from the global state of NumPy or torch, which every call gets anew, or from a seed inside "
            "of the function. [](explanation/inconclusive.md#state) is about functions that keep a state.",
            "GENERATOR = np.random.default_rng(0)\n\n\n"
            + marked("x=arrays(3)", "return np.sum(x) + GENERATOR.normal()"),
            lines=2,
        ),
        Entry(
            "The value is not finite",
            "Bound the inputs to where the function is defined: `arrays(3, min_value=1e-3)` for a logarithm.",
            marked("x=arrays(3, max_value=-1)", "return np.log(x)"),
            lines=2,
        ),
        Entry(
            "The value depends on no input",
            "The body does not use its arguments, or uses them only in a comparison. Nothing was checked, so "
            "the test fails.",
            marked("x=arrays(3)", "return np.ones(3)"),
        ),
    ],
}
