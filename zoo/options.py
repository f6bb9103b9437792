"""Read what a user says of a model of their own behind it: ``net.pth,range=255,key=net_g``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import BadInput
from srbench.support.home import user_path
from srbench.support.lists import split_outside
from srbench.support.scales import LISTED, checked_scale
from srbench.support.words import words
from srbench.zoo.catalog import names
from srbench.zoo.schema import DOMAINS, Card
from srbench.zoo.weights import SUFFIXES

if TYPE_CHECKING:
    from srbench.zoo.model_ref import ModelRef

NAMES = ("range", "scale", "domain", "title", "key")
"""No model can be given one of these names on the command line."""

_OPTION = re.compile(rf"({'|'.join(NAMES)})=(.*)", re.DOTALL)
_FACTORY = re.compile(r"(\w+=)?[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Options:
    """Holds what was said of a model; what was not is empty.

    Attributes:
        value_range: the network takes and gives values from 0 to this (1 or 255).
        domain: the degradation it was trained for.
        title: its name in prose.
        key: which of several networks in a checkpoint is meant.
        scale: how many times larger its SR is; None where it shows.
        text: all of it as it was written, for messages; "" where nothing was said.
    """

    value_range: float = 1.0
    domain: str = ""
    title: str = ""
    key: str = ""
    scale: int | None = None
    text: str = ""

    def on(self, card: Card) -> Card:
        """Return a card with what was said in the place of what it says."""
        said = {"domain": self.domain, "title": self.title}
        changes: dict[str, str | float] = {name: value for name, value in said.items() if value}
        if self.scale is not None:
            changes["scale"] = self.scale
        if self.value_range != 1:
            changes["value_range"] = self.value_range
        return card.model_copy(update=changes)

    def identity(self, sha256: str) -> str:
        """Return what identifies weights that are used so: their own sha256 unless numbers depend on it."""
        return with_range(f"{sha256} key={self.key}" if self.key else sha256, self.value_range)


def with_range(identity: str, value_range: float) -> str:
    """Return an identity that a network given another range of values shares with none given [0, 1].

    Args:
        identity: a sha256, or one with more words behind it.
        value_range: 1 or 255.

    Returns:
        A sha256: ``identity`` itself where nothing has to be added to it.
    """
    if value_range != 1:
        identity = f"{identity} range={value_range:g}"
    return identity if " " not in identity else hashlib.sha256(identity.encode()).hexdigest()


def apart(text: str) -> list[str]:
    r"""Return the models that one text names by commas, each with its options; ``\,`` is a comma of a name.

    >>> apart("bicubic,net.pth,range=255,key=net_g")
    ['bicubic', 'net.pth,range=255,key=net_g']
    """
    if user_path(text).exists():
        return [text]
    models: list[str] = []
    for word in words(text):
        if models and _OPTION.fullmatch(word):
            models[-1] += f",{word}"
        else:
            models.append(word)
    return models


def with_options(specs: Sequence[str | ModelRef]) -> list[tuple[str | ModelRef, Options]]:
    """Give every model the options behind it, in its own text or as items that follow it in the list.

    Raises:
        BadInput: an option before any model, one that is given twice, a value it cannot have, or a model
            called like an option.

    >>> [(spec, said.value_range) for spec, said in with_options(["a.pth", "range=255", "b.pth,title=B"])]
    [('a.pth', 255.0), ('b.pth', 1.0)]
    """
    found: list[tuple[str | ModelRef, dict[str, str]]] = []
    for item in specs:
        for part in _parts(item):
            option = _OPTION.fullmatch(part) if isinstance(part, str) else None
            if option is None:
                found.append((part, {}))
                continue
            name, value = option.groups()
            if not found or _is_a_model(value):
                raise BadInput(
                    f"{part}: '{name}' is an option of the model before it, as in net.pth,range=255, and "
                    "cannot name a model: choose another name"
                )
            spec, said = found[-1]
            if name in said:
                raise BadInput(f"{spec}: {name}= is given twice")
            said[name] = value
    return [(spec, _checked(spec, said)) for spec, said in found]


def _parts(item: str | ModelRef) -> list[str | ModelRef]:
    if not isinstance(item, str) or ("," in item and user_path(item).exists()):
        return [item]
    parts: list[str | ModelRef] = []
    for piece in split_outside(item):
        if parts and not _OPTION.fullmatch(piece):  # a comma in a path or a title
            parts[-1] = f"{parts[-1]},{piece}"
        else:
            parts.append(piece)
    return parts


def _is_a_model(value: str) -> bool:
    """Tell whether somebody who writes ``title=value`` will have meant a model under the name of title."""
    return Path(value).suffix.lower() in SUFFIXES or value in names() or bool(_FACTORY.fullmatch(value))


def _checked(spec: str | ModelRef, said: dict[str, str]) -> Options:
    text = ",".join(f"{name}={value}" for name, value in said.items())
    for name, value in said.items():
        if not value.strip() or not value.isprintable():
            raise BadInput(f"{spec},{name}=: say what, or leave it out")
    value_range = said.get("range", "1")
    if _number(value_range) not in (1.0, 255.0):
        raise BadInput(
            f"{spec},range={value_range}: the values of a network go up to 1 or up to 255; scale others in a "
            "function of your own"
        )
    try:
        scale = checked_scale(said["scale"]) if "scale" in said else None
    except BadInput as error:
        raise BadInput(f"{spec},scale={said['scale']}: srbench measures {LISTED}") from error
    if said.get("domain", DOMAINS[0]) not in DOMAINS:
        raise BadInput(
            f"{spec},domain={said['domain']}: this is no training domain, choose one of {', '.join(DOMAINS)}"
        )
    domain, title, key = (said.get(name, "") for name in ("domain", "title", "key"))
    return Options(_number(value_range), domain, title, key, scale, text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
