"""End a run as an entry of the zoo: weights, card, and how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srbench.store.provenance import commit, versions
from srbench.support.home import atomic_path, sha256_file, write_atomic
from srbench.support.toml import to_toml
from srbench.train.recipe import TrainingRecipe
from srbench.zoo.refs import RUN_CARD, RUN_WEIGHTS
from srbench.zoo.schema import Card

FACTS = "training.json"
"""This file of a run says how its weights came about; its card and weights have names of the zoo."""


def export(
    folder: Path, recipe: TrainingRecipe, weights: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> None:
    """Write ``model.safetensors`` (fp32), ``card.toml`` and ``training.json`` into a run's directory.

    The card comes last: a directory that has one is complete.

    Args:
        facts: what to write of the training beside the recipe, as JSON types.

    Raises:
        OSError: a file cannot be written.
    """
    from safetensors.torch import save_file

    plain = {name: value.detach().float().cpu().contiguous() for name, value in weights.items()}
    with atomic_path(folder / RUN_WEIGHTS) as temporary:
        save_file(plain, temporary, metadata={"format": "pt"})
    whole = {
        "name": recipe.name,
        "weights_sha256": sha256_file(folder / RUN_WEIGHTS),
        "recipe_hash": recipe.hash,
        "recipe": recipe.model_dump(mode="json"),
        **facts,
        "commit": commit(),
        "versions": versions(),
    }
    write_atomic(folder / FACTS, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    card = make_card(recipe, sum(value.numel() for value in plain.values()))
    write_atomic(folder / RUN_CARD, to_toml(card.model_dump(mode="json", exclude_defaults=True)))


def make_card(recipe: TrainingRecipe, parameters: int) -> Card:
    """Return the zoo card of what a recipe makes; licence and citation are its maker's to fill in."""
    kind = recipe.degradation["kind"]
    return Card(
        name=recipe.name,
        title=recipe.title or recipe.name,
        domain=recipe.domain,
        architecture={"family": "RRDBNet", **recipe.generator.model_dump(), "parameters": parameters},
        licence="",
        citation="",
        redistributable=False,
        notes=f"trained by srbench: {recipe.schedule.iterations} iterations on '{kind}' input "
        f"from {Path(recipe.init).name}, seed {recipe.seed}",
    )


def half(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in fp16, for shipping.

    Raises:
        ValueError: a weight does not fit into fp16.
    """
    halved = {name: value.detach().cpu().to(torch.float16).contiguous() for name, value in weights.items()}
    if broken := [name for name, value in halved.items() if not bool(torch.isfinite(value).all())]:
        raise ValueError(f"{broken[0]} has values that fp16 cannot hold")
    return halved
