"""MkDocs hook: pages and tables that srbench itself writes, so that no page says what the code does not.

A line ``<!-- generated: NAME -->`` in a page becomes the output of one of :data:`GENERATED`. Every command of
the command line gets a page, with a text of ours above its options where ``commands/NAME.md`` has one.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import commands
import parts
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "build" / "docs-sources"
"""The package laid out as it is when installed, for readers that do not run it."""

GENERATED = {
    "attacks": parts.attacks.cards,
    "corruptions": parts.attacks.corruptions,
    "attack classes": parts.attacks.classes,
    "datasets": parts.sets.cards,
    "defences": parts.defences.listing,
    "degradations": parts.training.degradations,
    "examples": lambda: parts.examples.listing(ROOT / "examples"),
    "metrics": parts.protocols.metrics,
    "models": parts.models.cards,
    "protocols": parts.protocols.settings,
    "recipes": parts.training.recipes,
}


def on_startup(command: str, dirty: bool) -> None:
    """Lay the package out: static readers cannot follow setuptools' mapping of attacks/ and zoo/."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shutil.rmtree(SOURCES, ignore_errors=True)
    # The whole before its parts, which become its subpackages.
    for package, folder in sorted(project["tool"]["setuptools"]["package-dir"].items()):
        shutil.copytree(
            ROOT / folder,
            SOURCES / package.replace(".", "/"),
            ignore=lambda place, names: [
                name for name in names if not (Path(place) / name).is_dir() and not name.endswith(".py")
            ],
            dirs_exist_ok=True,
        )


def on_config(config: Any) -> None:
    """List the pages of the commands in the navigation."""
    for entry in config.nav:
        if isinstance(entry, dict) and "Commands" in entry:
            entry["Commands"] += [f"commands/{name}.md" for name in commands.names()]


def on_files(files: Files, config: Any) -> None:
    """Add the pages of the commands that have no text of ours."""
    for name in commands.names():
        path = f"commands/{name}.md"
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, content=f"# srbench {name}\n"))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what is generated."""
    name = page.file.src_uri.removeprefix("commands/").removesuffix(".md")
    if page.file.src_uri.startswith("commands/") and name in commands.names():
        markdown += "\n" + commands.reference(name)
    return fill(markdown)


def fill(markdown: str) -> str:
    """A page with its generated parts in place."""
    return re.sub(
        r"^<!-- generated: ([\w ]+) -->$", lambda match: GENERATED[match[1]](), markdown, flags=re.MULTILINE
    )
