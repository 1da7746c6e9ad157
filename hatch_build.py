"""Write addresses into the metadata of a build: the project's links, and the README with absolute ones.

The README of the repository has relative links, which work in every clone. A package index shows the README
alone, so a build makes them absolute. The one address is in `[tool.hatch.metadata.hooks.custom]`.
"""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

README = "README.md"

# The target of a Markdown link or image: no scheme, and no anchor of the same page.
_TARGET = re.compile(
    r"(?P<picture>!?)(?P<text>\[(?:[^\[\]]|\[[^\[\]]*\])*\])\((?P<path>(?![a-z][a-z0-9+.-]*:|#)[^()\s]+)\)"
)
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def absolute(text: str, repository: str, tag: str) -> str:
    """Return Markdown whose relative links lead to the files of one tag; blocks of code stay as they are."""

    def link(found: re.Match[str]) -> str:
        kind = "raw" if found["picture"] else "blob"
        return f"{found['picture']}{found['text']}({repository}/{kind}/{tag}/{found['path']})"

    parts = _FENCED.split(text)
    return "".join(part if number % 2 else _TARGET.sub(link, part) for number, part in enumerate(parts))


def urls(repository: str) -> dict[str, str]:
    """Return the links that a package index shows next to the README."""
    return {
        "Homepage": repository,
        "Documentation": f"{repository}/blob/main/docs/index.md",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
        "Source": repository,
    }


class Addresses(MetadataHookInterface):
    """The dynamic fields `readme` and `urls`."""

    def update(self, metadata: dict[str, object]) -> None:
        """Fill both from the address of the repository."""
        repository = self.config["repository"].rstrip("/")
        text = Path(self.root, README).read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, repository, f"v{metadata['version']}"),
        }
        metadata["urls"] = urls(repository)
