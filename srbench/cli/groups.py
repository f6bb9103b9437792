"""Options that several commands share, as dataclasses whose fields become options of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.models import OptionInfo

from srbench.cli.panels import PANELS
from srbench.errors import BadInput


@dataclass(frozen=True)
class Alias:
    """Another name of an option: it works, and help does not show it. Stands behind the option's own."""

    name: str


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the fields of a dataclass as options where it has a parameter of that type.

    A field is annotated and has a default as a parameter of a command would; the command gets the dataclass,
    filled in. So an option is declared once, whichever commands have it. Options stand in the order of their
    panels, and those with an :class:`Alias` can be given by that too.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            parameters.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        assert isinstance(kind, type)
        members = _parameters(kind)
        groups[name] = (kind, [member.name for member in members])
        parameters += members
    parameters.sort(key=_panel)
    aliases = [alias for parameter in parameters for alias in _aliases(parameter)]

    @functools.wraps(command)
    def expanded(**values: Any) -> None:
        for alias in aliases:
            alias.settle(values)
        for name, (kind, names) in groups.items():
            values[name] = kind(**{member: values.pop(member) for member in names})
        command(**values)

    parameters += [alias.option for alias in aliases]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del expanded.__wrapped__  # typer would look at the signature behind
    return expanded


def _parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _marks(parameter: inspect.Parameter) -> tuple[Any, ...]:
    return getattr(parameter.annotation, "__metadata__", ())


def _panel(parameter: inspect.Parameter) -> int:
    """Where an option stands; arguments come first."""
    titles = [panel.title for panel in PANELS]
    panels = [getattr(mark, "rich_help_panel", None) for mark in _marks(parameter)]
    return max((titles.index(panel) for panel in panels if panel in titles), default=-1)


@dataclass(frozen=True)
class _Aliased:
    """An alias as an option that help does not show, and the option it stands for."""

    alias: str
    option: inspect.Parameter
    of: inspect.Parameter

    def settle(self, values: dict[str, Any]) -> None:
        """Take the alias out of the values of a command, and give its value to the option."""
        given = values.pop(self.option.name)
        if given is None:
            return
        if values[self.of.name] != self.of.default:
            name = next(mark.default for mark in _marks(self.of) if isinstance(mark, OptionInfo))
            raise BadInput(f"{self.alias} and {name} are the same: give one of them")
        values[self.of.name] = given


def _aliases(parameter: inspect.Parameter) -> list[_Aliased]:
    names = [mark.name for mark in _marks(parameter) if isinstance(mark, Alias)]
    kind: Any = get_args(parameter.annotation)[0] if names else None
    return [
        _Aliased(
            name,
            inspect.Parameter(
                "alias_" + name.strip("-").replace("-", "_"),
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, typer.Option(name, hidden=True)],
            ),
            parameter,
        )
        for name in names
    ]
