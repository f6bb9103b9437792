"""Turn what the user wrote into models that can be loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput, unknown
from srbench.support.home import sha256_file, user_path
from srbench.support.scales import other_scale
from srbench.zoo import defences
from srbench.zoo.catalog import find_card, names, registered
from srbench.zoo.community import from_community, is_community
from srbench.zoo.defended import from_defence, is_defended
from srbench.zoo.made_elsewhere import PREFIX
from srbench.zoo.model_ref import ModelRef
from srbench.zoo.options import Options, with_options
from srbench.zoo.own import from_checkpoint, from_factory, from_outputs, from_run, from_spec, network_of
from srbench.zoo.runs import RUN_CARD, RUN_WEIGHTS, is_run
from srbench.zoo.schema import NAME
from srbench.zoo.weights import SUFFIXES, Status, status

if TYPE_CHECKING:
    from srbench.zoo.loading import Network

__all__ = ["RUN_CARD", "RUN_WEIGHTS", "ModelRef", "from_factory", "resolve", "resolve_each", "told_apart"]

_NAMED = re.compile(rf"(?P<name>{NAME.pattern})=(?P<spec>.+)", re.DOTALL)
"""A user's own name for a model: ``mine=net_g_latest.pth``."""


def resolve(
    specs: Sequence[str | ModelRef], scale: int | None = None, *, stand_in: bool = False
) -> list[ModelRef]:
    """Return the models a list of specifications names, in order and each once.

    Args:
        specs: ``all`` (every installed model), names, wildcards over names (``esrgan*``, matching
            what is installed), paths of .pth, .pt, .ckpt or .safetensors checkpoints, directories of
            trainings, ``module.path:factory``, ``openmodeldb:NAME`` and ``hf:OWNER/REPOSITORY/FILE``, which
            are downloaded where they are not here, ``outputs:DIR`` for SR images made elsewhere, each of
            these under a name of the user's own (``mine=net_g_latest.pth``), each of these behind a defence
            (``jpeg(esrgan-mini,quality=75)``, see :mod:`srbench.zoo.defences`), and models that are resolved
            already. Behind a model of the user's stand its options, in the same text or as items of the
            list: ``net.pth,range=255``, see :data:`srbench.zoo.options.NAMES`.
        scale: how many times larger the models' SR has to be: ``all`` and wildcards take those alone. None
            for any, and 4 for a model that can do several.
        stand_in: a model that is named and not installed is replaced by its mini where it has one, as
            ``rsr`` by ``rsr-mini``; its note says so.

    Raises:
        Unavailable: a model of a community that is not here and cannot be fetched.
        BadInput: an unknown name, a named model that is not installed (with the command that installs
            it), a wildcard that matches nothing installed, a file or factory that cannot be used, options
            of a model that has a card, one name given to two different models, or a named model of another
            scale.

    >>> from srbench import zoo
    >>> [ref.name for ref in zoo.resolve(["bicubic", "impressionism-*-mini"])]
    ['bicubic', 'impressionism-aim-mini', 'impressionism-ntire-mini']
    """
    refs: dict[str, ModelRef] = {}
    for ref in told_apart(resolve_each(specs, scale, stand_in=stand_in)):
        if refs.setdefault(ref.name, ref).weights_sha256 != ref.weights_sha256:
            raise BadInput(
                f"two different models would be called '{ref.name}': give one another name, as in "
                f"{ref.name}-2=FILE"
            )
    return list(refs.values())


def resolve_each(
    specs: Sequence[str | ModelRef], scale: int | None = None, *, stand_in: bool = False
) -> list[ModelRef]:
    """Do what :func:`resolve` does up to the names: two models may go by one, and one may come twice."""
    refs = [
        ref
        for spec, said in with_options(specs)
        for ref in (_mini_of(spec, said, scale) if stand_in else None)
        or _resolve_one(spec, said, scale, stand_in)
    ]
    return refs if scale is None else [_at_scale(ref, scale) for ref in refs]


def _at_scale(ref: ModelRef, scale: int) -> ModelRef:
    """Return a model that enlarges by ``scale``; one that does not know its scale takes it."""
    if ref.outputs is not None:
        return ref.at_scale(scale)
    if ref.card.scale != scale:
        raise other_scale(ref.source or ref.name, "model", ref.card.scale, scale)
    return ref


def told_apart(refs: Sequence[ModelRef]) -> list[ModelRef]:
    """Put eight digits of its hash behind the name of a file that something else is called by, too.

    A name that the user gave stays as it is, and so does a model of the zoo's.

    Args:
        refs: models that will stand in one table.
    """
    hashes: dict[str, set[str]] = {}
    for ref in refs:
        hashes.setdefault(ref.name, set()).add(ref.weights_sha256)
    return [
        ref.with_digest()
        if ref.source and (len(hashes[ref.name]) > 1 or ref.name in _taken(ref.source))
        else ref
        for ref in refs
    ]


def _taken(source: str) -> Collection[str]:
    """Names that a file must not share with a model of the zoo; a training may be of a recipe's name."""
    return () if Path(source).is_dir() else names()


