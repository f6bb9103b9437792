"""Shipping a finished run: fp16 weights and a card that vouches for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from srbench.cli import app
from srbench.errors import BadInput
from srbench.support.home import sha256_file
from srbench.support.toml import read_toml
from srbench.train.export import export
from srbench.train.generator import build_generator
from srbench.train.recipe import load
from srbench.train.ship import ship
from srbench.zoo.schema import Card


def test_a_run_becomes_weights_and_card(tmp_path: Path) -> None:
    recipe = load("rsr-mini")
    weights = build_generator(recipe.generator.num_feat, recipe.generator.num_block, seed=3).state_dict()
    (tmp_path / "zoo" / "cards").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    export(tmp_path / "run", recipe, weights, {})
    arguments = ["maintain", "ship", str(tmp_path / "run"), "--zoo", str(tmp_path / "zoo")]
    done = CliRunner().invoke(app, arguments)
    file = tmp_path / "zoo" / "mini" / "rsr-mini.safetensors"
    assert done.exit_code == 0 and done.stdout.strip() == str(file)
    card = Card.model_validate(read_toml(tmp_path / "zoo" / "cards" / "rsr-mini.toml"))
    assert {"parameters", "macs_per_lr_pixel", "peak_mib"} <= set(card.architecture)
    assert card.packaged == sha256_file(file) and card.domain == "adversarial" and card.redistributable
    shipped = load_file(file)
    assert set(shipped) == set(weights)
    for name, value in shipped.items():
        assert value.dtype == torch.float16
        assert torch.allclose(value.float(), weights[name], rtol=2**-10, atol=2**-24)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no finished training: it has no card\.toml"):
        ship(tmp_path, tmp_path)
