"""Turn what a user writes after ``--datasets`` into data sets, with what has to be said about them."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Literal

from srbench.datasets.base import DataSet
from srbench.datasets.manifests import OwnSet, SetManifest, manifest, names, own_names
from srbench.datasets.mini_crops import CROP
from srbench.datasets.own import is_own, open_own
from srbench.datasets.registry import add_command, how_to_get, open_set, status
from srbench.errors import BadInput
from srbench.support.scales import SCALE

Track = Literal["auto", "full", "mini"]


def resolve(
    specs: Sequence[str], *, track: Track = "auto", scale: int = SCALE
) -> tuple[list[DataSet], list[str]]:
    """Open the data sets a user asked for.

    Args:
        specs: any of: a name; ``all`` (every registered set; with none registered, or on the mini
            track, the mini sets); a wildcard (what is available among the names it matches);
            ``pairs:LR_DIR:HR_DIR`` and ``folder:DIR`` for a user's own images, on any track, and
            ``degrade:HOW:HR_DIR`` for photographs to be degraded (HOW: clean, ntire, aim or blind), with
            ``NAME=`` before them to choose what they are called.
        track: "auto" takes a registered set or else its mini, "full" and "mini" insist on either.
        scale: how many times larger SR is, and HR.

    Returns:
        The data sets in the order asked for, each once, and one line for everything that is not as
        asked for to the letter (a mini in the place of a full set, an unusual number of images, files
        that were skipped, sets that had to be named after their LR folders).

    Raises:
        BadInput: unknown name, a set that is not on this machine, or anything wrong with its files.

    >>> from srbench import datasets
    >>> (clean,), notices = datasets.resolve(["clean-mini"])
    >>> clean
    <MiniSet clean-mini: 12 images, paired>
    >>> image = clean.load("chelsea-20-95")
    >>> image.lr.shape, image.hr.shape
    ((64, 64, 3), (256, 256, 3))
    """
    opened: dict[str, DataSet] = {}
    own, notices = open_own([spec for spec in specs if is_own(spec)], scale)
    for spec in specs:
        if spec in own:
            opened.setdefault(own[spec].name, own[spec])
            continue
        if spec == "all" and track == "auto" and not _registered(scale):
            notices.append(
                "no data set is registered: using the mini sets; `srbench datasets` lists the full ones"
            )
        for data_set, lines in _open_spec(spec, track, scale):
            opened.setdefault(data_set.name, data_set)
            notices += [line for line in lines if line not in notices]
    if not opened:
        raise BadInput("no data set was named: `srbench datasets` lists them all")
    return list(opened.values()), notices


def _open_spec(spec: str, track: Track, scale: int) -> list[tuple[DataSet, list[str]]]:
    if spec == "all" or any(c in spec for c in "*?["):
        return [_open_named(name, track, scale) for name in _expand(spec, track, scale)]
    return [_open_named(spec, track, scale)]


def _open_named(name: str, track: Track, scale: int) -> tuple[DataSet, list[str]]:
    card = manifest(name, scale)
    if track == "full" and card.is_mini:
        raise BadInput(f"{name} is a mini set, which --track full rules out: name the full set")
    if track == "mini" and not card.is_mini and not isinstance(card, OwnSet):
        if card.mini is None:
            raise BadInput(f"{name} has no mini set: leave --track mini out, or {name}")
        return open_set(manifest(card.mini), scale), [_in_place(card, "--track mini", scale)]
    state = status(name, scale) if not card.is_mini else None
    if state is None:
        return open_set(card, scale), []
    if state.available:
        return open_set(card, scale), [f"{name}: {state.note}"] if state.note else []
    if state.note:  # registered once: taking the mini would hide that a disk is not mounted
        raise BadInput(f"{name} is {state.note}: bring the folder back, or register again with `{state.how}`")
    if track == "auto" and card.mini is not None:
        return open_set(manifest(card.mini), scale), [
            _in_place(card, f"{name} is not registered{_at(scale)}", scale)
        ]
    raise BadInput(
        f"{name} is not registered{_at(scale)}: {how_to_get(card, scale)}; where to get it: {card.how}"
    )


def _in_place(card: SetManifest, reason: str, scale: int) -> str:
    assert card.mini is not None
    mini = manifest(card.mini)
    line = f"{reason}: using {mini.name} ({mini.images} crops of {CROP} x {CROP})"
    if status(card.name, scale).available:
        return f"{line} in place of {card.name}"
    return f"{line}; get the full set: {how_to_get(card, scale)}"


def _at(scale: int) -> str:
    return "" if scale == SCALE else f" at x{scale}"


def _expand(pattern: str, track: Track, scale: int) -> list[str]:
    """Return the names a pattern stands for; ``all`` stands for ``*``."""
    cards = [manifest(n, scale) for n in _matching("*" if pattern == "all" else pattern, scale)]
    if not cards:
        raise BadInput(f"no data set matches '{pattern}': `srbench datasets` lists them all")
    full = [c for c in cards if not c.is_mini]
    own = [c.name for c in full if isinstance(c, OwnSet)]
    stand_ins = {c.mini for c in full if c.mini}
    # Beside full sets another edition of the mini track would be the same photographs twice.
    minis = [c.name for c in cards if c.is_mini and (c.name in stand_ins or not full)]
    registered_here = _registered(scale)
    registered = [c for c in full if c.name in registered_here]
    if track == "mini":
        chosen = [*minis, *(c.mini for c in full if c.mini and c.mini not in minis)]
        # Images of one's own have no mini set and are meant where they are named, all of them are not.
        chosen += own if pattern != "all" and not chosen else []
    elif track == "full":
        chosen = [c.name for c in registered]
    elif pattern == "all":
        chosen = [c.name for c in registered] or minis
    else:
        absent = [c.name for c in full if c.mini and c not in registered]
        chosen = [c.name for c in registered] + absent + [name for name in minis if name not in stand_ins]
    if not chosen:
        hint = f"register a set with `{add_command(full[0], scale)}`" if full else "these are mini sets"
        raise BadInput(f"nothing that '{pattern}' matches is available on the {track} track: {hint}")
    return chosen


def _matching(pattern: str, scale: int) -> list[str]:
    """Return the known names a wildcard matches, in any case."""
    return [
        name for name in (*names(), *own_names(scale)) if fnmatch.fnmatchcase(name.lower(), pattern.lower())
    ]


def _registered(scale: int) -> list[str]:
    """List the full sets that are registered; one whose folder is gone counts, so that opening it says so."""
    return [
        n
        for n in (*names(), *own_names(scale))
        if not manifest(n, scale).is_mini and status(n, scale).images is not None
    ]
