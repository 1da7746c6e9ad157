"""What a package index shows: the README with absolute links, addresses, and one version."""

from __future__ import annotations

import email
import re
import tomllib
import zipfile

import pytest
from pages import ROOT

import pytest_gradcheck

pytest.importorskip("hatchling", reason="needs hatchling, which the test extra installs")

import hatch_build

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
VERSION = pytest_gradcheck.__version__


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_string(archive.read(name).decode())


def test_the_index_can_show_it(metadata):
    assert metadata["Name"] == "pytest-gradcheck"
    assert metadata["Version"] == VERSION
    assert len(metadata["Summary"]) < 120
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"].startswith("text/markdown")
    assert {"Framework :: Pytest", "Typing :: Typed"} <= set(metadata.get_all("Classifier"))
    assert {"pytest", "jax", "numpy"} <= set(metadata["Keywords"].split(","))
    links = dict(one.split(", ") for one in metadata.get_all("Project-URL"))
    assert set(links) == {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    assert all(link.startswith(REPOSITORY) for link in links.values())


def test_every_link_of_the_readme_is_absolute(metadata):
    text = re.sub(r"^```.*?^```$", "", metadata.get_payload(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 10
    assert all(target.startswith("https://") for target in targets)
    inside = [target for target in targets if target.startswith(REPOSITORY)]
    assert f"{REPOSITORY}/raw/v{VERSION}/docs/images/report.png" in inside
    for target in inside:
        assert (ROOT / target.split(f"/v{VERSION}/")[1].partition("#")[0]).exists(), target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](docs/a.md#b)", "[a](R/blob/T/docs/a.md#b)"),
        ("![a b](docs/a.png)", "![a b](R/raw/T/docs/a.png)"),
        ("[`x[0]`](A.md), [b](B.md)", "[`x[0]`](R/blob/T/A.md), [b](R/blob/T/B.md)"),
        ("[a](https://a.org/b), [b](mailto:c@d.e), [c](#d)", None),
        ("[1]: https://a.org", None),
        ("```python\nf[0](x)\n```", None),
    ],
)
def test_links_become_absolute(text, expected):
    assert hatch_build.absolute(text, "R", "T") == (expected or text)


def test_the_citation_is_of_this_version():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the test extra installs")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == VERSION
    assert citation["title"] == PROJECT["project"]["name"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert [one["name"] for one in citation["authors"]] == [
        one["name"] for one in PROJECT["project"]["authors"]
    ]


def test_the_host_of_the_documentation_builds_what_ci_builds():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the test extra installs")
    host = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text(encoding="utf-8"))
    assert host["sphinx"] == {"configuration": "docs/conf.py", "fail_on_warning": True}
    (install,) = host["python"]["install"]
    assert install == {"method": "pip", "path": ".", "extra_requirements": ["docs"]}
