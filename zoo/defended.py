"""Make a model of a defence around another model: ``jpeg(esrgan-mini,quality=75)``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from srbench.errors import BadInput
from srbench.support.lists import split_outside
from srbench.zoo import defences
from srbench.zoo.defences.base import Defence, Values
from srbench.zoo.model_ref import ModelRef
from srbench.zoo.options import NAMES

if TYPE_CHECKING:
    from srbench.zoo.model import SRModel

_CALL = re.compile(r"(?P<name>[a-z][a-z0-9-]*)\((?P<inside>.*)\)", re.DOTALL)


def is_defended(spec: str) -> bool:
    """Return whether this is written as a defence around a model is.

    >>> from srbench.zoo.defended import is_defended
    >>> is_defended("jpeg(bicubic,75)"), is_defended("net(1).pth")
    (True, False)
    """
    call = _CALL.fullmatch(spec)
    return call is not None and call["name"] in defences.registry()


def around(model: str) -> str:
    """Return the model that a defence stands around; of a model without a defence, its own name.

    >>> from srbench.zoo.defended import around
    >>> around("mrs(esrgan-mini,sigma=0.05,n=16)"), around("bicubic")
    ('esrgan-mini', 'bicubic')
    """
    call = _CALL.fullmatch(model) if is_defended(model) else None
    return split_outside(call["inside"])[0].strip() if call else model


def from_defence(spec: str, resolve: Callable[[list[str]], list[ModelRef]]) -> list[ModelRef]:
    """Return the models that ``DEFENCE(MODEL,option=value)`` names, one for each that MODEL names.

    Args:
        resolve: gives the models of a specification; options of MODEL's own go to it with the model.

    Raises:
        BadInput: an option the defence does not have or cannot have so; no model; SR images made elsewhere.
    """
    call = _CALL.fullmatch(spec)
    assert call is not None
    defence = defences.registry()[call["name"]]
    model, *rest = [part.strip() for part in split_outside(call["inside"])]
    of_model = [part for part in rest if part.partition("=")[0] in NAMES]
    values = defence.read([part for part in rest if part not in of_model])
    if not model:
        raise BadInput(f"{spec}: say around which model, as in {defence.usage()}")
    return [_around(defence, values, inner) for inner in resolve([model, *of_model])]


def _around(defence: Defence, values: Values, inner: ModelRef) -> ModelRef:
    name = defence.text(inner.name, values)
    if inner.outputs is not None:
        raise BadInput(
            f"{name}: {inner.name} is SR images made elsewhere, and a defence has to run the network"
        )
    known = inner.weights_sha256 or inner.name
    identity = hashlib.sha256(f"{known} {defence.text('', values)}".encode()).hexdigest()
    facts: Mapping[str, Any] = {
        "name": name,
        "title": defence.text(inner.card.title, values),
        "any_scale": False,
        "mini": None,
        "sources": (),
        "packaged": None,
        "value_range": 1.0,
        "notes": f"{inner.card.notes} Behind {defence.name}: {defence.about}".strip(),
    }
    load = partial(_load, defence.name, dict(values), inner)
    smoothed = (float(values["sigma"]), int(values["n"])) if defence.sample else None
    card = inner.card.model_copy(update=facts)
    return ModelRef(name, card, identity, _no_network, note=inner.note, smoothed=smoothed, defended=load)


def _load(name: str, values: Values, inner: ModelRef, ref: ModelRef, device: str, precision: str) -> SRModel:
    from srbench.zoo.defended_model import DefendedModel

    return DefendedModel(inner.load(device, precision), defences.registry()[name], values, ref)


def _no_network() -> NoReturn:
    raise AssertionError("a defended model is loaded by its defence")
