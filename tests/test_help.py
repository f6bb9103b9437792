"""Help: every option in its panel, whole words at 80 columns, one name for one thing, true defaults."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text
from typer.testing import CliRunner

from srbench.cli import app
from srbench.cli.groups import expand_options
from srbench.cli.options import OneMetric, RunFlags
from srbench.cli.panels import PANELS
from srbench.train import recipe as recipes

ROOT = Path(__file__).resolve().parents[1]


def commands(command: Any = None, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and group with the words that call it."""
    command = command or typer.main.get_command(app)
    yield name, command
    for each, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{name} {each}".strip())


COMMANDS = dict(commands())
OPTIONS = [
    (name, parameter)
    for name, command in COMMANDS.items()
    for parameter in command.params
    if name and parameter.param_type_name == "option"
]


@cache
def shown(name: str) -> str:
    """What ``srbench NAME --help`` prints at 80 columns."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERM", "dumb")
        COMMANDS[""].main([*name.split(), "--help"], prog_name="srbench", standalone_mode=False)
    return printed.getvalue()


def test_every_option_stands_in_a_panel_or_is_an_alias() -> None:
    titles = [panel.title for panel in PANELS]
    assert len(OPTIONS) > 150
    assert [(name, o.opts) for name, o in OPTIONS if not o.hidden and o.rich_help_panel not in titles] == []
    for name in filter(None, COMMANDS):
        panels = {titles.index(o.rich_help_panel) for where, o in OPTIONS if where == name and not o.hidden}
        seen = [title for title in re.findall(r"^╭─ (\w+) ─", shown(name), re.M) if title in titles]
        assert seen == [titles[place] for place in sorted(panels)], name


@pytest.mark.parametrize("name", COMMANDS)
def test_at_80_columns_no_word_is_cut(name: str) -> None:
    text = shown(name)
    assert max(map(len, text.splitlines())) <= 80
    words = set(re.sub(r"[│╭╮╰╯─]", " ", text).split())
    for parameter in COMMANDS[name].params:
        if getattr(parameter, "hidden", False) or parameter.param_type_name == "argument":
            continue
        asked = [*parameter.opts, *Text.from_markup(parameter.help or "").plain.split()]
        if parameter.metavar:
            asked += parameter.metavar.split()
        assert [word for word in asked if word not in words] == [], parameter.opts


def test_one_name_for_one_thing() -> None:
    """The same words name models, sets, attacks and metrics everywhere, and --lr is a folder."""
    names = {option for name, o in OPTIONS if not o.hidden for option in o.opts}
    assert names.isdisjoint({"--dataset", "--preset", "--metric", "--attack", "--to", "--transfer"})
    assert [name for name, o in OPTIONS if "--lr" in o.opts and not o.hidden] == ["datasets add"]
    assert not [(name, o.opts) for name, o in OPTIONS if len([x for x in o.opts if x[:2] == "--"]) > 1]


HIDDEN = sorted((name, o.opts[0]) for name, o in OPTIONS if o.hidden)


def test_the_names_there_were_before_are_hidden() -> None:
    assert ("attack", "--dataset") in HIDDEN and ("attack", "--preset") in HIDDEN
    assert ("figure curves", "--metric") in HIDDEN and ("train", "--lr") in HIDDEN
    assert not [alias for name, alias in HIDDEN if re.search(rf"{alias}\b(?![-\w])", shown(name))]


def test_an_alias_is_the_option() -> None:
    small = typer.Typer()

    @small.command()
    @expand_options
    def command(metric: OneMetric = None) -> None:
        print(metric)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(small, list(arguments))

    assert run("--metric", "psnr").output == run("--metrics", "psnr").output == "psnr\n"
    assert run().output == "None\n"
    assert "--metric and --metrics are the same" in str(
        run("--metric", "psnr", "--metrics", "ssim").exception
    )


@pytest.mark.parametrize("name", sorted(recipes.names()))
def test_defaults_of_a_training_are_its_recipes(name: str) -> None:
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown(f"train {name}")).split())
    table = tomllib.loads((ROOT / f"srbench/train/recipes/{name}.toml").read_text())
    for value in (table["optimizer"]["lr"], table["schedule"]["iterations"], table["data"]["patch"]):
        assert f"[default: ({name}: {value})]" in text
    eps = table["degradation"].get("eps")
    assert (f"Radius of the attack in levels of 255. [default: ({name}: {eps})]" in text) == bool(eps)


def test_without_a_recipe_the_defaults_are_rsr_minis() -> None:
    assert f"(rsr-mini: {recipes.load('rsr-mini').schedule.iterations})" in shown("train-robust")
    assert "[default: 14]" in shown("attack") and "[default: 32]" in " ".join(shown("evaluate").split())


def test_what_evaluate_shows_as_defaults_are_its_defaults() -> None:
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown("evaluate")).split())
    for field in ("tile", "halo", "tries", "device", "threads"):
        option = next(o for name, o in OPTIONS if name == "evaluate" and o.name == field)
        assert option.default == RunFlags.__dataclass_fields__[field].default
        assert f"{' '.join(option.help.split()[-2:])} [default: {option.default}]" in text


def test_commands_declare_options_through_panels() -> None:
    """typer.Option elsewhere would be an option without a panel."""
    for file in (ROOT / "srbench/cli").glob("*.py"):
        if file.name in ("panels.py", "groups.py", "app.py"):
            continue
        calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if ast.unparse(c.func) == "typer.Option"], file
