"""Help panels: what a command is about, how it is done, where it runs and finds things, what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True)
class Panel:
    """A panel of a command's help, which declares the options that stand in it."""

    title: str

    def value(self, name: str, metavar: str, said: str, **settings: Any) -> Any:
        """Declare an option that takes a value.

        Args:
            name: such as ``--models``.
            metavar: what stands for the value, in a word or two: the help is to fit 80 columns.
            said: the help.
            settings: further arguments of :func:`typer.Option`.
        """
        return typer.Option(name, metavar=metavar, help=said, rich_help_panel=self.title, **settings)

    def flag(self, name: str, said: str) -> Any:
        """Declare an option without a value."""
        return typer.Option(name, metavar="", help=said, rich_help_panel=self.title)


WHAT = Panel("What")
HOW = Panel("How")
WHERE = Panel("Where")
OUTPUT = Panel("Output")

PANELS = (WHAT, HOW, WHERE, OUTPUT)
"""In the order the help has them."""
