"""Match HR files with LR files by name, never by sort order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from srbench.errors import BadInput

EXTENSIONS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm"))

LR_SUFFIXES = (
    "_SRF_4_LR",  # SelfExSR's Set5, Set14, BSD100, Urban100
    "_LRBI_x4",  # EDSR's and RCAN's benchmark folders
    "_bicubic_x4",
    "_LR_x4",
    "_LRx4",
    "_LR4",  # RealSR
    "_LR",
    "_x4",
    "-x4",
    "x4",  # DIV2K bicubic, EDSR's benchmark
    "x4m",  # DIV2K mild, difficult and wild
    "x4d",
    "x4w",
)
HR_SUFFIXES = (
    "_SRF_4_HR",
    "_HR_x4",
    "_HRx4",
    "_HR",
    "_GT",
    "_x1",  # DRealSR
)
"""Names of LR and of HR files may end in these, in any case, after the stem that they share."""


def strip_suffix(stem: str, suffixes: Iterable[str]) -> str:
    """Return ``stem`` without the longest of ``suffixes`` it ends in (in any case), if that leaves something.

    >>> strip_suffix("0801x4", LR_SUFFIXES), strip_suffix("0801", LR_SUFFIXES)
    ('0801', '0801')
    """
    ends = [s for s in suffixes if stem.lower().endswith(s.lower()) and len(stem) > len(s)]
    return stem[: -max(map(len, ends))] if ends else stem


def image_files(folder: Path) -> list[Path]:
    """List the image files directly in ``folder``, by extension; hidden files are passed over.

    Raises:
        BadInput: not a directory, not readable, without image files, or with one that is none (a link that
            leads nowhere, a pipe) or whose name cannot be written in one line.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a directory: give the folder that holds the images")
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and _is_meant(p))
    except OSError as error:
        raise BadInput(f"{folder} cannot be read ({error.strerror or error})") from error
    if not files:
        raise BadInput(
            f"{folder} holds no images ({', '.join(sorted(EXTENSIONS))}; sub-folders are not searched)"
        )
    return files


def _is_meant(path: Path) -> bool:
    """Return whether it is an image by its name: neither hidden nor a folder."""
    if path.name.startswith(".") or path.is_dir():
        return False
    if not path.is_file():
        raise BadInput(f"{path} is no file (a link that leads nowhere, a pipe or a device): remove it")
    if not path.name.isprintable():  # control characters, and bytes that are no UTF-8
        raise BadInput(f"{path.name!a} in {path.parent} has characters no table can show: rename it")
    return True


def single_images(folder: Path) -> dict[str, Path]:
    """List the images of a set without ground truth: stem to file, sorted by stem.

    Raises:
        BadInput: no images, or two files with the same stem (``a.png`` and ``a.jpg``).
    """
    return _by_key((file.stem, file) for file in image_files(folder))


def match_pairs(lr_dir: Path, hr_dir: Path) -> dict[str, tuple[Path, Path]]:
    """Pair the LR with the HR files of two folders, or of one folder that holds both.

    In two folders, files of equal stem belong together; what is left is matched after stripping
    :data:`LR_SUFFIXES` from the LR and :data:`HR_SUFFIXES` from the HR stems. In one folder, the
    suffix of either role says which file is the LR and which the HR; a file without one takes the
    role its partner leaves free.

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
    pairs = _match_in_one(lr_dir) if one_folder else _match_in_two(lr_dir, hr_dir)
    return dict(sorted(pairs.items()))


def _match_in_two(lr_dir: Path, hr_dir: Path) -> dict[str, tuple[Path, Path]]:
    lr, hr = single_images(lr_dir), single_images(hr_dir)
    shared = lr.keys() & hr.keys()
    lr = _by_key((k if k in shared else strip_suffix(k, LR_SUFFIXES), f) for k, f in lr.items())
    hr = _by_key((k if k in shared else strip_suffix(k, HR_SUFFIXES), f) for k, f in hr.items())
    if not lr.keys() & hr.keys():
        raise BadInput(
            f"no image in {lr_dir} ({_examples(lr.values())}) matches one in {hr_dir} "
            f"({_examples(hr.values())}): LR and HR files must share their stem, such as "
            f"{next(iter(hr))}x4.png and {next(iter(hr))}.png"
        )
    if alone := [f for k, f in lr.items() if k not in hr]:
        raise BadInput(f"no HR image in {hr_dir} for {_examples(alone)} of {lr_dir}: add or remove them")
    if alone := [f for k, f in hr.items() if k not in lr]:
        raise BadInput(f"no LR image in {lr_dir} for {_examples(alone)} of {hr_dir}: add or remove them")
    return {key: (lr[key], hr[key]) for key in lr}


def _match_in_one(folder: Path) -> dict[str, tuple[Path, Path]]:
    groups: dict[str, dict[str, list[Path]]] = {}
    for stem, file in single_images(folder).items():
        role, key = _role(stem)
        groups.setdefault(key, {"lr": [], "hr": [], "": []})[role].append(file)
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
            raise BadInput(f"{_examples(crowd)} in {folder} all stand for '{key}': keep one")
        if lr and hr:
            pairs[key] = (lr[0], hr[0])
    if alone := [
        f for k, roles in groups.items() if k not in pairs for files in roles.values() for f in files
    ]:
        raise BadInput(
            f"{_examples(alone)} in {folder} has no partner: in one folder for LR and HR, names must "
            "end in a role, such as a_LR.png and a_HR.png"
        )
    return pairs


def _role(stem: str) -> tuple[str, str]:
    """Return ("lr", "hr" or "", key) of a file in a folder that holds both roles."""
    readings = [(role, strip_suffix(stem, s)) for role, s in (("lr", LR_SUFFIXES), ("hr", HR_SUFFIXES))]
    # "_HR_x4" ends in "x4" too: the longer suffix, which leaves the shorter stem, is the one meant.
    role, key = min(readings, key=lambda reading: len(reading[1]))
    return ("", stem) if key == stem else (role, key)


def _by_key(keyed_files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for key, file in keyed_files:
        if key in files:
            raise BadInput(
                f"{files[key].name} and {file.name} in {file.parent} both stand for '{key}': keep one"
            )
        files[key] = file
    return dict(sorted(files.items()))


def _examples(files: Iterable[Path], most: int = 3) -> str:
    names = sorted(file.name for file in files)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def describe_files(groups: Mapping[str, Iterable[Path]]) -> str:
    """Describe files for a message; empty groups are left out.

    >>> describe_files({"changed": [Path("a.png")], "missing": [], "new": [Path("b.png"), Path("c.png")]})
    '1 changed (a.png), 2 new (b.png, c.png)'
    """
    listed = {word: list(files) for word, files in groups.items()}
    return ", ".join(f"{len(files)} {word} ({_examples(files)})" for word, files in listed.items() if files)
