"""Open data sets by their folders: ``pairs:LR_DIR:HR_DIR``, ``folder:DIR`` and ``degrade:HOW:HR_DIR``.

``NAME=`` may stand before each of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srbench.datasets.base import DataSet
from srbench.datasets.files import user_folder, user_pairs
from srbench.datasets.labels import NAME, default_words, distinct_names
from srbench.datasets.listing import notices
from srbench.datasets.manifests import names, own_names
from srbench.errors import BadInput
from srbench.support.home import user_path
from srbench.support.scales import SCALE

_SPEC = re.compile(r"(?:(?P<name>[^=:/\\]*)=)?(?P<kind>pairs|folder|degrade):(?P<folders>.*)", re.DOTALL)


@dataclass
class _Own:
    data: DataSet
    lr: Path
    hr: Path | None
    named: bool
    degradation: str = ""


def is_own(spec: str) -> bool:
    """Return whether a user means folders by what they wrote after ``--datasets``."""
    return _SPEC.fullmatch(spec) is not None


def open_own(specs: Sequence[str], scale: int = SCALE) -> tuple[dict[str, DataSet], list[str]]:
    """Open the sets that are given by their folders, each under a name no other one has.

    A set that is alone with its name keeps it, for the name is part of where its records are stored.
    Where the HR folder would give one name to several sets, all of them are named after their LR folders.

    Args:
        specs: what :func:`is_own` is true of.
        scale: how many times larger HR is.

    Returns:
        The sets by what was written for them, and one line for what was skipped in their folders or
        named otherwise.

    Raises:
        BadInput: a name that cannot be used, or anything wrong with the folders and their files.
    """
    opened = {spec: _open(spec, scale) for spec in dict.fromkeys(specs)}
    said = [line for own in opened.values() for line in notices(own.lr, own.hr)]
    for spec, own in opened.items():
        for other in opened.values():
            if (
                own.named
                and own is not other
                and own.data.name.lower() == other.data.name.lower()
                and (own.lr.resolve(), own.hr, own.degradation)
                != (other.lr.resolve(), other.hr, other.degradation)
            ):
                raise BadInput(
                    f"'{spec}' and another set are both called {own.data.name}: name one otherwise"
                )
    # What was degraded has its degradation and its content in its name, which tells it apart.
    for group in _of_one_name([o for o in opened.values() if not o.named and not o.degradation]):
        taken = {own.data.name.lower() for own in opened.values() if own.named}
        taken |= {own.data.name.lower() for own in opened.values() if own not in group}
        taken |= {name.lower() for name in (*names(), *own_names(scale), "all")}
        labels = distinct_names([own.lr for own in group], [own.data.content_hash for own in group], taken)
        by_default = {own.data.name: label for own, label in zip(group, labels, strict=True)}
        said += [f"{label} is {own.data.title}" for own, label in zip(group, labels, strict=True)]
        for own in opened.values():  # a copy of the same images is the same set
            if not own.named:
                own.data.name = by_default.get(own.data.name, own.data.name)
    return {spec: own.data for spec, own in opened.items()}, list(dict.fromkeys(said))


def _of_one_name(unnamed: Sequence[_Own]) -> list[list[_Own]]:
    """Group sets of different content whose names a reader cannot tell apart; the content once each."""
    groups: dict[str, dict[str, _Own]] = {}
    for own in unnamed:
        words = default_words(own.hr or own.lr).lower()
        groups.setdefault(words, {}).setdefault(own.data.name, own)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def _open(spec: str, scale: int) -> _Own:
    match = _SPEC.fullmatch(spec)
    assert match is not None
    name = match["name"]
    if name is not None:
        _check_name(name, spec, scale)
    if match["kind"] == "folder":
        folder = user_path(match["folders"])
        return _Own(user_folder(folder, name=name or "", scale=scale), folder, None, name is not None)
    if match["kind"] == "degrade":
        return _degraded(match["folders"], spec, name or "", scale)
    lr, hr = _two_folders(match["folders"], spec)
    return _Own(user_pairs(lr, hr, name=name or "", scale=scale), lr, hr, name is not None)


def _degraded(text: str, spec: str, name: str, scale: int) -> _Own:
    """Open ``HOW:HR_DIR``."""
    from srbench.datasets.degradations import degradation
    from srbench.datasets.degraded import DegradedSet, photographs

    how, _, folder_text = text.partition(":")
    kind = degradation(how)
    if not folder_text:
        raise BadInput(f"'{spec}' names no folder: write degrade:{kind.name}:HR_DIR")
    folder = user_path(folder_text)
    data = DegradedSet(photographs(folder, scale), kind, folder, name=name, scale=scale)
    return _Own(data, folder, folder, bool(name), kind.title)


def _check_name(name: str, spec: str, scale: int) -> None:
    if not re.fullmatch(NAME, name) or name.lower() == "all":
        raise BadInput(
            f"'{spec}' begins with no name: use letters, digits and . _ + -, no sign first, not 'all'"
        )
    if name.lower() in {known.lower() for known in (*names(), *own_names(scale))}:
        raise BadInput(f"'{name}' is a data set of its own: choose another name for '{spec}'")


def _two_folders(text: str, spec: str) -> tuple[Path, Path]:
    """Return the folders of ``LR_DIR:HR_DIR``, whose paths may hold colons themselves."""
    splits = [
        (text[:i], text[i + 1 :]) for i, c in enumerate(text) if c == ":" and text[:i] and text[i + 1 :]
    ]
    if not splits:
        raise BadInput(f"'{spec}' does not name two folders: write pairs:LR_DIR:HR_DIR")
    pairs = [(user_path(lr), user_path(hr)) for lr, hr in splits]
    return next((pair for pair in pairs if pair[0].is_dir() and pair[1].is_dir()), pairs[0])
