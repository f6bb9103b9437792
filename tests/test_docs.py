"""The documentation against the code: every command parses, cheap ones run, tables say what is so."""

from __future__ import annotations

import html.parser
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from srbench import attacks, datasets, protocols, zoo
from srbench.attacks.variants import variants
from srbench.cli import app
from srbench.metrics import registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "leaderboards").rglob("*.md"),
    ]
)
RUNS = "<!-- runs -->"
"""Before a block of commands that are cheap enough to be run by a test."""


@dataclass(frozen=True)
class Shown:
    """A command on a page.

    Attributes:
        runs: it stands in a block marked with :data:`RUNS`.
        named: it stands in a sentence, which may leave out what the command needs.
    """

    page: str
    line: int
    arguments: tuple[str, ...]
    runs: bool = False
    named: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def shown_in(page: Path) -> Iterator[Shown]:
    """Every ``srbench …`` in code blocks, fenced or indented, and in inline code."""
    name = page.relative_to(ROOT).as_posix()
    text = re.sub(r"\\\n *", lambda found: " " * len(found[0]), page.read_text(encoding="utf-8"))
    fenced = runs = announced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith("```"):
            fenced = not fenced
            runs, announced = announced and fenced, False
        elif line.strip() == RUNS:
            announced = True
        elif fenced or line.startswith("    "):
            code = line.strip().removeprefix("$ ")
            for part in re.split(r"&&|\|\|", code) if re.match(r"([A-Z_]+=\S* )*srbench\b", code) else []:
                words = shlex.split(part, comments=True)
                while words and "=" in words[0]:
                    words.pop(0)
                if words[:1] == ["srbench"]:
                    yield Shown(name, number, tuple(words[1:]), runs)
    prose = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL)
    for found in re.finditer(r"`srbench ([^`]+)`", prose):
        words = shlex.split(found[1])
        yield Shown(name, prose[: found.start()].count("\n") + 1, tuple(words), named=True)


SHOWN = [shown for page in PAGES for shown in shown_in(page)]


def parse(arguments: tuple[str, ...]) -> None:
    """Parse a command line with the application's own parser, and run nothing.

    Raises:
        Exception: what the command line would refuse.
    """
    command: Any = typer.main.get_command(app)
    name, context = "srbench", None
    # COMMAND stands for any of them.
    rest = ["doctor" if word == "COMMAND" else word for word in arguments]
    try:
        while True:
            context = command.make_context(name, list(rest), parent=context)
            if not hasattr(command, "resolve_command"):
                return
            rest = [*context._protected_args, *context.args]
            if not rest:
                return
            name, command, rest = command.resolve_command(context, rest)
    except typer.Exit as done:
        assert done.exit_code == 0


def test_the_pages_show_commands() -> None:
    pages = {shown.page for shown in SHOWN}
    assert {"README.md", "CONTRIBUTING.md", "docs/index.md", "docs/attacks.md"} <= pages
    assert len(SHOWN) > 80
    assert sum(shown.runs for shown in SHOWN) >= 10
    readme = [" ".join(shown.arguments) for shown in SHOWN if shown.page == "README.md"]
    assert "attack rsr --corruptions" in readme
    assert "evaluate --models all --datasets ntire,aim" in readme


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_every_command_shown_is_one(shown: Shown) -> None:
    try:
        parse(shown.arguments)
    except Exception as error:
        if not (shown.named and type(error).__name__ == "MissingParameter"):
            raise


@pytest.mark.parametrize(
    "wrong",
    [
        "evalaute",
        "evaluate --modles bicubic",
        "evaluate --limit few",
        "evaluate --track tiny",
        "datasets ad x",
    ],
)
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|invalid|valid|is not one of"):
        parse(tuple(wrong.split()))


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({shown.page for shown in SHOWN if shown.runs}))
def test_cheap_commands_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaderboards").symlink_to(ROOT / "leaderboards")
    for shown in SHOWN:
        if shown.page == page and shown.runs:
            done = CliRunner().invoke(app, list(shown.arguments))
            assert done.exit_code == 0, (shown.arguments, done.output, done.exception)
            assert done.output.strip()


def test_cheap_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [
        block
        for page in PAGES
        for block in re.findall(
            rf"^{RUNS}\n```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE
        )
    ]
    assert blocks
    for block in blocks:
        exec(compile(block, "a block of the documentation", "exec"), {})


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
                for option in parameter.opts:
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
    from srbench.attacks.corruptions import CORRUPTIONS

    assert re.findall(r"^\| `(.+?)` \|", corruptions, re.M) == list(CORRUPTIONS)


def test_sets_models_and_recipes_are_all_there(hooks: ModuleType) -> None:
    from srbench.train import recipe

    sets, models = hooks.parts.sets.cards(), hooks.parts.models.cards()
    for name in datasets.names():
        assert f"### `{name}`" in sets
        assert datasets.manifest(name).licence in sets
    for name in zoo.names():
        assert f"### `{name}`" in models
        assert zoo.card(name).licence in models
    recipes = hooks.parts.training.recipes()
    assert all(f"{name}.toml" in recipes for name in recipe.names())


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
