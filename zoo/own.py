"""Take the models users bring: checkpoints, directories of trainings, networks made by Python code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from srbench.errors import BadInput
from srbench.support.home import sha256_file, user_path
from srbench.support.scales import SCALE, SCALES
from srbench.support.toml import read_toml
from srbench.zoo import contained, runs
from srbench.zoo.made_elsewhere import PREFIX, read_outputs
from srbench.zoo.model_ref import ModelRef
from srbench.zoo.options import Options, with_range
from srbench.zoo.schema import DOMAINS, NAME, Card, user_card

if TYPE_CHECKING:
    from torch import nn

    from srbench.zoo.loading import Network

_tried: list[tuple[Path, str, str, Network]] = []
"""Whoever opens the checkpoint tried last gets it from here, once, instead of reading it again."""


def from_checkpoint(path: Path, said: Options) -> ModelRef:
    """Return the model of a checkpoint file; it is read, and tried on a small image, at once.

    One that lies in the directory of a training goes by the training's name and its own.

    Raises:
        BadInput: what :func:`srbench.zoo.loading.load_network` raises; a network of another scale or range
            than was said; a file name that no table can show.
    """
    if not path.stem.isprintable():  # control characters, and bytes that are no UTF-8
        raise BadInput(f"{path.name!a} has characters no table can show: rename the file")
    notes = f"a checkpoint of the user's: {path.name}"
    if path.is_file() and (run := runs.run_of(path)):
        return _of_training(path, run, path.stem, said)
    return _tested(path, path.stem, {"title": path.stem, "notes": notes}, said)


def from_run(folder: Path, said: Options) -> ModelRef:
    """Return the model in the directory of a training: its last checkpoint where it is not finished.

    Raises:
        BadInput: there is neither a model nor a checkpoint in it, or they cannot be used.
    """
    from srbench.zoo.loading import load_network

    if said.key:
        raise BadInput(f"{folder},{said.text}: key= chooses a network in a checkpoint file, this is a folder")
    if not runs.is_finished(folder):
        return _of_training(runs.latest_checkpoint(folder), folder, "", said)
    try:
        card = Card.model_validate(read_toml(folder / runs.RUN_CARD))
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadInput(f"{folder / runs.RUN_CARD} is no model card ({reason})") from error
    path = folder / runs.RUN_WEIGHTS
    network = load_network(path, card)
    _check_scale(str(folder), network.scale, said)
    sha256 = sha256_file(path)
    _tried[:] = [(path, "", sha256, network)]
    opener = partial(_open_checkpoint, path, "", sha256)
    return ModelRef(card.name, said.on(card), said.identity(sha256), opener, source=str(folder))


def _of_training(path: Path, folder: Path, which: str, said: Options) -> ModelRef:
    """Return the model of a training's checkpoint, which says how far the training was."""
    recipe = runs.recipe_of(folder)
    done, total = runs.progress(recipe, path)
    name = f"{recipe['name']}{'-' if which else ''}{which}"
    if not NAME.fullmatch(name):
        raise BadInput(f"{folder / runs.RUN_RECIPE}: '{name[:80]}' cannot name a model")
    state = f"iteration {done:,} of {total:,}"
    state = state if runs.is_finished(folder) else f"not finished ({state})"
    domain = recipe.get("domain")
    facts = {
        "title": f"{recipe.get('title') or recipe['name']}, {state}",
        "domain": str(domain) if domain in DOMAINS else "unknown",
        "notes": f"a checkpoint of a training by srbench: {state}",
    }
    ref = _tested(path, name, facts, said)
    return replace(ref, source=str(path if which else folder), note=runs.unfinished(path))


def _tested(path: Path, name: str, facts: dict[str, str], said: Options) -> ModelRef:
    contained.prepare(path)  # before torch is loaded here
    from srbench.zoo.factories import probe
    from srbench.zoo.loading import load_network
    from srbench.zoo.model import SRModel

    network = load_network(path, key=said.key)
    _check_scale(str(path), network.scale, said)
    sha256 = sha256_file(path)
    architecture: dict[str, str | int] = {"family": network.family, "parameters": network.parameters}
    card = said.on(user_card(name, architecture, **facts, scale=network.scale))
    identity = said.identity(sha256)
    probe(
        str(path),
        SRModel(network.module, name=str(path), card=card, weights_sha256=identity, size=network.size),
    )
    _tried[:] = [(path, said.key, sha256, network)]
    source = f"{path},{said.text}" if said.text else str(path)
    return ModelRef(name, card, identity, partial(_open_checkpoint, path, said.key, sha256), source=source)


