"""Keep the LR images that an attack has made as a data set, on which any other model can be measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput
from srbench.robustness.attack import measure_here
from srbench.support.home import cannot_write, home, output_path, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.datasets.registrations import Made
    from srbench.datasets.registry import SetStatus
    from srbench.robustness.attack import AttackRun
    from srbench.run.image import Measured
    from srbench.run.outcome import Outcome
    from srbench.run.plan import Cell

_NOTES = "attack.json"


class AttackedSet:
    """Write attacked images, and their HR, as they are measured, and register them when all are there.

    They lie in ``HOME/files/NAME``: ``LR`` as 8-bit files, within the radius of the attack, and ``HR`` for
    pairs. An interrupted run goes on where it stopped.

    Args:
        name: what the set is called; empty keeps nothing.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._folder = home() / "files" / name
        self._attack: AttackRun | None = None

    def begin(self, attack: AttackRun) -> None:
        """Say what is kept, before anything is attacked.

        Args:
            attack: the prepared attack, of one preset and one radius.

        Raises:
            BadInput: a name that is taken, several attacks or radii, or a folder of that name that holds
                something else.
            RunFailed: the folder cannot be written.
        """
        if not self._name:
            return
        from srbench.datasets.build import refuse_taken

        refuse_taken(self._name, attack.dataset.scale)
        if len(attack.names) * len(attack.recipes) != 1:
            raise BadInput("--keep is for one attack and one radius: each makes a data set of its own")
        self._attack = attack
        self._spec = attack.strongest[attack.names[0]]
        self._cell = next(cell for cell in attack.run.plan if cell.attack.hash == self._spec.hash)
        self._made = self._how(attack)
        notes, wanted = self._folder / _NOTES, self._made.model_dump(mode="json")
        try:
            begun = json.loads(notes.read_bytes()) == wanted or not any((self._folder / "LR").iterdir())
        except (OSError, ValueError):
            begun = not self._folder.exists()
        if not begun:
            raise BadInput(f"{self._folder} holds something else: choose another --keep, or remove it")
        with cannot_write(self._folder):
            (self._folder / "LR").mkdir(parents=True, exist_ok=True)
            write_atomic(notes, json.dumps(wanted, indent=1, ensure_ascii=False) + "\n")

    def _how(self, attack: AttackRun) -> Made:
        from srbench.datasets.registrations import Made

        data = attack.dataset
        settings: dict[str, Any] = {
            "model": attack.model.name,
            "weights_sha256": attack.model.weights_sha256,
            "attack": self._spec.name,
            "attack_hash": self._spec.hash,
            "dataset_hash": data.content_hash,
        }
        return Made(
            degradation=f"{self._spec.name} on {attack.model.name}",
            scale=data.scale,
            settings=settings,
            photographs=data.name,
            sources={image: data.load(image).photograph for image in self._cell.images},
        )

    def lacks(self, cell: Cell, image: str) -> bool:
        """Return whether an attacked image is still to be written."""
        if self._attack is None or cell.path != self._cell.path:
            return False
        return not self._file("LR", image).is_file()

    def show(self, measured: Measured) -> None:
        """Write one attacked image. RunFailed: it cannot be written."""
        record = measured.record
        if self._attack is None or record.model != self._attack.model.name:
            return
        if record.attack_hash == self._spec.hash:
            if measured.hr is not None:
                _save(self._file("HR", record.image), measured.hr)
            _save(self._file("LR", record.image), measured.attacked.as_file)

    def register(self, outcome: Outcome) -> SetStatus | None:
        """Make what workers elsewhere have measured, and register the set; None where nothing is kept.

        Args:
            outcome: of the run; where an image could not be attacked, it is added that nothing is registered.

        Raises:
            RunFailed: nothing can be written.
        """
        if self._attack is None:
            return None
        from srbench.datasets.registry import add

        measure_here(self._attack, self.lacks)
        lost = [image for image in self._cell.images if self.lacks(self._cell, image)]
        if lost:
            outcome.failures.append(
                f"{self._name} is not registered: {len(lost)} of its {len(self._cell.images)} images could "
                "not be attacked; the same command goes on"
            )
            return None
        hr = self._folder / "HR" if self._attack.dataset.kind == "paired" else None
        scale = self._attack.dataset.scale
        return add(self._name, self._folder / "LR", hr, domain="unknown", made=self._made, scale=scale)

    def _file(self, side: str, image: str) -> Path:
        return self._folder / side / f"{image}.png"


def _save(file: Path, image: Tensor) -> None:
    """Write (1,3,H,W) in [0,1] as 8-bit PNG."""
    from PIL import Image

    pixels = (image[0].float().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    with output_path(file) as temporary:
        Image.fromarray(pixels).save(temporary, "png")
