"""LR of training crops: bicubic x1/4 on tensors is MATLAB's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from srbench.datasets import degrade
from srbench.train.data.resize import bicubic_down, weight_matrix

SIZES = st.integers(1, 12).map(lambda n: 4 * n)


def numpy_bicubic(hr: np.ndarray) -> np.ndarray:
    """MATLAB's definition, tap by tap, without rounding. (4h, 4w) to (h, w)."""
    taps = np.abs(np.arange(16) - 7.5) / 4
    weights = np.where(
        taps <= 1, 1.5 * taps**3 - 2.5 * taps**2 + 1, -0.5 * taps**3 + 2.5 * taps**2 - 4 * taps + 2
    )
    for axis in (0, 1):
        padded = np.pad(hr, [(6, 6) if a == axis else (0, 0) for a in (0, 1)], mode="symmetric")
        hr = sliding_window_view(padded, 16, axis=axis)[(slice(None),) * axis + (slice(None, None, 4),)]
        hr = hr @ weights / 4
    return hr


@settings(max_examples=12, deadline=None)
@given(SIZES, SIZES, st.integers(0, 2**32 - 1))
def test_bicubic_is_matlabs(height: int, width: int, seed: int) -> None:
    hr = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tensor = torch.from_numpy(hr).permute(2, 0, 1)[None].double() / 255
    lr = bicubic_down(tensor)[0].permute(1, 2, 0).numpy()
    wanted = np.stack([numpy_bicubic(hr[..., c] / 255.0) for c in range(3)], axis=-1).clip(0, 1)
    np.testing.assert_allclose(lr, wanted, atol=1e-12)
    to_the_bit = degrade.bicubic(hr)
    assert np.abs(lr - to_the_bit / 255.0).max() <= 1 / 255
    rounded = bicubic_down(tensor.float(), quantize=True)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(rounded, to_the_bit.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-7), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)]
)
def test_bicubic_keeps_type_and_is_untouched_by_autocast(dtype: torch.dtype, tolerance: float) -> None:
    hr = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        lr = bicubic_down(hr)
    assert lr.shape == (2, 3, 8, 12) and lr.dtype == dtype
    assert (lr.double() - bicubic_down(hr.double())).abs().max() <= tolerance


def test_bicubic_has_the_right_gradient() -> None:
    # Away from 0 and 1 nothing is clipped, and the gradient is the transposed filter.
    hr = torch.rand(1, 2, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(bicubic_down, (0.3 + 0.4 * hr).requires_grad_())


def test_bicubic_weights_sum_to_one_and_sizes_are_checked() -> None:
    assert np.array_equal(weight_matrix(20).sum(1), np.ones(5))
    with pytest.raises(ValueError, match="multiples of 4"):
        bicubic_down(torch.zeros(1, 3, 16, 18))
