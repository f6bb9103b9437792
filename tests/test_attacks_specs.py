"""Specs other than presets: corruptions, transfer, norms, averaged forwards, tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import blurry_upscaler
from torch import Tensor, nn

from srbench import attacks, zoo
from srbench.attacks import StructuredPGD, Transfer, preset
from srbench.attacks.corruptions import CORRUPTIONS, corrupt
from srbench.attacks.natural import Corruption
from srbench.attacks.tiles import attack_in_tiles
from srbench.errors import BadInput


def image(height: int, width: int) -> Tensor:
    values = torch.randint(0, 256, (1, 3, height, width), generator=torch.Generator().manual_seed(1))
    return values.float() / 255


def test_corruptions_by_name_severity_or_all() -> None:
    assert [s.name for s in attacks.resolve(["jpeg:3", "none", "jpeg"])] == [
        "jpeg:3",
        "none",
        *(f"jpeg:{severity}" for severity in (1, 2, 4, 5)),
    ]
    every = attacks.resolve(["corruptions"])
    assert len({spec.hash for spec in every}) == len(every) == 5 * len(CORRUPTIONS)
    for text in ("jpeg:0", "jpeg:6", "jpeg:x"):
        with pytest.raises(BadInput, match="1 to 5"):
            attacks.resolve([text])


def test_a_corruption_spec_does_what_its_function_does() -> None:
    lr = image(20, 30)
    pixels = (lr[0] * 255).round().byte().permute(1, 2, 0).numpy()
    expected = corrupt(pixels, "speckle-noise", 4, seed=0, image_id="a")
    found = Corruption("speckle-noise", 4).apply(lr, "a")
    assert np.array_equal((found[0] * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_a_transfers_identity_is_its_recipe_and_its_source() -> None:
    (bicubic,) = zoo.resolve(["bicubic"])
    (other,) = zoo.resolve(["helpers:blurry_upscaler"])
    specs = [Transfer(recipe=preset(r), source=s) for r in ("rsr", "rsr@8") for s in (bicubic, other)]
    assert len({spec.hash for spec in specs}) == 4
    assert specs[3].name == "rsr@8 from helpers:blurry_upscaler"
    assert specs[3].settings()["source"] == {
        "model": other.name,
        "weights_sha256": other.weights_sha256,
    }


def test_the_l2_form_has_another_hash_and_stays_in_its_ball() -> None:
    linf = preset("rsr@6").with_(objective="l1")
    l2 = linf.in_norm("l2")
    assert l2.hash != linf.hash
    assert linf.in_norm("linf") is linf
    attack = l2.build(blurry_upscaler())
    lr = image(12, 12)
    size = attack.threat.size(lr, attack(lr, torch.rand(1, 3, 48, 48)))
    assert attack.threat.norm == "l2"
    assert 0.3 * 6 / 255 < size.item() <= 6 / 255 + 1e-6
    noise = preset("random").in_norm("l2").build(blurry_upscaler())
    assert noise.threat.norm == "l2"


class Moody(nn.Module):
    """Adds fresh noise to its output at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.network = blurry_upscaler()
        self.calls = 0

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        sr: Tensor = self.network(lr)
        return sr + 0.3 * torch.randn(sr.shape)


def test_averaged_forwards_tame_a_random_model() -> None:
    lr, hr = image(8, 8), torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    exact = StructuredPGD(blurry_upscaler(), objective="mse").gradient(lr, lr, hr)

    def error(samples: int) -> float:
        torch.manual_seed(0)
        attack = StructuredPGD(Moody(), objective="mse", samples=samples)
        return float((attack.gradient(lr, lr, hr) - exact).square().mean().sqrt())

    # Independent noise: 16 forwards divide its standard deviation by 4.
    assert error(16) == pytest.approx(error(1) / 4, rel=0.35)
    model = Moody()
    StructuredPGD(model, objective="mse", steps=3, samples=5)(lr, hr)
    assert model.calls == 15
    with pytest.raises(BadInput, match="samples"):
        StructuredPGD(model, samples=0)


def test_one_sample_keeps_the_hash_of_older_records() -> None:
    assert preset("rsr").with_(samples=1).hash == preset("rsr").hash
    assert preset("rsr").with_(samples=2).hash != preset("rsr").hash


def test_tiles_change_nothing_where_one_holds_the_image_and_stay_in_the_ball() -> None:
    lr, hr = image(40, 50), torch.rand(1, 3, 160, 200, generator=torch.Generator().manual_seed(2))
    attack = StructuredPGD(blurry_upscaler(), objective="l1")
    whole = attack(lr, hr, ids=["a"])
    assert torch.equal(attack_in_tiles(attack, lr, hr, "a", 50, 16), whole)
    tiled = attack_in_tiles(attack, lr, hr, "a", 32, 16)
    assert (tiled - lr).abs().max() <= 14 / 255 + 1e-6
    assert not torch.equal(tiled, whole)
    # The first piece is an attack of its own on what it sees.
    seen, target = lr[..., :40, :48], hr[..., :160, :192]
    piece = attack(seen, target, ids=["a#0,0"])
    assert torch.allclose(tiled[..., :32, :32], piece[..., :32, :32], atol=1e-6)
