"""Define what a defence is: what it does to the LR image and the SR images, and what it says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from srbench.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

Value: TypeAlias = int | float
Values: TypeAlias = Mapping[str, Value]
Model: TypeAlias = Callable[["Tensor"], "Tensor"]
"""(N,3,H,W) in [0,1] to (N,3,sH,sW)."""


AVERAGED = 8
"""Forwards that an attack adapted to a random defence averages for a gradient, those within it among them."""


def noisy(lr: Tensor, values: Values) -> Iterator[Tensor]:
    """Yield ``n`` copies of LR (N,3,H,W) with Gaussian noise of standard deviation ``sigma``, not clipped."""
    import torch

    for _ in range(int(values["n"])):
        yield lr + values["sigma"] * torch.randn_like(lr)


def averaged(values: Values) -> int:
    """Return how often a defence of ``n`` forwards runs for a gradient over :data:`AVERAGED` of them."""
    return math.ceil(AVERAGED / values["n"])


@dataclass(frozen=True)
class Option:
    """Says which values an option of a defence can have.

    Attributes:
        usual: what it is where nothing is said; a whole number where only whole numbers will do.
        least, most: bounds, both allowed.
        odd: only odd numbers will do.
        positive: it has to be above ``least``.
    """

    usual: Value
    least: Value
    most: Value = math.inf
    odd: bool = False
    positive: bool = False

    def read(self, where: str, text: str) -> Value:
        """Return a value as it was written.

        Raises:
            BadInput: it is no number, or none that will do; the message begins with ``where``.
        """
        try:
            value: Value = int(text) if isinstance(self.usual, int) else float(text)
        except ValueError:
            value = math.nan
        low = self.least < value if self.positive else self.least <= value
        if not (low and value <= self.most) or (self.odd and value % 2 == 0):
            raise BadInput(f"{where}={text}: {self._due()}")
        return value

    def _due(self) -> str:
        kind = (
            "an odd number" if self.odd else "a whole number" if isinstance(self.usual, int) else "a number"
        )
        low = f"above {self.least:g}" if self.positive else f"of {self.least:g} or more"
        return f"it has to be {kind} {low}" + (f", {self.most:g} at most" if self.most < math.inf else "")


@dataclass(frozen=True)
class Defence:
    """Declares one defence.

    Attributes:
        name: as it is written before the parenthesis.
        about: what it does, a sentence.
        source: paper or repository.
        options: by name, in the order in which they may be given without one.
        defend: SR (N,3,sH,sW) that the defended model gives for LR (N,3,H,W) in [0,1]; what has no useful
            gradient goes through :func:`srbench.support.surrogate.through`. Random numbers are torch's.
        forwards: how many forwards of the model an image takes.
        random: whether it draws random numbers.
        straight_through: whether it has a surrogate for the gradient.
        sample: the outputs (n,N,3,sH,sW), of independent Gaussian noise of standard deviation ``sigma`` on
            the LR, that it takes the median of: what can be certified; None for other defences.
        samples: how many forwards an adapted attack averages for each gradient (expectation over
            transformation).
    """

    name: str
    about: str
    source: str
    options: Mapping[str, Option]
    defend: Callable[[Model, Tensor, Values], Tensor]
    forwards: Callable[[Values], int] = lambda values: 1
    random: bool = False
    straight_through: bool = False
    samples: Callable[[Values], int] = lambda values: 1
    sample: Callable[[Model, Tensor, Values], Tensor] | None = None

    def usage(self) -> str:
        """Return how it is written, with its usual options.

        >>> from srbench.zoo import defences
        >>> defences.registry()["jpeg"].usage()
        'jpeg(MODEL,quality=75)'
        """
        return self.text("MODEL", {name: option.usual for name, option in self.options.items()})

    def text(self, model: str, values: Values) -> str:
        """Return the name of a model behind this defence: one text for one defence."""
        return f"{self.name}({','.join([model, *(f'{name}={value:g}' for name, value in values.items())])})"

    def read(self, given: list[str]) -> dict[str, Value]:
        """Return the value of every option.

        Args:
            given: ``name=value``, or values in the order of the options.

        Raises:
            BadInput: an unknown option, one given twice, too many, or a value that it cannot have.
        """
        said: dict[str, Value] = {}
        for place, part in enumerate(given):
            name, equals, text = (each.strip() for each in part.partition("="))
            if not equals:
                if place >= len(self.options):
                    raise BadInput(
                        f"{self.usage()}: it takes no {place + 1} options, as {', '.join(given)} are"
                    )
                name, text = list(self.options)[place], name
            if name not in self.options:
                raise BadInput(f"{self.usage()}: it has no option '{name}'")
            if name in said:
                raise BadInput(f"{self.usage()}: {name} is given twice")
            said[name] = self.options[name].read(f"{self.name}: {name}", text)
        return {name: said.get(name, option.usual) for name, option in self.options.items()}
