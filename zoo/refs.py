"""Turn what the user wrote into models that can be loaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import BadInput, unknown
from srbench.support.home import sha256_file, user_path
from srbench.zoo.catalog import find_card, names, registered
from srbench.zoo.schema import NAME, Card, user_card
from srbench.zoo.weights import SUFFIXES, Status, status

if TYPE_CHECKING:
    from torch import nn

    from srbench.zoo.loading import Network
    from srbench.zoo.model import SRModel

RUN_CARD, RUN_WEIGHTS = "card.toml", "model.safetensors"
"""These two files make the directory of a training a model."""

_NAMED = re.compile(rf"(?P<name>{NAME.pattern})=(?P<spec>.+)")
"""A user's own name for a model: ``mine=net_g_latest.pth``."""
_tried: list[tuple[Path, str, Network]] = []
"""Whoever opens the checkpoint tried last gets it from here, once, instead of reading it again."""


@dataclass(frozen=True)
class ModelRef:
    """Names a model that is there to be loaded.

    Attributes:
        name: its name in records and tables.
        card: what is known about it.
        weights_sha256: of the published weight file; for Python factories over the state dict and the code
            that makes the network; "" for what comes with srbench and has nothing to load.
    """

    name: str
    card: Card = field(hash=False)
    weights_sha256: str
    _open: Callable[[], Network] = field(repr=False, compare=False)

    def load(self, device: str = "cpu", precision: str = "fp32") -> SRModel:
        """Load the model, ready to run.

        Args:
            device: a torch device.
            precision: ``fp32``, or ``bf16`` to run the network in bfloat16.

        Raises:
            BadInput: an unknown precision, one the architecture cannot run in, a device that is not
                there, or weights that changed since :func:`resolve`.

        >>> from srbench import zoo
        >>> model = zoo.resolve(["bicubic"])[0].load()
        >>> (model.name, model.scale)
        ('bicubic', 4)
        """
        from srbench.zoo.model import SRModel

        network = self._open()
        if precision == "bf16" and not network.bf16:
            raise BadInput(f"{self.name} ({network.family}) does not run in bf16: use --precision fp32")
        model = SRModel(
            network.module,
            name=self.name,
            card=self.card,
            weights_sha256=self.weights_sha256,
            size=network.size,
            precision=precision,
        )
        try:
            return model.to(device)
        except (RuntimeError, AssertionError) as error:
            reason = " ".join(str(error).split())[:160]
            raise BadInput(f"{self.name} cannot be put on device '{device}' ({reason})") from error


def resolve(specs: Sequence[str | ModelRef]) -> list[ModelRef]:
    """Return the models a list of specifications names, in order and each once.

    Args:
        specs: ``all`` (every installed model), names, wildcards over names (``esrgan*``, matching
            what is installed), paths of .pth, .pt, .ckpt or .safetensors checkpoints, directories of
            trainings, ``module.path:factory``, each of these under a name of the user's own
            (``mine=net_g_latest.pth``), and models that are resolved already.

    Raises:
        BadInput: an unknown name, a named model that is not installed (with the command that installs
            it), a wildcard that matches nothing installed, a file or factory that cannot be used, or two
            different models that would go by one name.

    >>> from srbench import zoo
    >>> [ref.name for ref in zoo.resolve(["bicubic", "impressionism-*-mini"])]
    ['bicubic', 'impressionism-aim-mini', 'impressionism-ntire-mini']
    """
    refs: dict[str, ModelRef] = {}
    for spec in specs:
        for ref in _resolve_one(spec):
            first = refs.setdefault(ref.name, ref)
            if first.weights_sha256 != ref.weights_sha256:
                raise BadInput(
                    f"two different models would be called '{ref.name}': give one another name, as in "
                    f"{ref.name}-2={spec if isinstance(spec, str) else 'FILE'}"
                )
    return list(refs.values())


def _resolve_one(spec: str | ModelRef) -> Iterator[ModelRef]:
    known = names()
    if isinstance(spec, ModelRef):
        yield spec
    elif (named := _NAMED.fullmatch(spec)) and not user_path(spec).exists():
        yield _renamed(named["name"], named["spec"])
    elif spec == "all":
        yield from _installed(known)
    elif spec in known:
        yield _by_name(spec, status(spec))
    elif Path(spec).suffix.lower() in SUFFIXES:
        yield _checkpoint(user_path(spec))
    elif (user_path(spec) / RUN_CARD).is_file():
        yield _run(user_path(spec))
    elif any(c in spec for c in "*?["):
        yield from _matching(spec, known)
    elif ":" in spec:
        yield _factory(spec)
    elif Path(spec).is_file():
        raise BadInput(f"{spec} is no checkpoint by its name: srbench reads {', '.join(SUFFIXES)}")
    else:
        raise unknown("model", spec, known, "srbench models")


def _renamed(name: str, spec: str) -> ModelRef:
    """Return the one model of a specification under a name the user gives it."""
    if name in names() and name != spec:
        raise BadInput(f"{name}={spec}: {name} is a model of the zoo; choose another name")
    refs = list(_resolve_one(spec))
    if len(refs) != 1:
        raise BadInput(f"{name}={spec}: these are {len(refs)} models; name one")
    card = refs[0].card.model_copy(update={"name": name, "title": name})
    return replace(refs[0], name=name, card=card)


