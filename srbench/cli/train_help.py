"""Help of the training commands, whose defaults are those of the recipe that is named, or of rsr-mini."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from srbench.cli.train_options import keys

SHOWN = "rsr-mini"
"""The recipe whose settings help shows where none is named."""


class RecipeCommand(TyperCommand):
    """A command whose help shows what a recipe says as the defaults of the options that change it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with the defaults of the recipe among the arguments."""
        if set(args) & set(ctx.help_option_names):
            self.show_recipe(args)
        return super().parse_args(ctx, args)

    def show_recipe(self, args: Sequence[str] = ()) -> None:
        """Let help show the settings of the first recipe among some arguments."""
        from srbench.train import recipe as recipes

        named = next((word for word in args if word in recipes.names() or word.endswith(".toml")), SHOWN)
        settings = _settings(named)
        set_by = keys()
        for parameter in self.params:
            if parameter.name in set_by:
                value: Any = settings.get(set_by[parameter.name])
                words = ",".join(value) if isinstance(value, list) else value
                parameter.show_default = True if words in (None, "") else f"{named}: {words}"  # type: ignore[attr-defined]


def _settings(recipe: str) -> dict[str, Any]:
    from srbench.errors import BadInput
    from srbench.train import recipe as recipes

    try:
        return recipes.flat(recipes.load(recipe).model_dump(mode="json"))
    except BadInput:  # some leave the source to whoever trains
        open_one = "degradation.source"
        settings = recipes.flat(recipes.load(recipe, {open_one: "DIR"}).model_dump(mode="json"))
        return {key: value for key, value in settings.items() if key != open_one}