def _resolve_one(
    spec: str | ModelRef, said: Options, scale: int | None, stand_in: bool = False
) -> Iterator[ModelRef]:
    known = names()
    if isinstance(spec, ModelRef):
        _refuse(said, spec.name)
        yield _by_name(spec.name, status(spec.name), scale) if _adapts(spec, scale) else spec
    elif is_defended(spec) and not user_path(spec).exists():
        _refuse(said, spec)
        yield from from_defence(spec, partial(resolve_each, scale=scale, stand_in=stand_in))
    elif (named := _NAMED.fullmatch(spec)) and not user_path(spec).exists():
        yield _renamed(named["name"], named["spec"], said, scale)
    elif spec.startswith(PREFIX):
        yield from_outputs(spec, said)
    elif spec == "all":
        _refuse(said, spec)
        yield from _installed(known, scale)
    elif spec in known:
        _refuse(said, spec)
        yield _by_name(spec, status(spec), scale)
    elif is_community(spec):
        yield from_community(spec, said, scale)
    elif Path(spec).suffix.lower() in SUFFIXES:
        yield from_checkpoint(user_path(spec), said)
    elif is_run(user_path(spec)):
        yield from_run(user_path(spec), said)
    elif any(c in spec for c in "*?["):
        _refuse(said, spec)
        yield from _matching(spec, known, scale)
    elif ":" in spec:
        yield from_spec(spec, said)
    else:
        raise _no_model(spec)


def _no_model(spec: str) -> BadInput:
    if Path(spec).is_file():
        return BadInput(f"{spec} is no checkpoint by its name: srbench reads {', '.join(SUFFIXES)}")
    name = spec.partition("(")[0]
    if name != spec and spec.endswith(")"):
        return unknown("defence", name, defences.registry(), "docs/defences.md")
    return unknown("model", spec, names(), "srbench models")


def _mini_of(spec: str | ModelRef, said: Options, scale: int | None) -> list[ModelRef]:
    """Return what stands in for a model that is named and not installed, else nothing.

    Nothing does where there is a file under its name that cannot be it: the user meant that file.
    """
    if not isinstance(spec, str) or spec not in names() or said.text:
        return []
    card, state = find_card(spec), status(spec)
    if card.mini is None or state.installed or state.refused or scale not in (None, card.scale):
        return []
    note = f"{spec} is not installed: using {card.mini}; get the published one: {state.how}"
    return [replace(_by_name(card.mini, status(card.mini), scale), note=note)]


def _adapts(ref: ModelRef, scale: int | None) -> bool:
    """Return whether a resolved model is one of the zoo's that can do another scale too."""
    return ref.card.any_scale and scale not in (None, ref.card.scale) and ref.name in names()


def _refuse(said: Options, spec: str) -> None:
    if said.text:
        raise BadInput(
            f"{spec},{said.text}: options are for files and code of your own, {spec} has a card that says it"
        )


def _renamed(name: str, spec: str, said: Options, scale: int | None) -> ModelRef:
    """Return the one model of a specification under a name the user gives it."""
    if name in names() and name != spec:
        raise BadInput(f"{name}={spec}: {name} is a model of the zoo; choose another name")
    refs = list(_resolve_one(spec, said, scale))
    if len(refs) != 1:
        raise BadInput(f"{name}={spec}: these are {len(refs)} models; name one")
    return refs[0].renamed(name, said.title)


def _installed(candidates: Iterable[str], scale: int | None) -> Iterator[ModelRef]:
    for name in candidates:
        card = find_card(name)
        # Only when it is tried does a registered network show its scale.
        if scale not in (None, card.scale) and not (card.any_scale or registered(name)):
            continue
        state = status(name)
        if state.installed:
            ref = _by_name(name, state, scale)
            if scale in (None, ref.card.scale):
                yield ref


def _matching(pattern: str, known: list[str], scale: int | None) -> list[ModelRef]:
    matched = [name for name in known if fnmatchcase(name.lower(), pattern.lower())]
    if not matched:
        raise unknown("model", pattern, known, "srbench models")
    refs = list(_installed(matched, scale))
    if not refs and (others := list(_installed(matched, None))):
        first = others[0].card
        raise BadInput(
            f"no x{scale} model matches '{pattern}': {first.name} is x{first.scale}, which --scale takes"
        )
    if not refs:
        raise BadInput(f"no model that matches '{pattern}' is installed: {status(matched[0]).how}")
    return refs


def _by_name(name: str, state: Status, scale: int | None) -> ModelRef:
    card = find_card(name)
    if factory := registered(name):
        return from_factory(name, name, card, factory)
    if not state.installed:
        raise BadInput(f"{name} is not installed: {state.how}")
    if not card.sources and not card.packaged:
        if card.any_scale and scale is not None:
            card = card.model_copy(update={"scale": scale})
        return ModelRef(name, card, "", partial(_open_builtin, name, card.scale))
    assert state.path is not None and state.sha256 is not None
    if not state.verified:
        # Nothing vouches for this file but its name: find out now, not after other models have run.
        from srbench.zoo.loading import load_network

        load_network(state.path, card)
    open_it = partial(_open_card, name, state.path, state.sha256)
    note = f"{name}: {state.identity}, as its authors publish none" if state.identity else ""
    return ModelRef(name, card, state.sha256, open_it, note=note)


def _open_builtin(name: str, scale: int) -> Network:
    from srbench.zoo.factories import import_factory, make_network

    card = find_card(name)
    spec = str(card.architecture["factory"])
    factory: Callable[..., Any] = import_factory(spec)
    return network_of(make_network(spec, partial(factory, scale=scale) if card.any_scale else factory), name)


def _open_card(name: str, path: Path, sha256: str) -> Network:
    from srbench.zoo.installed import check_intact, installed_path, read_record
    from srbench.zoo.loading import load_network

    record = read_record(name)
    if record and path == installed_path(name):
        check_intact(name, record)
        digest = record.source_sha256
    else:
        digest = sha256_file(path) if path.is_file() else ""
    if digest != sha256:
        raise BadInput(f"{path} was changed or removed since the run began: run the command again")
    return load_network(path, find_card(name))