def _installed(candidates: Iterable[str]) -> Iterator[ModelRef]:
    for name in candidates:
        state = status(name)
        if state.installed:
            yield _by_name(name, state)


def _matching(pattern: str, known: list[str]) -> list[ModelRef]:
    matched = [name for name in known if fnmatchcase(name.lower(), pattern.lower())]
    if not matched:
        raise unknown("model", pattern, known, "srbench models")
    refs = list(_installed(matched))
    if not refs:
        raise BadInput(f"no model that matches '{pattern}' is installed: {status(matched[0]).how}")
    return refs


def _by_name(name: str, state: Status) -> ModelRef:
    card = find_card(name)
    if factory := registered(name):
        return from_factory(name, name, card, factory)
    if not state.installed:
        raise BadInput(f"{name} is not installed: {state.how}")
    if not card.sources and not card.packaged:
        return ModelRef(name, card, "", partial(_open_builtin, name))
    assert state.path is not None and state.sha256 is not None
    if not state.verified:
        # Nothing vouches for this file but its name: find out now, not after other models have run.
        from srbench.zoo.loading import load_network

        load_network(state.path, card)
    return ModelRef(name, card, state.sha256, partial(_open_card, name, state.path, state.sha256))


def _open_builtin(name: str) -> Network:
    from srbench.zoo.factories import import_factory, make_network

    spec = str(find_card(name).architecture["factory"])
    return _network(make_network(spec, import_factory(spec)), name)


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


def _checkpoint(path: Path) -> ModelRef:
    from srbench.zoo.factories import probe
    from srbench.zoo.loading import load_network
    from srbench.zoo.model import SRModel

    if not path.stem.isprintable():  # control characters, and bytes that are no UTF-8
        raise BadInput(f"{path.name!a} has characters no table can show: rename the file")
    network = load_network(path)
    sha256 = sha256_file(path)
    architecture: dict[str, str | int] = {"family": network.family, "parameters": network.parameters}
    card = user_card(path.stem, architecture, notes=f"a checkpoint of the user's: {path.name}")
    model = SRModel(network.module, name=card.name, card=card, weights_sha256=sha256, size=network.size)
    probe(str(path), model)
    _tried[:] = [(path, sha256, network)]
    return ModelRef(card.name, card, sha256, partial(_open_checkpoint, path, sha256))


def _run(folder: Path) -> ModelRef:
    """Return the model a training left in its directory."""
    from srbench.support.toml import read_toml
    from srbench.zoo.loading import load_network

    try:
        card = Card.model_validate(read_toml(folder / RUN_CARD))
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadInput(f"{folder / RUN_CARD} is no model card ({reason})") from error
    path = folder / RUN_WEIGHTS
    network = load_network(path, card)
    sha256 = sha256_file(path)
    _tried[:] = [(path, sha256, network)]
    return ModelRef(card.name, card, sha256, partial(_open_checkpoint, path, sha256))


def _open_checkpoint(path: Path, sha256: str) -> Network:
    from srbench.zoo.loading import load_network

    if not path.is_file() or sha256_file(path) != sha256:
        raise BadInput(f"{path} was changed or removed since the run began: run the command again")
    if _tried and _tried[0][:2] == (path, sha256):
        return _tried.pop()[2]
    return load_network(path)


def _factory(spec: str) -> ModelRef:
    from srbench.zoo.factories import import_factory
    from srbench.zoo.source_code import module_sha256

    card = user_card(spec, {"family": "python"}, notes="a network made by the user's own code")
    factory = import_factory(spec)
    return from_factory(spec, spec, card, factory, code_sha256=module_sha256(spec.partition(":")[0]))


def from_factory(
    name: str, spec: str, card: Card, factory: Callable[[], nn.Module], code_sha256: str = ""
) -> ModelRef:
    """Return a model made by Python code; it is built, and tried on a small image, at once.

    Args:
        name: its name in records and tables.
        spec: what to call the factory in messages.
        card: what is known about it.
        factory: called without arguments whenever the model is loaded; has to give the same weights.
        code_sha256: of the code that makes the network; the network's classes if empty.

    Raises:
        BadInput: the factory fails or makes no x4 network.
    """
    from srbench.zoo.factories import make_network, probe, state_sha256
    from srbench.zoo.source_code import classes_sha256

    module = make_network(spec, factory).eval()
    probe(spec, module)
    state = state_sha256(module)
    # Equal weights, or none, in other code are another model, whose records are not this one's.
    identity = hashlib.sha256(f"{state} {code_sha256 or classes_sha256(module)}".encode()).hexdigest()
    return ModelRef(name, card, identity, partial(_open_factory, name, factory, state))


def _open_factory(name: str, factory: Callable[[], nn.Module], sha256: str) -> Network:
    from srbench.zoo.factories import make_network, state_sha256

    module = make_network(name, factory)
    if state_sha256(module) != sha256:
        raise BadInput(f"{name} gives other weights each time it is called: load or seed them in the factory")
    return _network(module, name)


def _network(module: nn.Module, family: str) -> Network:
    from srbench.zoo.loading import Network

    return Network(module, family, sum(p.numel() for p in module.parameters()))
