"""The directory of a training is a model before the training ends, and so is each of its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from srbench import zoo
from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, prepare
from srbench.support.home import sha256_file
from srbench.support.toml import to_toml
from srbench.train import recipe as recipes
from srbench.train.export import export
from srbench.train.generator import build_generator
from srbench.train.start import initial_weights, unfinished_start
from srbench.train.state import Checkpoints, State

RECIPE: dict[str, Any] = {
    "name": "tiny",
    "title": "Tiny",
    "domain": "adversarial",
    "generator": {"num_feat": 8, "num_block": 1},
    "schedule": {"iterations": 6000},
}
LR = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))


def state(iteration: int, *, averaged: bool) -> State:
    generator = build_generator(8, 1, seed=iteration)
    average = {name: value / 2 for name, value in generator.state_dict().items()} if averaged else {}
    optimizer = torch.optim.Adam(generator.parameters())
    return State(generator, optimizer, average=average, iteration=iteration)


def begun(folder: Path, *, averaged: bool = False, iterations: tuple[int, ...] = (2000, 4000)) -> Path:
    """What a training leaves that was stopped after its last checkpoint; the first one is the best."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "recipe.toml").write_text(to_toml(recipes.parse(RECIPE).model_dump(mode="json")))
    for iteration in iterations:
        content = state(iteration, averaged=averaged).content()
        Checkpoints(folder / "checkpoints", 3).save(content, best=iteration == iterations[0])
    return folder


def image(weights: dict[str, Tensor]) -> Tensor:
    generator = build_generator(8, 1)
    generator.load_state_dict(weights)
    with torch.no_grad():
        made: Tensor = generator.eval().to(memory_format=torch.channels_last)(LR)  # type: ignore[call-overload]
    return made


@pytest.mark.parametrize("averaged", [False, True], ids=["weights", "average"])
def test_a_training_that_goes_on_is_its_last_checkpoint(averaged: bool, tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny", averaged=averaged)
    (ref,) = zoo.resolve([str(folder)])
    assert (ref.name, ref.card.domain) == ("tiny", "adversarial")
    assert ref.card.title == "Tiny, not finished (iteration 4,000 of 6,000)"
    assert ref.note.endswith("is not finished (iteration 4,000 of 6,000): 00004000.pt of it is taken")
    assert ref.weights_sha256 == sha256_file(folder / "checkpoints/00004000.pt")
    assert torch.allclose(ref.load()(LR), image(state(4000, averaged=averaged).exported()), atol=1e-6)


@pytest.mark.parametrize("averaged", [False, True], ids=["weights", "average"])
def test_a_checkpoint_of_a_training(averaged: bool, tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny", averaged=averaged)
    best, last, mine = zoo.resolve(
        [
            str(folder / "checkpoints/best.pt"),
            str(folder / "checkpoints/00004000.pt"),
            f"mine={folder}/checkpoints/best.pt",
        ]
    )
    assert [ref.name for ref in (best, last, mine)] == ["tiny-best", "tiny-00004000", "mine"]
    assert "not finished (iteration 2,000 of 6,000): best.pt" in best.note
    assert torch.allclose(best.load()(LR), image(state(2000, averaged=averaged).exported()), atol=1e-6)
    own = zoo.resolve([f"{folder}/checkpoints/best.pt,key=generator"])[0]
    assert torch.allclose(own.load()(LR), image(dict(state(2000, averaged=False).exported())), atol=1e-6)


def test_a_finished_training_is_what_it_exported(tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny")
    export(folder, recipes.parse(RECIPE), state(6000, averaged=False).exported(), {})
    ref, best = zoo.resolve([str(folder), f"{folder}/checkpoints/best.pt"])
    assert (ref.name, ref.card.title, ref.note) == ("tiny", "Tiny", "")
    assert (best.card.title, best.note) == ("Tiny, iteration 2,000 of 6,000", "")
    assert initial_weights(str(folder)).name == "model.safetensors"
    assert unfinished_start(f"{folder}/checkpoints/best.pt") == ""


def test_the_notice_is_printed(tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny")
    request = EvaluationRequest(models=(str(folder), "bicubic"), datasets=("clean-mini",), metrics=("psnr",))
    assert any("not finished (iteration 4,000 of 6,000)" in line for line in prepare(request).notices)


def test_a_training_may_start_from_one(tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny")
    assert initial_weights(str(folder)) == folder / "checkpoints/00004000.pt"
    assert initial_weights(f"{folder}/checkpoints/best.pt") == folder / "checkpoints/best.pt"
    assert "not finished (iteration 4,000 of 6,000)" in unfinished_start(str(folder))
    assert unfinished_start("scratch") == unfinished_start("rsr-mini") == ""


def test_a_checkpoint_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny")
    cut = folder / "checkpoints/00004000.pt"
    cut.write_bytes(cut.read_bytes()[:1000])
    assert "iteration 2,000" in zoo.resolve([str(folder)])[0].note
    for file in folder.glob("checkpoints/*.pt"):
        file.write_bytes(b"")
    with pytest.raises(BadInput, match="has no checkpoint that can be read: go on with it by"):
        zoo.resolve([str(folder)])


def test_a_training_without_a_checkpoint_and_other_folders(tmp_path: Path) -> None:
    folder = begun(tmp_path / "runs/tiny", iterations=())
    for use in (lambda: zoo.resolve([str(folder)]), lambda: initial_weights(str(folder))):
        with pytest.raises(BadInput, match=r"tiny is a training that has no checkpoint yet: .* --resume"):
            use()
    with pytest.raises(BadInput, match="key= chooses a network in a checkpoint file, this is a folder"):
        zoo.resolve([f"{folder},key=generator"])
    (folder / "recipe.toml").write_text("name = 'x'\n")
    torch.save(state(1, averaged=False).content(), folder / "checkpoints/00000001.pt")
    with pytest.raises(BadInput, match=r"recipe\.toml is no recipe of a training"):
        zoo.resolve([str(folder)])
    with pytest.raises(BadInput, match="unknown model"):
        zoo.resolve([str(tmp_path / "runs")])
