"""Install weights by the name of the metric, or of the perceptual loss, that needs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from srbench.errors import BadInput, RunFailed, Unavailable, unknown
from srbench.metrics import registry
from srbench.metrics.backbones import PERCEPTUAL
from srbench.metrics.weights import Weight

ALL, RECOMMENDED = "all", "recommended"


def weights_of(name: str) -> tuple[Weight, ...]:
    """Return what a metric or a perceptual loss of attacks and trainings needs; empty for nothing.

    Raises:
        BadInput: there is neither; the nearest names are listed.

    >>> [weight.name for weight in weights_of("vgg19")]
    ['VGG19 (ImageNet, torchvision)']
    """
    if name in PERCEPTUAL:
        return (PERCEPTUAL[name],)
    known = registry()
    if name not in known:
        raise unknown("metric", name, [*known, *PERCEPTUAL], "srbench metrics")
    return known[name].weights


def needing(group: str = ALL) -> list[str]:
    """Return what needs weights: everything, or the metrics a board is made with."""
    found = [m.name for m in registry().values() if m.weights and (group == ALL or m.recommended)]
    return [*found, *(PERCEPTUAL if group == ALL else ())]


def missing() -> list[str]:
    """Return those of :func:`needing` whose weights are not here."""
    return [name for name in needing() if any(weight.find() is None for weight in weights_of(name))]


def install(name: str, files: Sequence[Path], say: Callable[[str], None]) -> None:
    """Fetch what a metric needs, or take it from files.

    Raises:
        BadInput: an unknown name, or a file that holds none of it.
        Unavailable: it cannot be fetched.
    """
    weights = weights_of(name)
    if not weights:
        say(f"{name} needs no weights")
    for file in files:
        failures = []
        for weight in weights:
            try:
                say(f"{weight.name}: {weight.install(file)}")
                break
            except BadInput as error:
                failures.append(str(error))
        else:
            raise BadInput(failures[0] if failures else f"{name} needs no weights, {file} was not used")
    for weight in weights:
        if files and weight.find() is None:
            raise BadInput(f"{name} also needs {weight.name}: give another --from")
        try:
            say(f"{weight.name}: {weight.locate()}")
        except Unavailable as error:
            by_hand = f"srbench metrics install {name} --from {weight.files[0].filename}"
            raise Unavailable(f"{error}; or give the file with `{by_hand}`") from error


def install_group(group: str, say: Callable[[str], None]) -> None:
    """Fetch what all metrics, or those a board is made with, need; one that fails does not stop the others.

    Raises:
        RunFailed: some could not be fetched; the message says which and why.
    """
    names, failures = needing(group), []
    for name in names:
        try:
            install(name, (), say)
        except Unavailable as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise RunFailed(f"{len(failures)} of {len(names)} could not be installed: {'; '.join(failures)}")
