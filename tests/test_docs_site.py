"""The documentation site: its generated tables say what is so, and it fetches nothing from elsewhere."""

from __future__ import annotations

import html.parser
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from srbench import attacks, datasets, protocols, zoo
from srbench.attacks.corruptions import CORRUPTIONS
from srbench.attacks.variants import variants
from srbench.cli import app
from srbench.metrics import registry
from srbench.train import recipe as recipes

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def hooks() -> Iterator[ModuleType]:
    pytest.importorskip("mkdocs")
    sys.path.insert(0, str(ROOT / "docs/hooks"))
    yield importlib.import_module("pages")
    sys.path.remove(str(ROOT / "docs/hooks"))


def test_every_generated_part_is_on_a_page(hooks: ModuleType) -> None:
    asked = {
        name
        for page in (ROOT / "docs").rglob("*.md")
        for name in re.findall(r"^<!-- generated: (.+) -->$", page.read_text(), flags=re.MULTILINE)
    }
    assert asked == set(hooks.GENERATED)
    assert hooks.fill("a\n<!-- generated: corruptions -->\nb").count("| `jpeg` |") == 1


def test_command_pages_show_every_option(hooks: ModuleType) -> None:
    names = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(hooks.commands.names()) == names
    seen = 0
    for name in names:
        text = hooks.commands.reference(name)
        command: Any = typer.main.get_command(app)
        for each in [command.commands[name], *getattr(command.commands[name], "commands", {}).values()]:
            for parameter in each.params:
                for option in () if getattr(parameter, "hidden", False) else parameter.opts:
                    assert option in text, (name, option)
                    seen += 1
    assert seen > 100


def test_protocol_tables_are_the_files(hooks: ModuleType) -> None:
    text = hooks.parts.protocols.settings()
    for name in protocols.names():
        table = tomllib.loads((ROOT / f"srbench/protocols/{name}.toml").read_text())
        section = text.split(f"### `{name}`")[1].split("### ")[0]
        rows = {
            row[0]: row
            for row in re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", section, re.M)
        }
        settings = table["metrics"] | table.get("later", {})
        assert set(rows) == set(settings)
        for metric, wanted in settings.items():
            _, pixels, crop, colour, parameters = rows[metric]
            assert pixels.startswith("rounded" if wanted["rounded"] else "float")
            assert crop == (f"{wanted['crop']} px" if wanted.get("crop") else "none")
            assert colour.startswith("luma" if wanted.get("space") == "y" else "RGB")
            assert all(f"{key} = {value}" in parameters for key, value in wanted.get("params", {}).items())
        assert protocols.protocol(name).hash in section
    assert set(re.findall(r"^\| `(.+?)` \|", hooks.parts.protocols.metrics(), re.M)) == set(registry())


def test_attack_cards_name_every_recipe(hooks: ModuleType) -> None:
    text = hooks.parts.attacks.cards()
    for name in attacks.names()[1:]:
        card = text.split(f"### `{name}`\n")[1].split("\n### ")[0]
        published, *others = variants(name)
        assert published.hash in card
        assert all(recipe.hash[:12] in card for recipe in others)
        assert f"eps = {published.eps * 255:g}/255" in card
        for recipe in (published, *published.parts):
            assert recipe.kind in card
            assert f"`{recipe.objective}`" in card or not recipe.objective
    corruptions = hooks.parts.attacks.corruptions()
    assert re.findall(r"^\| `(.+?)` \|", corruptions, re.M) == list(CORRUPTIONS)


def test_sets_models_and_recipes_are_all_there(hooks: ModuleType) -> None:
    sets, models = hooks.parts.sets.cards(), hooks.parts.models.cards()
    for name in datasets.names():
        assert f"### `{name}`" in sets
        assert datasets.manifest(name).licence in sets
    for name in zoo.names():
        assert f"### `{name}`" in models
        assert zoo.card(name).licence in models
    listed = hooks.parts.training.recipes()
    assert all(f"{name}.toml" in listed for name in recipes.names())


class Fetched(html.parser.HTMLParser):
    """Addresses a browser fetches by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(named.get("src") or "")
        if tag == "link" and named.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(named.get("href") or "")


@pytest.mark.slow
def test_the_site_builds_strictly_and_fetches_nothing(hooks: ModuleType, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {f"{name}.html" for name in hooks.commands.names()} <= {page.name for page in pages}
    for page in pages:
        fetched = Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        assert fetched.found
        assert not [address for address in fetched.found if re.match(r"(https?:)?//", address)], page
        assert "<!-- generated" not in page.read_text(encoding="utf-8")
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text(encoding="utf-8")), style
