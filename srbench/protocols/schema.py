"""Declare the schema of a protocol, and its hash."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        scale: the upscaling factor it is for.
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
    scale: Literal[4]
    default: tuple[str, ...]
    rank: tuple[str, ...]
    rank_no_reference: tuple[str, ...]
    metrics: dict[str, MetricSettings]
    later: dict[str, MetricSettings] = {}

    @property
    def known(self) -> dict[str, MetricSettings]:
        """Return the settings of every metric that may be computed under it now."""
        return self.metrics | self.later

    @model_validator(mode="after")
    def _names_are_settled(self) -> Protocol:
        for name in (*self.default, *self.rank, *self.rank_no_reference):
            if name not in self.known:
                raise ValueError(f"metric {name} is used but has no settings")
        return self

    @cached_property
    def hash(self) -> str:
        """Return the sha256 over all that can move a number: name, scale and published metric settings."""
        content = self.model_dump(mode="json", include={"name", "scale", "metrics"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
