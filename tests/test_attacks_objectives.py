"""Objectives against the libraries they come from, their text form, and what is computed once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.attacks import L1, LPIPS, MSE, VGG19, parse_objective
from srbench.attacks.objectives_text import canonical
from srbench.attacks.perceptual import _LEAST_SIDE, _load_vgg, vgg19_features
from srbench.errors import BadInput, Unavailable
from srbench.metrics.lpips_net import BACKBONES, load_lpips
from srbench.support.home import forget_weight_files
from srbench.support.torchvision import prepare_torchvision


def pair(side: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    hr = torch.rand(3, 3, side, side, generator=draw)
    return hr + 0.1 * torch.randn(hr.shape, generator=draw), hr


def random_lpips(net: str) -> nn.Module:
    prepare_torchvision()
    import lpips

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    return network.eval()


def test_pixel_objectives_equal_torch_image_by_image() -> None:
    sr, hr = pair()
    for objective, function in ((L1(), F.l1_loss), (MSE(), F.mse_loss)):
        wanted = torch.stack([function(a, b) for a, b in zip(sr, hr, strict=True)])
        torch.testing.assert_close(objective(sr, hr), wanted)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_lpips_equals_its_own_forward(net: str, shared_weights: Path) -> None:
    sr, hr = pair()
    network = load_lpips(net, BACKBONES[net].locate())
    wanted = network(sr, hr, normalize=True).flatten()
    torch.testing.assert_close(LPIPS(net)(sr, hr), wanted, atol=1e-6, rtol=0)
    assert (wanted > 0.01).all() and (LPIPS(net)(hr, hr) == 0).all()


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_lpips_gradient_equals_its_own(net: str) -> None:
    sr, hr = pair()
    network = random_lpips(net)
    first, second = sr.clone().requires_grad_(), sr.clone().requires_grad_()
    network(first, hr, normalize=True).sum().backward()
    LPIPS(net, network)(second, hr).sum().backward()
    assert first.grad is not None and second.grad is not None
    assert first.grad.abs().max() > 0
    torch.testing.assert_close(second.grad, first.grad, rtol=1e-3, atol=1e-7)


def test_vgg19_is_conv5_4_before_its_relu(tmp_path: Path) -> None:
    """Against torchvision's own layers with random weights, through a file as torchvision publishes it."""
    prepare_torchvision()
    from torchvision.models import vgg

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = vgg.make_layers(vgg.cfgs["E"], batch_norm=False).eval()
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)  # features of the size real ones have
    file = tmp_path / "vgg19.pth"
    torch.save({f"features.{k}": v for k, v in layers.state_dict().items()}, file)
    sr, hr = pair(32)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    before_relu = layers[:35]
    assert isinstance(layers[34], nn.Conv2d) and isinstance(layers[35], nn.ReLU)
    with torch.no_grad():
        wanted = (before_relu((sr - mean) / std) - before_relu((hr - mean) / std)).abs().flatten(1).mean(1)
        found = VGG19(_load_vgg("vgg19", file))(sr, hr)
    assert (wanted > 0.01).all()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=0)


def test_another_file_is_no_vgg19(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "x.pth")
    with pytest.raises(BadInput, match="not torchvision's VGG19"):
        _load_vgg("vgg19", tmp_path / "x.pth")


def test_vgg19_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in vgg19_features().parameters()) == 20_024_384


@pytest.mark.parametrize("text", ["vgg19", "lpips", "0.01*l1+lpips-squeeze"])
def test_absent_weights_say_how_to_get_them(text: str) -> None:
    with pytest.raises(Unavailable, match=r"SRBENCH_OFFLINE=1.*download https://download\.pytorch\.org"):
        parse_objective(text)


def test_a_file_with_the_right_name_and_other_content_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vgg19-dcbb9e9d.pth").write_bytes(b"other")
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path))
    forget_weight_files()
    with pytest.raises(Unavailable):
        VGG19()


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[tuple[int, bool]] = []

    def forward(self, image: Tensor) -> Tensor:
        self.seen.append((len(image), torch.is_grad_enabled()))
        return image * self.weight


def test_target_features_are_computed_once_and_without_a_graph() -> None:
    network = Counting()
    objective = VGG19(network)
    sr, hr = pair(16)
    score = objective.bind(hr)
    assert network.seen == [(3, False)]
    for _ in range(3):
        score(sr)
    assert len(network.seen) == 4
    assert not network.training and not network.weight.requires_grad


def test_networks_follow_the_images_number_type() -> None:
    network = Counting()
    objective = VGG19(network)
    sr, hr = pair(16)
    exact = objective(sr.double(), hr.double())
    assert exact.dtype == torch.float64 and network.weight.dtype == torch.float32
    torch.testing.assert_close(exact.float(), objective(sr, hr))


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_least_side_of_lpips_is_the_least_that_works(net: str) -> None:
    network = random_lpips(net)
    least = _LEAST_SIDE[f"lpips-{net}"]
    image = torch.rand(1, 3, least, least, generator=torch.Generator().manual_seed(0))
    assert LPIPS(net, network)(image, image * 0.5).isfinite().all()
    smaller = image[..., :-1, :-1].contiguous()
    with pytest.raises(BadInput, match=f"at least {least} pixels"):
        LPIPS(net, network).bind(smaller)
    with pytest.raises(RuntimeError):
        network(smaller, smaller)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("l1", "l1"),
        ("L1 + percep", "l1+vgg19"),
        ("vgg + 0.010*l1", "0.01*l1+vgg19"),
        ("1*vgg", "vgg19"),
        ("lpips+10.0*mse", "10*mse+lpips-alex"),
        ("l1+l1", "2*l1"),
        ("1e-2*l1", "0.01*l1"),
    ],
)
def test_objectives_have_one_spelling(written: str, wanted: str) -> None:
    assert canonical(written) == wanted
    assert canonical(wanted) == wanted


@pytest.mark.parametrize(
    "written", ["", "l3", "l1+", "+l1", "0*l1", "-1*l1", "l1*2", "nan*l1", "1..2*l1", "2l1"]
)
def test_unreadable_objectives_are_refused(written: str) -> None:
    with pytest.raises(BadInput):
        canonical(written)


def test_weighted_sums_add_up_and_spell_as_their_text() -> None:
    sr, hr = pair()
    built = 0.5 * L1() + 2 * MSE() + 0.5 * L1()
    assert str(built) == "l1+2*mse" == parse_objective("l1 + 2*mse").text
    torch.testing.assert_close(built(sr, hr), L1()(sr, hr) + 2 * MSE()(sr, hr))
    torch.testing.assert_close(parse_objective("l1+2*mse")(sr, hr), built(sr, hr))
    assert str(0.01 * L1() + VGG19(Counting())) == "0.01*l1+custom:vgg19"
    with pytest.raises(BadInput, match="positive"):
        -1 * L1()
