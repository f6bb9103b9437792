"""Every attack behaves: ball, range, seeds, batches, an untouched model, clear errors."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers import Nearest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from srbench import attacks
from srbench.attacks import (
    APGD,
    FGSM,
    IFGSM,
    MIFGSM,
    PGDL2,
    Ensemble,
    RandomNoise,
    SquareSearch,
    SRAttack,
    StructuredPGD,
    UniversalPerturbation,
    ZeroGradient,
    registry,
)
from srbench.attacks.passes import AttackPasses
from srbench.errors import BadInput, RunFailed

Make = Callable[..., SRAttack]


def ensemble(model: nn.Module, *, eps: float = 14 / 255, seed: str | int = 0, **common: Any) -> Ensemble:
    precision = common.pop("precision", "fp32")
    parts = [
        StructuredPGD(model, eps=eps, seed=seed, **common),
        SquareSearch(model, eps=eps, seed=seed, queries=3, **common),
    ]
    return Ensemble(model, attacks=parts, measures=["mse", "l1"], precision=precision)


def universal(model: nn.Module, **common: Any) -> UniversalPerturbation:
    draw = torch.Generator().manual_seed(9)
    hr = torch.rand(1, 3, 16, 20, generator=draw, dtype=torch.float64).float()
    kind = next((p.dtype for p in model.parameters()), torch.float32)
    lr, hr = F.avg_pool2d(hr, 4).to(kind), hr.to(kind)
    return UniversalPerturbation(model, steps=2, **common).fit([(lr, hr)])


# Every class of the package is tested with its defaults, without being named here; those named here take long
# with these, or have none for an argument.
MAKERS: dict[str, Make] = {name: each.load() for name, each in registry.classes().items()} | {
    "IFGSM": lambda model, **s: IFGSM(model, steps=3, **s),
    "MIFGSM": lambda model, **s: MIFGSM(model, steps=3, **s),
    "PGDL2": lambda model, **s: PGDL2(model, steps=3, restarts=2, **s),
    "APGD": lambda model, **s: APGD(model, steps=5, **s),
    "SquareSearch": lambda model, **s: SquareSearch(model, queries=5, **s),
    "UniversalPerturbation": universal,
    "Ensemble": ensemble,
    "StructuredPGD, restarted": lambda model, **s: StructuredPGD(
        model, restarts=2, momentum=0.9, steps=3, **s
    ),
    "RandomNoise, l2": lambda model, **s: RandomNoise(model, norm="l2", restarts=2, **s),
}


def needs_gradient(name: str) -> bool:
    return registry.attack_class(name.partition(",")[0]).needs_gradient


ALL = pytest.mark.parametrize("name", MAKERS)
WHITE = pytest.mark.parametrize("name", list(filter(needs_gradient, MAKERS)))
BLACK = pytest.mark.parametrize("name", [name for name in MAKERS if not needs_gradient(name)])


SHIPPED_WITH_A_RANDOM_START = ("APGD", "Ensemble", "PGDL2", "StructuredPGD", "StructuredPGD, restarted")


class Net(nn.Module):
    """A small x4 network with BatchNorm and dropout, so that modes and buffers matter."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 48, 3, padding=1)
            self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.b(F.leaky_relu(self.norm(self.a(x)), 0.2)), 4)


