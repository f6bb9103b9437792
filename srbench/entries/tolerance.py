"""How far a number may move when the same image is measured again."""

from __future__ import annotations

ROUNDING = {"psnr": 1e-3, "ssim": 1e-5, "lpips": 1e-5, "niqe": 1e-2, "brisque": 5e-2, "piqe": 5e-2}
"""What batch size and thread count do, by metric in its own unit."""

_ELSEWHERE = ROUNDING | {"niqe": 0.1, "brisque": 0.2, "piqe": 0.5}
"""What another machine's convolutions do to the SR of a clean image, of noise, and of ``rsr``.

NIQE, BRISQUE and PIQE hang on the last bit of single pixels.
"""

# A search of many steps on the sign of a gradient goes another way from one different bit on, and finds
# noise that is as bad but not the same.
_SEARCHED = {"psnr": 3.0, "ssim": 0.25, "lpips": 0.3, "niqe": 3.0, "brisque": 10.0, "piqe": 12.0}
_SEARCHED_EFFECT = {"lr_psnr": 3.0, "sr_psnr": 4.0}
_SEARCHES = ("strong",)

_OTHERWISE = 1e-3


def tolerance(name: str, attack: str) -> float:
    """The largest difference that is put down to the machine.

    Args:
        name: a metric, or what an attack did (``lr_psnr``, ``sr_psnr``, ``lr_max``).
        attack: the name of the attack the number was measured under.
    """
    if attack in _SEARCHES:
        return (_SEARCHED | _SEARCHED_EFFECT).get(name, _OTHERWISE)
    return _ELSEWHERE.get(name, _OTHERWISE)
