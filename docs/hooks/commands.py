"""What the command line says about itself, as Markdown."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import typer
from typer.cli import get_docs_for_click

from srbench.cli import app
from srbench.cli.train_help import RecipeCommand


@cache
def _root() -> tuple[Any, typer.Context]:
    command = typer.main.get_command(app)
    return command, typer.Context(command, info_name="srbench")


def names() -> list[str]:
    """Every command, in alphabetical order."""
    return sorted(_root()[0].commands)


def reference(name: str) -> str:
    """Usage, arguments, options and subcommands of a command."""
    root, context = _root()
    command = root.commands[name]
    if isinstance(command, RecipeCommand):
        command.show_recipe()
    text = get_docs_for_click(
        obj=command,
        ctx=typer.Context(command, info_name=name, parent=context),
        name=name,
        call_prefix="srbench",
    )
    return re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)  # the page has its title