def batch(count: int = 2, height: int = 5, width: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    hr = torch.randint(0, 256, (count, 3, 4 * height, 4 * width), generator=draw).float() / 255
    return torch.randint(0, 256, (count, 3, height, width), generator=draw).float() / 255, hr


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


def state(model: nn.Module) -> list[Any]:
    modes = [module.training for module in model.modules()]
    grads = [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    return [modes, grads, {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()]


def same(first: list[Any], second: list[Any]) -> bool:
    return str(first[0]) == str(second[0]) and all(
        torch.equal(a, b) if isinstance(a, Tensor) else a == b
        for a, b in zip(_flat(first), _flat(second), strict=True)
    )


def _flat(values: list[Any]) -> list[Any]:
    _, grads, tensors, rng = values
    return [x for pair in grads for x in pair] + list(tensors.values()) + [rng]


@ALL
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_model_and_random_state_are_left_as_found(name: str, training: bool, fails: bool) -> None:
    model = Net().train(training)
    model.norm.train(not training)  # a mixed state, which model.train() would not bring back
    model.b.weight.requires_grad_(False)
    model.a.weight.grad = torch.full_like(model.a.weight, 3.0)
    lr, hr = batch()
    attack = MAKERS[name](model)
    before = state(model)
    calls = 0

    def stop(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal calls
        calls += 1
        if fails and calls == 2:
            raise KeyError("stop")

    handle = model.register_forward_hook(stop)
    try:
        attack(lr, hr)
        assert not fails or calls < 2
    except KeyError:
        assert fails
    handle.remove()
    assert same(before, state(model))
    assert torch.is_grad_enabled()


def test_the_model_runs_frozen_in_its_own_mode_and_without_graphs_left() -> None:
    model = Net().train()
    seen: list[tuple[bool, bool]] = []
    model.register_forward_hook(
        lambda m, i, o: seen.append((m.training, any(p.requires_grad for p in m.parameters())))
    )
    adversarial = StructuredPGD(model, steps=3)(*batch())
    assert seen == [(True, False)] * 3
    assert not adversarial.requires_grad and all(p.requires_grad for p in model.parameters())


@ALL
def test_works_inside_inference_mode_and_no_grad(name: str) -> None:
    attack = MAKERS[name](Net().eval())
    wanted = attack(*batch())
    with torch.inference_mode():
        torch.testing.assert_close(attack(*batch()), wanted)
    with torch.no_grad():
        torch.testing.assert_close(attack(*batch()), wanted)


@WHITE
def test_a_model_without_gradients_is_refused(name: str) -> None:
    inner = Net().eval()

    class Blocked(nn.Module):
        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return inner(x)  # type: ignore[no-any-return]

    if name == "Ensemble":  # whose search needs none
        with pytest.warns(ZeroGradient, match="only SquareSearch of the ensemble"):
            MAKERS[name](Blocked())(*batch())
        return
    with pytest.raises(BadInput, match="no gradient"):
        MAKERS[name](Blocked())(*batch())


@BLACK
def test_black_box_attacks_ask_for_no_gradient(name: str) -> None:
    model = Net().eval()
    model.forward = torch.no_grad()(model.forward)  # type: ignore[method-assign]
    lr, hr = batch()
    assert not torch.equal(MAKERS[name](model)(lr, hr), lr)


@WHITE
def test_nan_in_the_output_fails_the_run_and_names_the_image(name: str) -> None:
    class Poisoned(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            dark = x.flatten(1).mean(1).reshape(-1, 1, 1, 1) < 0.3
            return super().forward(x) + torch.where(dark, torch.nan, 0.0)

    lr, hr = batch()
    lr[1] *= 0.1
    if name == "UniversalPerturbation":
        with pytest.raises(RunFailed, match=r"NaN or infinite values \(image 1\)"):
            UniversalPerturbation(Poisoned(), steps=2).fit([(lr, hr)])
        return
    with pytest.raises(RunFailed, match=r"NaN or infinite values \(image second\)"):
        MAKERS[name](Poisoned())(lr, hr, ids=["first", "second"])


def test_nan_in_the_gradient_alone_fails_the_run() -> None:
    class Root(Nearest):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 0 * (x * 0).sum().sqrt()

    with pytest.raises(RunFailed, match="NaN"):
        StructuredPGD(Root())(*batch())


@ALL
def test_bad_images_are_refused(name: str) -> None:
    attack = MAKERS[name](Nearest())
    lr, hr = batch()
    with pytest.raises(BadInput, match=r"HR is \(2, 3, 20, 27\) where \(2, 3, 20, 28\) was due"):
        attack(lr, hr[..., :-1])
    with pytest.raises(BadInput, match="shape"):
        attack(lr[0], hr)
    with pytest.raises(BadInput, match="float"):
        attack((lr * 255).byte(), hr)
    with pytest.raises(BadInput, match=r"in \[0, 1\]"):
        attack(lr * 255, hr)
    with pytest.raises(BadInput, match=r"in \[0, 1\]"):
        attack(torch.full_like(lr, torch.nan), hr)
    with pytest.raises(BadInput, match="ids"):
        attack(lr, hr, ids=["a"])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (StructuredPGD, {"steps": 0}, "steps is 0"),
        (IFGSM, {"steps": 0}, "steps is 0"),
        (MIFGSM, {"steps": 0}, "steps is 0"),
        (PGDL2, {"steps": 0}, "steps is 0"),
        (APGD, {"steps": 0}, "steps is 0"),
        (UniversalPerturbation, {"steps": 0}, "steps is 0"),
        (SquareSearch, {"queries": 0}, "queries is 0"),
        (SquareSearch, {"share": 0.0}, "share is 0"),
        (StructuredPGD, {"structure": 0.5}, "structure is 0.5"),
        (StructuredPGD, {"alpha": -1.0}, "alpha"),
        (StructuredPGD, {"alpha": float("nan")}, "alpha"),
        (StructuredPGD, {"restarts": 0}, "restarts"),
        (StructuredPGD, {"eps": 14}, "14/255"),
        (StructuredPGD, {"precision": "fp8"}, "precision"),
        (StructuredPGD, {"objective": "ssim"}, "ssim"),
        (RandomNoise, {"norm": "l1"}, "norm"),
        (Ensemble, {"attacks": []}, "at least one attack"),
    ],
)
def test_bad_options_are_refused(make: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make(Nearest(), **options)


def test_ensembles_share_model_and_threat() -> None:
    model = Nearest()
    with pytest.raises(BadInput, match="share one model"):
        Ensemble(model, attacks=[RandomNoise(model, eps=0.1), RandomNoise(model, eps=0.2)])
    with pytest.raises(BadInput, match="share one model"):
        Ensemble(model, attacks=[RandomNoise(Nearest())])
    with pytest.raises(BadInput, match="references"):
        Ensemble(model, attacks=[RandomNoise(model)], references=2)


def test_a_model_of_another_scale_is_refused() -> None:
    with pytest.raises(BadInput, match=r"the model made \(2, 3, 10, 14\) where \(2, 3, 20, 28\) was due"):
        StructuredPGD(nn.Upsample(scale_factor=2))(*batch())


def test_without_hr_the_target_is_the_clean_output() -> None:
    lr, _ = batch()
    model = Net().eval()
    for name in filter(needs_gradient, MAKERS):
        if name == "UniversalPerturbation":  # whose target was what it was fitted on
            continue
        attack = MAKERS[name](model)
        damage = attack.loss(lr, attack(lr))
        assert (attack.loss(lr, lr) == 0).all() and (damage > 1e-5).all(), name
    for make in (FGSM, IFGSM, MIFGSM, APGD, PGDL2):
        with pytest.raises(BadInput, match="zero start needs HR"):
            make(model, start="zero")(lr)


def test_unfitted_universal_noise_is_refused() -> None:
    with pytest.raises(BadInput, match="fitted first"):
        UniversalPerturbation(Nearest())(*batch())
    with pytest.raises(BadInput, match="no images"):
        UniversalPerturbation(Nearest()).fit([])


def test_bf16_finds_nearly_as_much_damage() -> None:
    lr, hr = batch(2, 12, 12)
    exact, fast = (StructuredPGD(Net().eval(), steps=5, precision=p) for p in ("fp32", "bf16"))
    gain, gained = (exact.loss(lr, a(lr, hr), hr) - exact.loss(lr, lr, hr) for a in (exact, fast))
    assert not torch.equal(exact(lr, hr), fast(lr, hr))
    torch.testing.assert_close(gained, gain, rtol=0.1, atol=0)


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


class Counter(nn.Module):
    """Nearest-neighbour upscaling that counts images, apart by whether a gradient is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = {True: 0, False: 0}

    def forward(self, x: Tensor) -> Tensor:
        self.counted[x.requires_grad] += len(x)
        return F.interpolate(x, scale_factor=4, mode="nearest")

    def passes(self) -> AttackPasses:
        return AttackPasses(forwards=self.counted[False], gradients=self.counted[True])


@ALL
@pytest.mark.parametrize("samples", [1, 3])
def test_an_attack_takes_the_passes_it_states(name: str, samples: int) -> None:
    model = Counter()
    if name == "Ensemble":  # which takes this for its parts, whatever they say of themselves
        parts = [RandomNoise(model, restarts=2), FGSM(model), APGD(model, steps=3, samples=2)]
        attack: SRAttack = Ensemble(
            model, attacks=[Ensemble(model, attacks=parts), StructuredPGD(model)], samples=samples
        )
    else:
        attack = MAKERS[name](model, samples=samples)
    model.counted = {True: 0, False: 0}
    attack(*batch(1))
    assert model.passes() == attack.passes()
    assert needs_gradient(name) == (attack.passes().gradients > 0) or name == "UniversalPerturbation"


def test_without_hr_there_is_one_pass_more_for_the_target() -> None:
    model = Counter()
    attack = StructuredPGD(model, steps=3)
    attack(batch(1)[0])
    assert model.passes() == attack.passes() + AttackPasses(forwards=1)
    model = Counter()
    RandomNoise(model)(batch(1)[0])
    assert model.passes() == AttackPasses()


def test_fitting_takes_a_gradient_of_each_image_in_each_step() -> None:
    model = Counter()
    UniversalPerturbation(model, steps=4).fit([batch(2), batch(1)])
    assert model.passes() == AttackPasses(gradients=12)
