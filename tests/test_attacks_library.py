"""What holds of every attack of the package, with its defaults, without being named here."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from every_attack import (
    ALL,
    MAKERS,
    SHIPPED_WITH_A_RANDOM_START,
    Net,
    batch,
    needs_gradient,
)
from helpers import Nearest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from srbench import attacks
from srbench.attacks import (
    SRAttack,
    StructuredPGD,
    registry,
)
from srbench.errors import BadInput


@ALL
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_never_leaves_ball_or_range(name: str, data: st.DataObject) -> None:
    height, width, count = (data.draw(st.integers(1, most)) for most in (9, 9, 5))
    levels = data.draw(st.sampled_from([0, 0.5, 1, 2.5, 14, 80, 255]))
    lr, hr = batch(count, height, width, data.draw(st.integers(0, 99)))
    rounded, target = data.draw(st.booleans()), data.draw(st.sampled_from([hr, None]))
    attack = MAKERS[name](Nearest(), eps=levels / 255, rounded=rounded)
    try:
        adversarial = attack(lr, target)
    except BadInput as error:
        assert "smaller than one noise cell" in str(error) and min(height, width) < 1.5
        return
    assert adversarial.shape == lr.shape and adversarial.dtype == lr.dtype
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    assert (attack.threat.size(lr, adversarial) <= attack.threat.eps + 1e-6).all()
    if rounded:
        assert ((adversarial * 255) - (adversarial * 255).round()).abs().max() < 1e-4
    if levels == 0:
        assert torch.equal(adversarial, lr)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(1, 6), st.integers(0, 5))
def test_structured_noise_of_any_shape(height: int, width: int, structure: float, seed: int) -> None:
    lr, hr = batch(2, height, width)
    attack = StructuredPGD(Nearest(), structure=structure, seed=seed)
    if min(height, width) < structure:
        with pytest.raises(BadInput, match="smaller than one noise cell"):
            attack(lr, hr)
        return
    first = attack(lr, hr, ids=["a", "b"])
    assert torch.equal(first, attack(lr, hr, ids=["a", "b"]))
    swapped = attack(lr.flip(0), hr.flip(0), ids=["b", "a"])
    assert torch.equal(first, swapped.flip(0))


@ALL
def test_same_seed_same_noise_and_other_seed_other_noise(name: str) -> None:
    lr, hr = batch()
    model = Net().eval()
    first, again, other = (MAKERS[name](model, seed=seed)(lr, hr) for seed in ("s", "s", "t"))
    assert torch.equal(first, again)
    if name in ("FGSM", "IFGSM", "MIFGSM", "UniversalPerturbation"):
        assert torch.equal(first, other), "it starts from zero when HR is given"
    elif not needs_gradient(name) or name in SHIPPED_WITH_A_RANDOM_START:
        assert not torch.equal(first, other)


@ALL
def test_batch_equals_one_by_one(name: str) -> None:
    """In double precision, where no rounding of another batch size can flip the sign of a gradient."""
    lr, hr = (t.double() for t in batch(5, 6, 9))
    attack = MAKERS[name](Net().double().eval())
    ids = ["a", "b", "c", "d", "e"]
    together = attack(lr, hr, ids=ids)
    apart = torch.cat([attack(lr[i : i + 1], hr[i : i + 1], ids=[ids[i]]) for i in range(5)])
    torch.testing.assert_close(together, apart, atol=1e-12, rtol=0)
    assert (together - lr).abs().max() > 1 / 255


def test_works_as_a_torchattacks_attack(capsys: pytest.CaptureFixture[str]) -> None:
    from torch.utils.data import DataLoader, TensorDataset

    Attack = pytest.importorskip("torchattacks.attack").Attack
    lr, hr = batch(4)
    attack = StructuredPGD(Nearest())
    assert isinstance(attack, Attack) and attack.device is None
    assert capsys.readouterr().out == "", "torchattacks complains where a model has no parameters"
    attack.set_device("cpu")
    attack.save(DataLoader(TensorDataset(lr, hr), batch_size=4), verbose=False)
    with pytest.raises(ValueError, match="not supported"):
        attack.set_mode_targeted_random()
    with pytest.raises(BadInput, match="normalisation"):
        attack.set_normalization_used([0.5] * 3, [0.5] * 3)
    other = Net().eval()
    attack.set_model(other)
    assert torch.equal(attack(lr, hr), StructuredPGD(other)(lr, hr))


def test_repr_is_readable() -> None:
    text = repr(StructuredPGD(Nearest(), eps=14 / 255, objective="0.01*l1+mse"))
    assert text == (
        "StructuredPGD(Nearest, norm=linf, eps=14/255, alpha=1/255, steps=2, structure=1.5, restarts=1, "
        "momentum=0.0, objective=0.01*l1+mse, seed=0, precision=fp32)"
    )
    for make in MAKERS.values():
        assert "eps=14/255" in repr(make(Nearest()))


def test_any_function_per_image_is_an_objective() -> None:
    lr, hr = batch()

    def darkness(sr: Tensor, target: Tensor) -> Tensor:
        return -sr.flatten(1).mean(1)

    adversarial = StructuredPGD(Nearest(), steps=40, objective=darkness)(lr, hr)
    torch.testing.assert_close(adversarial, (lr - 14 / 255).clamp(0, 1), atol=1e-6, rtol=0)
    with pytest.raises(BadInput, match="one number per image"):
        StructuredPGD(Nearest(), objective=lambda sr, target: sr.mean())(lr, hr)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys; from srbench import attacks; attacks.names(); attacks.resolve(['none']);"
        "attacks.registry.attack_class('APGD').needs_gradient; attacks.is_noise({'kind': 'RandomNoise'});"
        "print([m for m in ('torch', 'torchattacks', 'pydantic', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_runs_and_its_attack_beats_noise() -> None:
    example = Path(__file__).resolve().parents[1] / "examples" / "attack_plain_module.py"
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True)
    clean, noise, attacked = (float(line.split()[-1]) for line in done.stdout.splitlines()[1:])
    assert attacked > max(noise, clean) + 0.003


def test_every_public_name_can_be_had_from_the_package() -> None:
    for name, module in registry.homes().items():
        assert getattr(attacks, name) is getattr(importlib.import_module(module), name)
        assert name in dir(attacks)
    for missing in ("Nothing", "_Copies", "__wrapped__"):
        with pytest.raises(AttributeError, match=f"no attribute '{missing}'"):
            getattr(attacks, missing)


def test_what_a_class_says_is_what_was_read() -> None:
    for name, read in registry.classes().items():
        loaded = read.load()
        assert issubclass(loaded, SRAttack) and loaded.__name__ == name
        for said in ("needs_gradient", "is_noise", "fitted", "norms", "options"):
            assert getattr(loaded, said) == getattr(read, said), (name, said)
