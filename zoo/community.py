"""Run models that others publish: ``openmodeldb:NAME`` and ``hf:OWNER/REPOSITORY/FILE[@REVISION]``.

The service says what a model is, where it is and under which licence; the file is fetched, checked and kept
as the zoo's own models are. What is here is opened without asking anybody.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from srbench.errors import BadInput, RunFailed, Unavailable
from srbench.install import first_use
from srbench.install.obtain import obtain
from srbench.install.places import locked
from srbench.support import home
from srbench.support.scales import LISTED, SCALES, other_scale
from srbench.zoo import hugging_face, openmodeldb
from srbench.zoo.installed import Installed, installed_path, read_record
from srbench.zoo.model_ref import ModelRef
from srbench.zoo.options import Options
from srbench.zoo.published import keep
from srbench.zoo.schema import Card
from srbench.zoo.weights import Status

if TYPE_CHECKING:
    from srbench.zoo.loading import Network

_SERVICES: dict[str, Callable[[str], tuple[str, Card]]] = {
    openmodeldb.PREFIX: openmodeldb.find,
    hugging_face.PREFIX: hugging_face.find,
}
_SPEC = re.compile(rf"({'|'.join(_SERVICES)}):(.*)", re.DOTALL)


def is_community(spec: str) -> bool:
    """Return whether a specification names a model of one of the services.

    >>> is_community("hf:owner/repository/net.pth"), is_community("net.pth")
    (True, False)
    """
    return _SPEC.fullmatch(spec) is not None


def from_community(spec: str, said: Options, scale: int | None = None) -> ModelRef:
    """Return a model of a service; it is downloaded, and tried on a small image, where it is not here yet.

    Raises:
        Unavailable: it is not here, and cannot be fetched: offline, no answer, not the file it should be.
        BadInput: the service has no such model, only a person can fetch it, its scale is another one, it is
            no network srbench can run; or a key, which chooses in a file of the user's.
        RunFailed: the home cannot be written.
    """
    if said.key:
        raise BadInput(f"{spec},{said.text}: key= chooses a network in a checkpoint file you have")
    name = _installed_as(spec)
    record = read_record(name)
    if record is None or record.card is None:
        name, record = _install(spec, scale)
    assert record.card is not None
    card = record.card
    unverified = "" if record.verified else f"; sha256 {record.source_sha256[:12]}…, as none is published"
    note = f"{card.name}: {card.notes}; licence: {card.licence}{unverified}"
    identity, opener = said.identity(record.source_sha256), partial(_open, spec, name, record)
    source = f"{spec},{said.text}" if said.text else spec
    return ModelRef(card.name, said.on(card), identity, opener, source=source, note=note)


def installed() -> list[tuple[Card, Status]]:
    """Return what is here of the services, sorted; the cards are named as a user names the models."""
    found = []
    for path in sorted(installed_path("x").parent.glob("*.json")):
        record = read_record(path.stem)
        if record and record.card:
            weights, sha256 = installed_path(path.stem), record.source_sha256
            state = Status(True, weights, sha256, verified=record.verified, origin=record.origin)
            found.append((record.card.model_copy(update={"name": record.spec}), state))
    return found


def _install(spec: str, scale: int | None) -> tuple[str, Installed]:
    """Fetch a model and keep it; return what it is installed as and the record of it."""
    if home.offline():
        raise Unavailable(f"{spec} is not here, and SRBENCH_OFFLINE=1 forbids fetching it")
    match = _SPEC.fullmatch(spec)
    assert match is not None
    found, card = _SERVICES[match[1]](match[2])
    name = _installed_as(found)
    with locked(installed_path(name)):
        record = read_record(name)  # under another spelling, or by another process
        if record is None or record.card is None:
            _refuse_scale(found, card, scale)
            _fetch(found, name, card)
            record = read_record(name)
    if record is None:
        raise RunFailed(f"{installed_path(name)} is gone as soon as it was written: run the command again")
    return name, record


def _refuse_scale(spec: str, card: Card, scale: int | None) -> None:
    """Refuse a model of another scale before it is fetched, where the service says of which it is."""
    if not spec.startswith(openmodeldb.PREFIX):
        return
    if card.scale not in SCALES:
        raise BadInput(f"{spec} is an x{card.scale} model: SR is measured at {LISTED}")
    if scale is not None and scale != card.scale:
        raise other_scale(spec, "model", card.scale, scale)


def _fetch(spec: str, name: str, card: Card) -> None:
    from srbench.zoo.checkpoint import read_state_dict
    from srbench.zoo.factories import probe
    from srbench.zoo.loading import build_network
    from srbench.zoo.model import SRModel

    failures = []
    for source in (source for source in card.sources if source.downloads):
        try:
            file = obtain(source, home.home() / "downloads" / source.filename)
        except Unavailable as error:
            failures.append(str(error))
            continue
        try:
            state = read_state_dict(file.path)
            network = build_network(state, file.path)
            facts = {"family": network.family, "parameters": network.parameters}
            card = card.model_copy(
                update={"architecture": facts, "scale": network.scale, "sources": (source,)}
            )
            sha256, size = file.sha256, network.size
            probe(spec, SRModel(network.module, name=spec, card=card, weights_sha256=sha256, size=size))
            with home.cannot_write(installed_path(name).parent):
                keep(name, state, file, card, spec)
            first_use.record(source, file.sha256, file.bytes, file.origin)
            home.forget_weight_files()
            return
        finally:
            file.remove()
    if failures:
        raise Unavailable(
            f"{spec} could not be fetched: {'; '.join(failures)}; or fetch {card.sources[0].address} "
            f"elsewhere and name the file, as in --models {card.sources[0].filename}"
        )
    by_hand = card.sources[0]
    raise BadInput(
        f"{spec} is where only a person can fetch it (licence: {card.licence}): take it from "
        f"{by_hand.address} and name the file, as in --models {by_hand.filename}"
    )


def _open(spec: str, name: str, record: Installed) -> Network:
    from srbench.zoo.loading import load_network

    path = installed_path(name)
    if not path.is_file() or home.sha256_file(path) != record.file_sha256:
        raise BadInput(f"{path} was changed or removed: remove it, and {spec} is fetched again")
    return load_network(path)


def _installed_as(spec: str) -> str:
    """Return what a model is installed as: legible, and another for every specification."""
    digest = hashlib.sha256(spec.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._]+', '-', spec)[:100]}-{digest}"
