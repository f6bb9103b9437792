"""Say how far a number may move when the same image is measured again."""

from __future__ import annotations

ROUNDING = {"psnr": 1e-3, "ssim": 1e-5, "lpips": 1e-5, "niqe": 1e-2, "brisque": 5e-2, "piqe": 5e-2}
"""Batch size and thread count move a metric by less than this, in its own unit."""

# The others are for another machine, whose convolutions add in another order: measured on RRDBNets of three
# blocks in fp32, with oneDNN and without it unless said otherwise; beside each the largest difference seen.
# On one machine, with one thread or two, all were below 1e-4; between AVX512 and AVX2 those without an attack
# by gradients were below 2e-7.
_CLEAN = ROUNDING | {  # ten images, also under random noise
    "niqe": 0.1,  # 0.021; NIQE, BRISQUE and PIQE hang on the last bit of single pixels
    "brisque": 0.2,  # 0.020
    "piqe": 0.5,  # 0.088
}
_FEW_STEPS = {  # 96 images under rsr, AVX512 against AVX2: where the gradient is nearly zero its sign turns
    "psnr": 2e-2,  # 6.6e-3
    "ssim": 1e-3,  # 3.2e-4
    "lpips": 1e-3,  # 2.0e-4
    "niqe": 0.2,  # 0.044
    "brisque": 0.5,  # 0.09, of ten images with oneDNN and without
    "piqe": 4.0,  # 1.04
    "lr_psnr": 1e-2,  # 2.1e-3
    "sr_psnr": 0.1,  # 2.3e-2
}
_MANY_STEPS = {  # five images under strong: from one different bit on it finds other noise
    "psnr": 3.0,  # 1.4
    "ssim": 0.25,  # 0.11
    "lpips": 0.3,  # 0.14
    "niqe": 3.0,  # 1.2
    "brisque": 10.0,  # 4.2
    "piqe": 12.0,  # 5.0
    "lr_psnr": 3.0,  # 1.3
    "sr_psnr": 4.0,  # 1.8
}
_BY_ATTACK = {"rsr": _FEW_STEPS, "strong": _MANY_STEPS}
_OTHERWISE = 1e-3


def tolerance(name: str, attack: str) -> float:
    """Return the largest difference that is put down to the machine.

    Args:
        name: a metric, or what an attack did (``lr_psnr``, ``sr_psnr``, ``lr_max``).
        attack: the name of the attack the number was measured under.
    """
    return _BY_ATTACK.get(attack, _CLEAN).get(name, _OTHERWISE)
