"""Commands and settings on the pages that no reader runs at home: workflows, flags, ini keys, packages."""

from __future__ import annotations

import re
import shlex
import tomllib

import following
import pytest
from pages import PAGES, ROOT, blocks, noted

from pytest_gradcheck import __main__ as command_line

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the test extra installs")

GUIDE = ROOT / "docs/howto/gate_ci.md"


def named(page):
    return str(page.relative_to(ROOT))


def workflows():
    """The workflows of the guide by the name of their file."""
    found = {}
    for block in blocks(GUIDE):
        if block.language == "yaml":
            found[following.FILE.fullmatch(block.note)["name"]] = yaml.safe_load(block.text)
    return found


def jobs(workflow):
    """Name -> commands of every job, GitHub's or GitLab's."""
    if "jobs" in workflow:
        return {
            name: [step["run"] for step in job["steps"] if "run" in step]
            for name, job in workflow["jobs"].items()
        }
    return {name: job["script"] for name, job in workflow.items() if isinstance(job, dict)}


def commands():
    """Every command on every page, with the page."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                yield from ((page, line) for line in block.text.splitlines() if line.strip())
    for workflow in workflows().values():
        yield from ((GUIDE, line) for lines in jobs(workflow).values() for line in lines)


def option_names(pytestconfig):
    groups = [*pytestconfig._parser._groups, pytestconfig._parser._anonymous]
    return {flag for group in groups for option in group.options for flag in option.names()}


def test_every_workflow_is_complete():
    found = workflows()
    assert set(found) == {".github/workflows/gradients.yml", ".github/workflows/night.yml", ".gitlab-ci.yml"}
    for name, workflow in found.items():
        assert jobs(workflow), name
        if name.startswith(".github"):
            # YAML takes the key `on` for true.
            assert workflow.keys() <= {"name", True, "permissions", "jobs"}
            assert workflow["permissions"]["contents"] == "read"
            for job in workflow["jobs"].values():
                assert job.keys() <= {"runs-on", "needs", "if", "strategy", "steps"}
                for step in job["steps"]:
                    assert len({"uses", "run"} & step.keys()) == 1
                    assert step.keys() <= {"uses", "run", "with", "if"}


def test_every_flag_of_pytest_exists(pytestconfig):
    known = option_names(pytestconfig)
    seen = set()
    for page, line in commands():
        for one in re.split(r"&&|;", line):
            words = [word for word in shlex.split(one, comments=True) if "=" not in word.partition("-")[0]]
            if words and re.search(r"(^|/)pytest$", words[0]):
                flags = {word.partition("=")[0] for word in words if word.startswith("-")}
                assert flags <= known, f"{named(page)}: {one}"
                seen |= flags
    assert {"--gradcheck-report", "--gradcheck-baseline", "--hypothesis-profile", "--junitxml"} <= seen


def test_every_command_of_ours_is_understood():
    count = 0
    for page, line in commands():
        words = shlex.split(line, comments=True)
        if words[:3] == ["python", "-m", "pytest_gradcheck"]:
            count += 1
            try:
                command_line._parser().parse_args(words[3:])
            except SystemExit:
                pytest.fail(f"{named(page)}: {line}")
    assert count >= 5


def test_every_package_to_be_installed_is_ours_or_a_file_here():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    for page, line in commands():
        for one in re.findall(r"pip install ([^&;]+)", line):
            words = iter(shlex.split(one, comments=True))
            for word in words:
                if word == "-c":
                    assert (ROOT / next(words)).exists(), f"{named(page)}: {line}"
                elif word not in ("-e", "nox", "openmdao", "pylops", "wheels/*.whl", *following.PACKAGES):
                    found = re.fullmatch(r"(?:pytest-gradcheck|\.)(?:\[([\w,-]+)\])?", word)
                    assert found, f"{named(page)}: {line}"
                    assert set((found[1] or "").split(",")) - {""} <= extras, f"{named(page)}: {line}"


def test_every_ini_key_is_known(pytestconfig):
    known = set(pytestconfig._parser._inidict)
    tables = [
        tomllib.loads(block.text)["tool"]["pytest"]["ini_options"]
        for page in PAGES
        for block in blocks(page)
        if block.language == "toml"
    ]
    assert tables
    for table in tables:
        assert table.keys() <= known


# ---------------------------------------------------------------------------- the workflows, run here


def written(line, values):
    """A command with the values that the service would put in."""
    line = re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda m: values[m[1]], line)
    return re.sub(r"\$(\w+)", lambda m: values[m[1]], line)


def project(folder):
    for block in blocks(GUIDE):
        found = following.FILE.fullmatch(block.note)
        if found:
            path = folder / found["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def run(command, reader):
    words = shlex.split(command)
    if words[0] == "test":
        assert words[2] == "="
        return int(words[1] != words[3]), ""
    files = [found for word in words if "*" in word for found in reader.path.glob(word)]
    words = [word for word in words if "*" not in word or not files]
    if files:
        words[4:4] = [str(found.relative_to(reader.path)) for found in files]
    return reader.run(words)


def test_the_workflow_of_github_is_green_and_then_red(reader):
    project(reader.path)
    workflow = workflows()[".github/workflows/gradients.yml"]
    steps = jobs(workflow)
    summary = reader.path / "summary.md"

    def whole():
        statuses = []
        for index, part in enumerate(workflow["jobs"]["check"]["strategy"]["matrix"]["part"]):
            for line in steps["check"]:
                status, _ = run(written(line, {"matrix.part": part}), reader)
            shard = reader.path / f"report-{index}"
            shard.mkdir(exist_ok=True)
            (reader.path / "report.json").rename(shard / "report.json")
            statuses.append(status)
        result = "failure" if any(statuses) else "success"
        values = {"GITHUB_STEP_SUMMARY": str(summary), "needs.check.result": result}
        return [run(written(line, values), reader)[0] for line in steps["gate"]]

    assert whole() == [0, 0, 0, 0, 0, 0]
    ops = reader.path / "mypkg/ops.py"
    ops.write_text(
        ops.read_text(encoding="utf-8").replace("grad_output * 2 * x", "grad_output * x"), encoding="utf-8"
    )
    assert whole() == [0, 1, 0, 0, 0, 1]
    assert "wrong gradient: test_square" in summary.read_text(encoding="utf-8")
    for name in ("gradients.html", "gradients.sarif"):
        assert "test_square" in (reader.path / name).read_text(encoding="utf-8")


def test_the_workflow_of_the_readme_is_green_and_then_red(reader):
    readme = ROOT / "README.md"
    (block,) = [block for block in blocks(readme) if block.language == "yaml"]
    workflow = yaml.safe_load(block.text)
    ((install, check),) = jobs(workflow).values()
    assert install == "pip install wheels/*.whl"
    summary = reader.path / "summary.md"
    check = written(check, {"GITHUB_STEP_SUMMARY": str(summary)})
    right = noted(readme, "file: test_numpy.py")
    test = reader.path / "test_numpy.py"
    for code, status in ((right, 0), (right.replace("-np.sin", "np.sin"), 1)):
        test.write_text(code, encoding="utf-8")
        assert run(check, reader)[0] == status
    assert "wrong gradient: test_energy" in summary.read_text(encoding="utf-8")


def test_the_workflow_of_gitlab_is_green(reader):
    project(reader.path)
    workflow = workflows()[".gitlab-ci.yml"]
    (matrix,) = workflow["check"]["parallel"]["matrix"]
    for index, part in enumerate(matrix["PART"], 1):
        for line in workflow["check"]["script"]:
            values = {"PART": part, "CI_NODE_INDEX": str(index)}
            status, said = run(written(line, values), reader)
            assert status == 0, said
    assert "gradcheck.verdict" in (reader.path / "junit.xml").read_text(encoding="utf-8")
    for line in workflow["gate"]["script"]:
        status, said = run(line, reader)
        assert status == 0, said
    assert (reader.path / "gradients.html").exists()


def test_the_night_finds_and_the_desk_has_its_database(reader):
    project(reader.path)
    (line,) = [one for one in jobs(workflows()[".github/workflows/night.yml"])["search"] if "pytest " in one]
    ops = reader.path / "mypkg/ops.py"
    ops.write_text(
        ops.read_text(encoding="utf-8").replace("grad_output * 2 * x", "grad_output * x"), encoding="utf-8"
    )
    # The search ends with the first failure. On a busy machine half a second may leave it one example.
    line = line.replace("--gradcheck-max-seconds=600", "--gradcheck-max-seconds=60")
    status, _ = run(f"{line} tests/test_square.py", reader)
    assert status == 1
    assert list((reader.path / ".hypothesis/examples").iterdir())
