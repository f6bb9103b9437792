"""Declare the schema of a protocol, and its hash."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from srbench.support.scales import Scale


class MetricSettings(BaseModel):
    """Say how one metric sees an image; see :meth:`srbench.metrics.base.Views.get`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounded: bool
    crop: int = Field(default=0, ge=0)
    space: Literal["rgb", "y", "gray"] = "rgb"
    params: dict[str, str] = {}

    @property
    def hash(self) -> str:
        """Return the first 12 hex digits of the sha256 over the settings."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


class Protocol(BaseModel):
    """Define a named way to measure.

    Attributes:
        name, title, source: what it is called and where it comes from.
        scale: the upscaling factor it is for, 4 as it is published; see :meth:`at`.
        crop_is_scale: the border of these metrics is cut by the scale, as is the field's habit. At the
            published scale that says nothing new, and is no part of the hash.
        default: metrics computed unless others are asked for.
        rank: metrics that order a table of paired sets; the first one measured everywhere is taken.
        rank_no_reference: the same for sets without ground truth.
        metrics: settings of every metric that could be computed under it when it was published.
        later: settings of metrics added since. They move no number of the others, so a protocol with and
            without them has one hash; what they compute by is named in their own ``params``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    source: str
    scale: Scale
    crop_is_scale: tuple[str, ...] = ()
    default: tuple[str, ...]
    rank: tuple[str, ...]
    rank_no_reference: tuple[str, ...]
    metrics: dict[str, MetricSettings]
    later: dict[str, MetricSettings] = {}

    @property
    def known(self) -> dict[str, MetricSettings]:
        """Return the settings of every metric that may be computed under it now."""
        return self.metrics | self.later

    def at(self, scale: int) -> Protocol:
        """Return the protocol at another scale: another hash, and the borders that go by the scale.

        >>> from srbench import protocols
        >>> [protocols.protocol(name).at(2).known["psnr"].crop for name in ("y", "rsr")]
        [2, 4]
        """
        if scale == self.scale:
            return self
        cut = {name: self.metrics[name].model_copy(update={"crop": scale}) for name in self.crop_is_scale}
        return self.model_copy(update={"scale": scale, "metrics": self.metrics | cut})

    @model_validator(mode="after")
    def _names_are_settled(self) -> Protocol:
        for name in (*self.default, *self.rank, *self.rank_no_reference, *self.crop_is_scale):
            if name not in self.known:
                raise ValueError(f"metric {name} is used but has no settings")
        return self

    @cached_property
    def hash(self) -> str:
        """Return the sha256 over all that can move a number: name, scale and published metric settings."""
        content = self.model_dump(mode="json", include={"name", "scale", "metrics"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
