"""Build a data set of anybody's photographs: degrade them, write LR and HR, and register the pairs."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from srbench.datasets.degradations import degradation as find_degradation
from srbench.datasets.degraded import degraded, photographs
from srbench.datasets.files import CheckedFile
from srbench.datasets.labels import distinct_names
from srbench.datasets.manifests import own_names
from srbench.datasets.registrations import Made, read_registration
from srbench.datasets.registry import SetStatus, add, published
from srbench.errors import BadInput
from srbench.install.places import locked, whole_folder
from srbench.support.home import cannot_write, home, write_atomic
from srbench.support.scales import SCALE

NOTES = "degradation.json"


def build_set(
    degradation: str, hr: Path, *, name: str = "", to: Path | None = None, scale: int = SCALE
) -> tuple[str, SetStatus]:
    """Degrade every photograph of a folder, keep the pairs as PNG, and register them.

    Args:
        degradation: one of :data:`srbench.datasets.degradations.DEGRADATIONS`, by name or title.
        hr: the folder of the photographs; they are cut to a multiple of the scale.
        name: what the set is called; the degradation and the folder if empty.
        to: the folder to make, with ``LR``, ``HR`` and the settings (default: ``HOME/files/NAME``). It
            appears whole or not at all.
        scale: the factor between HR and LR.

    Returns:
        The name, and what is registered.

    Raises:
        BadInput: an unknown degradation, a name that is taken or can name nothing, a folder that holds
            something else, or anything wrong with the photographs.
        RunFailed: the folder cannot be written. In every case nothing is registered.
    """
    kind = find_degradation(degradation)
    hr = hr.expanduser().resolve()
    files = photographs(hr, scale)
    name = name or f"{kind.title}-{distinct_names([hr], [''], set())[0]}"
    refuse_taken(name, scale)
    target = (to.expanduser() if to else home() / "files" / name).resolve()
    made = Made(degradation=kind.title, scale=scale, settings=dict(kind.settings), photographs=str(hr))
    with locked(target), cannot_write(target.parent):
        _refuse_used(target, scale)
        with whole_folder(target) as folder:
            (folder / "LR").mkdir()
            (folder / "HR").mkdir()

            def write(entry: tuple[str, CheckedFile]) -> None:
                image = degraded(entry[1], entry[0], kind, scale)
                assert image.hr is not None
                Image.fromarray(image.lr).save(folder / "LR" / f"{entry[0]}.png")
                Image.fromarray(image.hr).save(folder / "HR" / f"{entry[0]}.png")

            with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
                list(pool.map(write, files.items()))
            of = {i: {"file": file.path.name, "sha256": file.facts.sha256} for i, file in files.items()}
            notes = made.model_dump(mode="json", exclude_defaults=True) | {"images": of}
            write_atomic(folder / NOTES, json.dumps(notes, indent=1, ensure_ascii=False) + "\n")
    return name, add(name, target / "LR", target / "HR", domain=kind.domain, made=made, scale=scale)


def refuse_taken(name: str, scale: int) -> None:
    """Refuse the name of another data set: BadInput."""
    if name in own_names(scale):
        raise BadInput(
            f"{name} is registered already: choose another name, or `srbench datasets remove {name}` first"
        )
    if card := published(name, scale):
        raise BadInput(f"{card.name} is a data set of its own: choose another name")


def _refuse_used(target: Path, scale: int) -> None:
    """Refuse a folder that is anything but what an interrupted build left."""
    if target.exists() and not (target / NOTES).is_file():
        raise BadInput(f"{target} exists and holds something else: choose another folder")
    for name in own_names(scale):
        registration = read_registration(name, scale)
        if registration and target in (registration.lr.parent, registration.lr):
            raise BadInput(f"{target} holds the data set {name}: choose another folder")
