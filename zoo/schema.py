"""Define what a model card says: facts about a network, where its weights are published, its licence."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from srbench.install.source import Source, http_url
from srbench.support.scales import SCALE, Scale

Domain = Literal["none", "clean", "ntire", "aim", "dped", "jpeg", "adversarial", "blind", "unknown"]
DOMAINS: tuple[str, ...] = get_args(Domain)
"""A model was trained for one of these degradations.

``none``: nothing was learned. ``clean``: bicubic downscaling and nothing else. ``ntire``, ``aim``,
``dped``: the source domain of that data set. ``jpeg``: images compressed by JPEG, which no set here is of.
``adversarial``: attacks on clean images. ``blind``: a broad random degradation model, such as
Real-ESRGAN's. ``unknown``: a user's own model.
"""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
HttpUrl = Annotated[str | None, AfterValidator(http_url)]


class Card(BaseModel):
    """Says what is known about a model.

    Attributes:
        name: its name on the command line and in every record.
        title: its name in prose.
        domain: the degradation it was trained for, one of :data:`DOMAINS`.
        architecture: facts, such as ``family``, ``num_feat``, ``num_block``, ``parameters``. Where a
            model needs no weights, ``factory`` (``package.module:callable``) makes it. ``parameters``
            is checked against weights whose sha256 is not published; ``macs_per_lr_pixel`` and
            ``peak_mib`` are :func:`srbench.zoo.cost.cost`'s.
        scale: the factor by which it enlarges.
        any_scale: it enlarges by the others of :data:`srbench.support.scales.SCALES` as well: ``factory``
            takes a ``scale``.
        value_range: what the network wants its inputs in [0, 1] multiplied by (1 or 255).
        licence: of the weights; empty only for a user's own model.
        citation: the paper.
        paper: where it can be read.
        homepage: the project.
        sources: published weight files, any of which will do.
        packaged: the sha256 of weights that come with srbench, as ``zoo/mini/NAME.safetensors``.
        redistributable: whether the licence lets weights be passed on.
        mini: the model that comes with srbench and stands in where this one is not installed.
        recommended: it is one of the handful that makes a meaningful board; pip's index has it.
        notes: what a reader of a leaderboard should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    title: str
    domain: Domain
    architecture: dict[str, str | int | float | bool]
    scale: Scale = SCALE
    any_scale: bool = False
    value_range: float = 1.0
    licence: str
    citation: str
    paper: HttpUrl = None
    homepage: HttpUrl = None
    sources: tuple[Source, ...] = ()
    packaged: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    redistributable: bool
    mini: str | None = None
    recommended: bool = False
    notes: str = ""

    @model_validator(mode="after")
    def _known_range(self) -> Card:
        if self.value_range not in (1.0, 255.0):
            raise ValueError(f"{self.name}: value_range is 1 or 255, not {self.value_range}")
        return self


def user_card(name: str, architecture: dict[str, str | int], **facts: str | float) -> Card:
    """Return the card of a user's own network, of which nothing is known but these facts."""
    blank = {"title": name, "domain": "unknown", "licence": "", "citation": "", "redistributable": False}
    return Card.model_validate({"name": name, "architecture": architecture, **blank, **facts})