def _check_scale(spec: str, scale: int, said: Options) -> None:
    if said.scale not in (None, scale):
        raise BadInput(f"{spec},{said.text}: this is an x{scale} model: leave scale= out")


def _open_checkpoint(path: Path, key: str, sha256: str) -> Network:
    from srbench.zoo.loading import load_network

    if not path.is_file() or sha256_file(path) != sha256:
        raise BadInput(f"{path} was changed or removed since the run began: run the command again")
    if _tried and _tried[0][:3] == (path, key, sha256):
        return _tried.pop()[3]
    return load_network(path, key=key)


def from_spec(spec: str, said: Options) -> ModelRef:
    """Return the model that ``module.path:factory`` makes.

    Raises:
        BadInput: what :func:`from_factory` raises, a module that cannot be imported, or a key.
    """
    from srbench.zoo.factories import import_factory
    from srbench.zoo.source_code import module_sha256

    if said.key:
        raise BadInput(f"{spec},{said.text}: key= chooses a network in a checkpoint file, this is code")
    card = said.on(user_card(spec, {"family": "python"}, notes="a network made by the user's own code"))
    factory = import_factory(spec)
    code = module_sha256(spec.partition(":")[0])
    return from_factory(spec, spec, card, factory, code_sha256=code, scale=said.scale)


def from_factory(
    name: str,
    spec: str,
    card: Card,
    factory: Callable[[], nn.Module],
    code_sha256: str = "",
    scale: int | None = None,
) -> ModelRef:
    """Return a model made by Python code; it is built, and tried on a small image, at once.

    Args:
        name: its name in records and tables.
        spec: what to call the factory in messages.
        card: what is known about it.
        factory: called without arguments whenever the model is loaded; has to give the same weights.
        code_sha256: of the code that makes the network; the network's classes if empty.
        scale: how many times larger SR is; None for what the network shows when it is tried.

    Raises:
        BadInput: the factory fails or makes no network of a scale that is measured.
    """
    from srbench.zoo.factories import make_network, probe_scales, state_sha256
    from srbench.zoo.source_code import classes_sha256

    module = make_network(spec, factory)
    state = state_sha256(module)
    # Equal weights, or none, in other code are another model, whose records are not this one's.
    identity = hashlib.sha256(f"{state} {code_sha256 or classes_sha256(module)}".encode()).hexdigest()
    identity = with_range(identity, card.value_range)
    card = probe_scales(spec, module, card, identity, [scale] if scale else [SCALE, *SCALES])
    return ModelRef(name, card, identity, partial(_open_factory, name, factory, state))


def _open_factory(name: str, factory: Callable[[], nn.Module], sha256: str) -> Network:
    from srbench.zoo.factories import make_network, state_sha256

    module = make_network(name, factory)
    if state_sha256(module) != sha256:
        raise BadInput(f"{name} gives other weights each time it is called: load or seed them in the factory")
    return network_of(module, name)


def network_of(module: nn.Module, family: str) -> Network:
    """Return a module with what has to be known to run it, as far as it can be seen from outside."""
    from srbench.zoo.loading import Network

    return Network(module, family, sum(p.numel() for p in module.parameters()))


def from_outputs(spec: str, said: Options) -> ModelRef:
    """Return the model that ``outputs:DIR`` stands for; it goes by the directory's name.

    Raises:
        BadInput: no such directory, no image in it, or options that only a network has.
    """
    folder = user_path(spec.removeprefix(PREFIX))
    if said.key or said.value_range != 1 or said.scale:
        raise BadInput(f"{spec},{said.text}: these are images, and only a network has a range, key or scale")
    made = read_outputs(folder)
    name = "-".join(re.findall(r"[A-Za-z0-9._+-]+", folder.resolve().name)).strip("-._+") or "outputs"
    facts = {"title": name, "notes": f"{len(made.digests)} SR images, made elsewhere"}
    card = said.on(user_card(name, {"family": "made elsewhere"}, **facts))
    return ModelRef(name, card, made.sha256, partial(_no_network, name), source=spec, outputs=made)


def _no_network(name: str) -> NoReturn:
    raise BadInput(f"{name} is SR images made elsewhere: there is no network to run or to attack")
