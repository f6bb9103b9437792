"""Write the pictures of ``srbench attack --out``, each as soon as its image is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from srbench.figures.attack_pictures import save_image
from srbench.robustness.attack import RANDOM, measure_here
from srbench.store.address import open_store

if TYPE_CHECKING:
    from srbench.robustness.attack import AttackRun
    from srbench.run.image import Measured
    from srbench.run.plan import Cell


class Gallery:
    """Write pictures of an attack, a folder for each attack and radius.

    Args:
        folder: where they go; None writes none.

    Attributes:
        attack: the attack they are of; set before it runs.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._clean: dict[str, dict[str, float | None]] = {}
        self.attack: AttackRun | None = None

    def lacks(self, cell: Cell, image: str) -> bool:
        """Return whether an image that has a record still has no picture."""
        place = self._place(cell.model.name, cell.attack.name)
        return place is not None and not (place / f"{image}.png").is_file()

    def show(self, measured: Measured) -> None:
        """Write what belongs to one image.

        Raises:
            RunFailed: it cannot be written.
        """
        record = measured.record
        place = self._place(record.model, record.attack)
        if place is not None:
            save_image(place, measured, self._clean_metrics(record.image))

    def complete(self) -> None:
        """Make here the pictures of images that workers elsewhere have measured.

        Raises:
            RunFailed: one of them cannot be measured or written.
        """
        if self.attack is not None and self._folder is not None:
            measure_here(self.attack, self.lacks)

    def _place(self, model: str, attack: str) -> Path | None:
        if self._folder is None or self.attack is None or model != self.attack.model.name:
            return None
        own = {
            recipe.name
            for recipes in self.attack.recipes.values()
            for name, recipe in recipes.items()
            if name != RANDOM
        }
        return self._folder / attack.replace("/", "-") if attack in own else None

    def _clean_metrics(self, image: str) -> dict[str, float | None]:
        if image not in self._clean and self.attack is not None:
            # The clean cell is the first of the plan, so it is complete by now; others need not be.
            clean = open_store(self.attack.run.store).read(self.attack.run.plan[0].path)
            self._clean = {record.image: record.metrics for record in clean}
        return self._clean.get(image, {})
