"""Protocol ``y`` measures on the luma of MATLAB's rgb2ycbcr, here as scikit-image computes it.

Real photographs hardly tell red from blue or one digit of a weight from the next in a mean PSNR. Images of
saturated random colours do: each channel has an error of its own, and the luma is compared to 1e-6.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2gray, rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn

import srbench
from srbench.metrics.base import Views

SIDE, CROP = 12, 4


class Tinted(nn.Module):
    """Nearest neighbour x4, with another error in each channel."""

    def forward(self, lr: Tensor) -> Tensor:
        by = torch.tensor([0.2, -0.05, 0.1]).reshape(1, 3, 1, 1)
        return nn.functional.interpolate(lr, scale_factor=4) + by


def colours(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def test_each_primary_has_the_luma_of_scikit_image() -> None:
    primaries = np.zeros((1, 5, 3), dtype=np.uint8)
    primaries[0, :3] = np.eye(3) * 255
    primaries[0, 4] = 255  # black is the fourth
    luma = Views(tensor(primaries), None).get(rounded=True, crop=0, space="y")[0]
    np.testing.assert_allclose(luma[0, 0], rgb2ycbcr(primaries)[..., 0] / 255, atol=1e-6)
    # BT.601's studio range, to the digits that MATLAB has.
    np.testing.assert_allclose(luma[0, 0, 0] * 255, [81.481, 144.553, 40.966, 16, 235], atol=1e-3)


def test_luma_and_gray_are_those_of_other_libraries_on_both_images() -> None:
    sr, hr = colours(0, 20, 24), colours(1, 20, 24)
    inner = (slice(CROP, -CROP), slice(CROP, -CROP))
    views = Views(tensor(sr), tensor(hr))
    for view, pixels in zip(views.get(rounded=True, crop=CROP, space="y"), (sr, hr), strict=True):
        assert view is not None and view.shape == (1, 1, 12, 16)
        np.testing.assert_allclose(view[0, 0], rgb2ycbcr(pixels)[inner][..., 0] / 255, atol=1e-6)
    # MATLAB's rgb2gray; scikit-image's has the weights of another standard, Pillow's those of this one.
    assert rgb2gray(np.array([[[255, 0, 0]]], dtype=np.uint8))[0, 0] == pytest.approx(0.2125)
    gray = views.get(rounded=True, crop=0, space="gray")[0]
    np.testing.assert_allclose(gray[0, 0] * 255, np.asarray(Image.fromarray(sr).convert("L")), atol=0.6)


def test_views_are_clipped_rounded_and_cropped_only_as_asked() -> None:
    sr = torch.full((1, 3, 10, 10), 100.3 / 255)
    sr[..., 0, :], sr[..., 1, :] = -0.5, 1.5
    views = Views(sr, None)
    rounded, hr = views.get(rounded=True, crop=0, space="rgb")
    assert hr is None
    torch.testing.assert_close(rounded[..., 2:, :] * 255, torch.full((1, 3, 8, 10), 100.0))
    exact = views.get(rounded=False, crop=0, space="rgb")[0]
    assert (exact[..., 0, :] == 0).all() and (exact[..., 1, :] == 1).all()
    torch.testing.assert_close(exact[..., 2:, :], sr[..., 2:, :])
    assert views.get(rounded=False, crop=3, space="rgb")[0].shape == (1, 3, 4, 4)


def test_evaluate_measures_protocol_y_as_scikit_image_does(tmp_path: Path) -> None:
    folders = {kind: tmp_path / kind for kind in ("lr", "hr")}
    lr, hr = colours(2, SIDE, SIDE), colours(3, 4 * SIDE, 4 * SIDE)
    hr = (0.7 * lr.repeat(4, 0).repeat(4, 1) + 0.3 * hr).astype(np.uint8)
    for folder, pixels in zip(folders.values(), (lr, hr), strict=True):
        folder.mkdir()
        Image.fromarray(pixels).save(folder / "a.png")
    pairs = f"pairs:{folders['lr']}:{folders['hr']}"
    found = srbench.evaluate({"tinted": Tinted()}, datasets=pairs, protocol="y", metrics=["psnr", "ssim"])
    sr = Tinted()(tensor(lr)).clamp(0, 1)[0].permute(1, 2, 0).mul(255).round().byte().numpy()
    luma = [rgb2ycbcr(pixels)[CROP:-CROP, CROP:-CROP, 0] for pixels in (sr, hr)]
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert found["psnr"][0] == pytest.approx(peak_signal_noise_ratio(*luma, data_range=255), abs=2e-4)
    assert found["ssim"][0] == pytest.approx(structural_similarity(*luma, data_range=255, **window), abs=1e-5)
