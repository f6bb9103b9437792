"""Write what an attack looks like: adversarial LR files, noise, SR outputs, comparisons and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from srbench.datasets.base import Pixels
from srbench.metrics import metric
from srbench.support.home import output_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from srbench.robustness.curves import Curve
    from srbench.run.image import Measured

# The colours of the paper's frames serve the curves too: clean, noise, attack.
CLEAN, NOISE, ATTACK = "#1a7f37", "#0969da", "#cf222e"
LINES = ((NOISE, "s"), (ATTACK, "o"), ("#8250df", "^"), ("#bf8700", "D"), ("#57606a", "v"))
CURVES = ("psnr", "ssim", "lpips", "fsim")


def save_image(folder: Path, measured: Measured, clean_metrics: dict[str, float | None]) -> None:
    """Write one attacked image: LR and SR as PNG, the float noise as .npy, and the comparison picture.

    Args:
        folder: files are ``IMAGE_lr.png``, ``IMAGE_sr.png``, ``IMAGE_noise.npy``, ``IMAGE.png``.
        measured: what the engine measured.
        clean_metrics: the clean record's metrics, for the captions.
    """
    name = measured.record.image
    attacked = measured.attacked
    noise = (attacked.lr - attacked.clean)[0].float().cpu().numpy()
    assert attacked.clean_sr is not None
    lr, clean, sr, clean_sr = (
        _pixels(t[0].float().cpu().clamp(0, 1).permute(1, 2, 0).numpy())
        for t in (attacked.as_file, attacked.clean, measured.sr, attacked.clean_sr)
    )
    _save(folder / f"{name}_lr.png", lr)
    _save(folder / f"{name}_sr.png", sr)
    with output_path(folder / f"{name}_noise.npy") as temporary, temporary.open("wb") as file:
        np.save(file, noise)
    largest = max(float(np.abs(noise).max()), 1e-9)
    visible = _pixels(0.5 + 0.5 * noise.transpose(1, 2, 0) / largest)
    panels = [
        ("LR", clean, ""),
        ("LR attacked", lr, f"LR PSNR {measured.record.effect['lr_psnr']:.1f} dB"),
        (f"noise × {0.5 / largest:.0f}", visible, f"up to {largest * 255:.0f} of 255"),
        ("SR of clean", clean_sr, _caption(clean_metrics)),
        ("SR of attacked", sr, _caption(measured.record.metrics)),
    ]
    if measured.hr is not None:
        panels.append(("HR", _pixels(measured.hr[0].cpu().permute(1, 2, 0).numpy()), ""))
    title = f"{measured.record.model}, {measured.record.attack}, {name}"
    _write(_comparison(title, panels), folder / f"{name}.png", dpi=80)


def _comparison(title: str, panels: Sequence[tuple[str, Pixels, str]]) -> Figure:
    from matplotlib.figure import Figure

    height, width = panels[-1][1].shape[:2]
    columns = (len(panels) + 1) // 2
    side = 3.2
    figure = Figure(figsize=(side * columns, (side * height / width + 0.55) * 2 + 0.3), layout="constrained")
    for axis, (heading, pixels, caption) in zip(figure.subplots(2, columns).flat, panels, strict=False):
        axis.imshow(pixels, interpolation="nearest")
        axis.set_title(heading, fontsize=10)
        axis.set_xlabel(caption, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    for axis in figure.axes[len(panels) :]:
        axis.axis("off")
    figure.suptitle(title, fontsize=11)
    return figure


def save_curves(file: Path, title: str, curve: Curve) -> None:
    """Write the robustness curves: each metric over the radius, with the noise and clean lines.

    Nothing is written where no metric is defined for every image.
    """
    if not curve.clean:
        return
    figure, axes = _panel_a_metric(curve.clean, "eps, of 255")
    xs = [0.0, *(point.eps for point in curve.points)]
    for name, axis in axes.items():
        for index, attack in enumerate(curve.attacks):
            ys = [curve.clean[name], *(point.effects[attack].metrics[name] for point in curve.points)]
            colour, mark = LINES[index % len(LINES)]
            axis.plot(xs, ys, color=colour, marker=mark, markersize=4, label=attack)
    figure.axes[0].legend(fontsize=8)
    figure.suptitle(title, fontsize=11)
    _write(figure, file, dpi=90)


def save_corruptions(
    file: Path, title: str, clean: dict[str, float], natural: dict[str, dict[int, dict[str, float]]]
) -> None:
    """Write the natural corruptions: each metric over the severity, severity 0 being the clean input.

    Nothing is written where no metric is defined for every image.
    """
    if not clean:
        return
    figure, axes = _panel_a_metric(clean, "severity")
    for name, axis in axes.items():
        for index, (corruption, row) in enumerate(natural.items()):
            xs = sorted(row)
            mark = "os^vDxP*"[index % 8]
            ys = [clean[name], *(row[severity][name] for severity in xs)]
            axis.plot([0, *xs], ys, marker=mark, markersize=4, linewidth=1, label=corruption)
    figure.axes[-1].legend(fontsize=7)
    figure.suptitle(f"{title}: natural corruptions", fontsize=11)
    _write(figure, file, dpi=90)


def _panel_a_metric(clean: Mapping[str, float], across: str) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with one panel for each of :data:`CURVES`, its clean line drawn, and the panels.

    Images without HR have none of these metrics: theirs are drawn.
    """
    from matplotlib.figure import Figure

    names = [name for name in CURVES if name in clean] or list(clean)
    figure = Figure(figsize=(4.2 * len(names), 3.4), layout="constrained")
    axes = dict(zip(names, figure.subplots(1, len(names), squeeze=False)[0], strict=True))
    for name, axis in axes.items():
        axis.axhline(clean[name], color=CLEAN, linewidth=1, linestyle=":", label="clean")
        axis.set_xlabel(across)
        axis.set_title(f"{metric(name).title} {metric(name).arrow}", fontsize=10)
        axis.grid(alpha=0.25)
    return figure, axes


def _write(figure: Figure, file: Path, dpi: int) -> None:
    with output_path(file) as temporary:
        figure.savefig(temporary, dpi=dpi, format="png")


def _save(file: Path, pixels: Pixels) -> None:
    with output_path(file) as temporary:
        Image.fromarray(pixels).save(temporary, format="png")


def _pixels(image: npt.NDArray[np.floating]) -> Pixels:
    pixels: Pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return pixels


def _caption(metrics: dict[str, float | None]) -> str:
    names = [name for name in ("psnr", "lpips", "fsim", "niqe") if metrics.get(name) is not None][:2]
    return ", ".join(f"{metric(n).title} {metrics[n]:.{metric(n).decimals}f}" for n in names)
