"""Draw certificates: how wide the bounds are across an image, and what is guaranteed over the radius."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.support.home import output_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from srbench.robustness.certify import Point
    from srbench.run.image import Measured

CLEAN, ATTACK, GUARANTEED = "#1a7f37", "#cf222e", "#0969da"


def save_map(folder: Path, measured: Measured) -> None:
    """Write the width of an image's bounds as a picture, in levels; nothing for what is no certificate."""
    if measured.certified is None:
        return
    from matplotlib.figure import Figure

    width = 255 * measured.certified.width[0].float().mean(0).cpu().numpy()
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(width, cmap="viridis", vmin=0)
    axes.set_axis_off()
    axes.set_title(f"{measured.record.image}, {measured.record.attack}", fontsize=10)
    figure.colorbar(shown, ax=axes, label="distance of the bounds, levels of 255")
    _save(figure, folder / measured.record.attack / f"{measured.record.image}.png")


def save_curve(file: Path, model: str, points: Sequence[Point]) -> None:
    """Write PSNR over the radius: clean, under the attack that was found, and guaranteed."""
    from matplotlib.figure import Figure

    radii = [point.radius for point in points]
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(radii, [point.clean for point in points], "o-", color=CLEAN, label="clean")
    axes.plot(radii, [point.attacked for point in points], "s-", color=ATTACK, label="attack found")
    axes.plot(radii, [point.guaranteed for point in points], "^-", color=GUARANTEED, label="guaranteed")
    axes.set_xlabel("l2 radius of the change of LR")
    axes.set_ylabel("PSNR, dB")
    axes.set_title(model, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    with output_path(file) as temporary, temporary.open("wb") as stream:
        figure.savefig(stream, format="png", dpi=100)
