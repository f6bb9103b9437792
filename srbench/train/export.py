"""A run ends as an entry of the zoo: weights, card, and how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srbench.store.provenance import commit, versions
from srbench.support.home import atomic_path, sha256_file, write_atomic
from srbench.train.recipe import Recipe, to_toml
from srbench.zoo.refs import RUN_CARD, RUN_WEIGHTS
from srbench.zoo.schema import Card

WEIGHTS, CARD, FACTS = RUN_WEIGHTS, RUN_CARD, "training.json"


def export(folder: Path, recipe: Recipe, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write ``model.safetensors`` (fp32), ``card.toml`` and ``training.json`` into a run's directory.

    The card comes last: a directory that has one is complete.

    Args:
        facts: what to tell of the training beside the recipe, as JSON types.

    Raises:
        OSError: a file cannot be written.
    """
    from safetensors.torch import save_file

    plain = {name: value.detach().float().cpu().contiguous() for name, value in weights.items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(plain, temporary, metadata={"format": "pt"})
    told = {
        "name": recipe.name,
        "weights_sha256": sha256_file(folder / WEIGHTS),
        "recipe_hash": recipe.hash,
        "recipe": recipe.model_dump(mode="json"),
        **facts,
        "commit": commit(),
        "versions": versions(),
    }
    write_atomic(folder / FACTS, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    card = make_card(recipe, sum(value.numel() for value in plain.values()))
    write_atomic(folder / CARD, to_toml(card.model_dump(mode="json", exclude_defaults=True)))


def make_card(recipe: Recipe, parameters: int) -> Card:
    """The zoo card of what a recipe makes; licence and citation are its maker's to fill in."""
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
    """Weights in fp16, for shipping.

    Raises:
        ValueError: a weight does not fit into fp16.
    """
    found = {name: value.detach().cpu().to(torch.float16).contiguous() for name, value in weights.items()}
    if broken := [name for name, value in found.items() if not bool(torch.isfinite(value).all())]:
        raise ValueError(f"{broken[0]} has values that fp16 cannot hold")
    return found
