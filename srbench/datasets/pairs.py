"""Match HR files with LR files by name, never by sort order."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

from srbench.datasets.listing import EXTENSIONS, describe_files, examples, image_files, list_folder
from srbench.datasets.suffixes import (
    HR_SUFFIXES,
    LEVELS,
    LR_SUFFIXES,
    Role,
    composed,
    readings,
    strip_suffix,
)
from srbench.errors import BadInput

__all__ = [
    "EXTENSIONS",
    "HR_SUFFIXES",
    "LR_SUFFIXES",
    "describe_files",
    "image_files",
    "match_pairs",
    "single_images",
    "strip_suffix",
]

Pairs = dict[str, tuple[Path, Path]]


def single_images(folder: Path) -> dict[str, Path]:
    """List the images of a set without ground truth: stem to file, sorted by stem.

    Raises:
        BadInput: no images, or two files with the same stem (``a.png`` and ``a.jpg``).
    """
    return _by_key((file.stem, file) for file in image_files(folder))


def match_pairs(lr_dir: Path, hr_dir: Path, *, pair_by: str | None = None) -> Pairs:
    """Pair the LR with the HR files of two folders, or of one folder that holds both.

    In two folders, files of equal stem belong together; what is left is matched after stripping
    :data:`LR_SUFFIXES` from the LR and :data:`HR_SUFFIXES` from the HR stems, and then by the wider rules
    of :func:`~srbench.datasets.suffixes.readings`. In one folder, the suffix of either role says which
    file is the LR and which the HR; a file without one takes the role its partner leaves free.

    Args:
        lr_dir: the folder of the LR images.
        hr_dir: the folder of the HR images, which may be the same.
        pair_by: a regular expression whose one group is what the stems of a pair share; no suffix
            counts then.

    Returns:
        The shared stem to (LR file, HR file), sorted by stem.

    Raises:
        BadInput: no images, a file without a partner, or two files for one place.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("bird_LR.png", "bird_HR.png"):
    ...     (folder / name).touch()
    >>> {stem: (lr.name, hr.name) for stem, (lr, hr) in match_pairs(folder, folder).items()}
    {'bird': ('bird_LR.png', 'bird_HR.png')}
    """
    one_folder = lr_dir.resolve() == hr_dir.resolve()
    if pair_by is not None:
        if one_folder:
            raise BadInput("--pair-by tells pairs, not LR from HR: put the LR and the HR in two folders")
        key = _key_pattern(pair_by)
        lr, hr = (_by_key((_key(key, file), file) for file in image_files(d)) for d in (lr_dir, hr_dir))
        pairs = {k: (lr[k], hr[k]) for k in lr if k in hr}
    elif one_folder:
        pairs = _match_in_one(lr_dir)
    else:
        lr, hr = single_images(lr_dir), single_images(hr_dir)
        pairs = _match_in_two(lr, hr)
    if not one_folder:
        _refuse_what_is_left(pairs, lr_dir, lr.values(), hr_dir, hr.values())
    return dict(sorted(pairs.items()))


def _match_in_two(lr: Mapping[str, Path], hr: Mapping[str, Path]) -> Pairs:
    pairs = {stem: (lr[stem], hr[stem]) for stem in lr.keys() & hr.keys()}
    # The listed suffixes may not make two files one, matched or not: whose partner would it be?
    lr_by = _by_key((k if k in pairs else strip_suffix(k, LR_SUFFIXES), f) for k, f in lr.items())
    hr_by = _by_key((k if k in pairs else strip_suffix(k, HR_SUFFIXES), f) for k, f in hr.items())
    pairs |= {key: (lr_by[key], hr_by[key]) for key in lr_by.keys() & hr_by.keys()}
    done = {file for pair in pairs.values() for file in pair}
    # The least stripping first.
    for level, other in sorted(product(range(LEVELS), repeat=2), key=sum):
        lr_left = _groups(lr, "lr", level, done)
        hr_left = _groups(hr, "hr", other, done)
        for key in lr_left.keys() & hr_left.keys():
            for files in (lr_left[key], hr_left[key]):
                if len(files) > 1:
                    raise _both(files[0], files[1], key)
            if key in pairs:
                raise _both(pairs[key][0], lr_left[key][0], key)
            pairs[key] = (lr_left[key][0], hr_left[key][0])
            done.update(pairs[key])
    return pairs


def _groups(files: Mapping[str, Path], role: Role, level: int, done: set[Path]) -> dict[str, list[Path]]:
    """Group files without a partner by what they may stand for."""
    groups = defaultdict(list)
    for stem, file in files.items():
        if file not in done:
            groups[composed(readings(stem, role)[level])].append(file)
    return groups


def _refuse_what_is_left(
    pairs: Pairs, lr_dir: Path, lr: Iterable[Path], hr_dir: Path, hr: Iterable[Path]
) -> None:
    lr, hr = list(lr), list(hr)
    paired = {file for pair in pairs.values() for file in pair}
    sides: tuple[tuple[Role, Path, list[Path], Role, Path], ...] = (
        ("lr", lr_dir, lr, "hr", hr_dir),
        ("hr", hr_dir, hr, "lr", lr_dir),
    )
    for role, _, files, other, there in sides:
        alone = [file for file in files if file not in paired]
        for path, reason in list_folder(there).skipped.items() if alone else ():
            keys = {composed(key) for key in readings(path.stem, other)}
            if partner := next((f for f in alone if not keys.isdisjoint(_keys(f, role))), None):
                raise BadInput(
                    f"{path}, the {other.upper()} of {partner.name}, cannot be read ({reason}): "
                    "convert it to PNG"
                )
    if not pairs:
        stem = min(hr).stem
        raise BadInput(
            f"no image in {lr_dir} ({examples(lr)}) matches one in {hr_dir} ({examples(hr)}): LR and HR "
            f"files must share their stem, such as {stem}x4.png and {stem}.png, or what "
            "`srbench datasets add --pair-by PATTERN` says"
        )
    for _, here, files, other, there in sides:
        if alone := [file for file in files if file not in paired]:
            raise BadInput(
                f"no {other.upper()} image in {there} for {examples(alone)} of {here}: add or remove them"
            )


def _keys(file: Path, role: Role) -> set[str]:
    return {composed(key) for key in readings(file.stem, role)}


def _match_in_one(folder: Path) -> Pairs:
    files = single_images(folder)
    pairs: Pairs = {}
    for level in range(1, LEVELS):
        done = {file for pair in pairs.values() for file in pair}
        left = {stem: file for stem, file in files.items() if file not in done}
        found = _roles_of(folder, left, level)
        if twice := sorted(pairs.keys() & found.keys()):
            raise _both(pairs[twice[0]][0], found[twice[0]][0], twice[0])
        pairs |= found
    paired = {file for pair in pairs.values() for file in pair}
    if alone := [file for file in files.values() if file not in paired]:
        for path, reason in list_folder(folder).skipped.items():
            raise BadInput(
                f"{examples(alone)} in {folder} has no partner, and {path.name} cannot be read ({reason}): "
                "convert it to PNG, or remove it"
            )
        raise BadInput(
            f"{examples(alone)} in {folder} has no partner: in one folder for LR and HR, names must "
            "end in a role, such as a_LR.png and a_HR.png"
        )
    return pairs


def _roles_of(folder: Path, files: Mapping[str, Path], level: int) -> Pairs:
    groups: dict[str, dict[str, list[Path]]] = {}
    raw: dict[str, set[str]] = defaultdict(set)
    for stem, file in files.items():
        role, key = _role(stem, level)
        raw[composed(key)].add(key)
        groups.setdefault(composed(key), {"lr": [], "hr": [], "": []})[role].append(file)
    pairs = {}
    for key, roles in groups.items():
        lr, hr, free = roles["lr"], roles["hr"], roles[""]
        if free and lr and not hr:
            hr = free
        elif free and hr and not lr:
            lr = free
        elif free and lr and hr:
            lr = lr + free
        if len(lr) > 1 or len(hr) > 1:
            crowd = lr if len(lr) > 1 else hr
            raise BadInput(f"{examples(crowd)} in {folder} all stand for '{key}': keep one")
        if lr and hr:
            # Where both files spell the key alike, it stays as they spell it: ids are part of hashes.
            pairs[raw[key].pop() if len(raw[key]) == 1 else key] = (lr[0], hr[0])
    return pairs


def _role(stem: str, level: int) -> tuple[str, str]:
    """Return ("lr", "hr" or "", key) of a file in a folder that holds both roles."""
    roles: tuple[Role, ...] = ("lr", "hr")
    # "_HR_x4" ends in "x4" too: the longer suffix, which leaves the shorter stem, is the one meant.
    role, key = min(
        ((role, readings(stem, role)[level]) for role in roles), key=lambda reading: len(reading[1])
    )
    return ("", stem) if key == stem else (role, key)


def _key_pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise BadInput(f"--pair-by '{text}' is no regular expression ({error})") from error
    if pattern.groups != 1:
        raise BadInput(
            f"--pair-by '{text}' has {pattern.groups} groups: put what LR and HR names share in one, as in "
            r"'^(\d+)_'"
        )
    return pattern


def _key(pattern: re.Pattern[str], file: Path) -> str:
    match = pattern.search(composed(file.stem))
    if not match or not match[1]:
        raise BadInput(f"--pair-by '{pattern.pattern}' finds nothing in {file.name} of {file.parent}")
    return match[1]


def _by_key(keyed_files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for key, file in keyed_files:
        if key in files:
            raise _both(files[key], file, key)
        files[key] = file
    return dict(sorted(files.items()))


def _both(one: Path, two: Path, key: str) -> BadInput:
    return BadInput(f"{one.name} and {two.name} in {one.parent} both stand for '{key}': keep one")
