"""Pack a finished run as a model that comes with srbench: fp16 weights in zoo/mini, a card in zoo/cards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from srbench.errors import BadInput
from srbench.support.home import atomic_path, sha256_file, write_atomic
from srbench.support.toml import read_toml
from srbench.train.export import CARD, WEIGHTS, half
from srbench.train.recipe import to_toml
from srbench.zoo.schema import Card

LICENCE = "Apache-2.0"
CITATION = "Trained by srbench, with the recipe of the same name"


def ship(run: Path, zoo: Path) -> Path:
    """Write ``mini/NAME.safetensors`` (fp16) and ``cards/NAME.toml`` into a checkout's zoo folder.

    Args:
        run: the directory of a finished run.
        zoo: the folder ``zoo`` of a checkout.

    Returns:
        The file of weights.

    Raises:
        BadInput: the run is not finished.
        ValueError: a weight that fp16 cannot hold.
    """
    from safetensors.torch import load_file, save_file

    from srbench.zoo.cost import cost
    from srbench.zoo.refs import resolve

    if not (run / CARD).is_file():
        raise BadInput(f"{run} holds no finished training: it has no {CARD}")
    card = Card.model_validate(read_toml(run / CARD))
    target = zoo / "mini" / f"{card.name}.safetensors"
    target.parent.mkdir(exist_ok=True)
    with atomic_path(target) as temporary:
        save_file(half(load_file(run / WEIGHTS)), temporary, metadata={"format": "pt"})
    target.chmod(0o644)  # it goes into a package that other users read
    counted = cost(resolve([str(run)])[0].load())
    told = card.model_copy(
        update={
            "architecture": counted | card.architecture,
            "licence": LICENCE,
            "citation": CITATION,
            "redistributable": True,
            "packaged": sha256_file(target),
        }
    )
    table = told.model_dump(mode="json", exclude_defaults=True)
    write_atomic(zoo / "cards" / f"{card.name}.toml", to_toml(table))
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    """``python -m srbench.train.ship RUN… --zoo zoo``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="directories of finished runs")
    parser.add_argument("--zoo", type=Path, required=True, help="the folder zoo of a checkout")
    given = parser.parse_args(arguments)
    for run in given.runs:
        print(ship(run, given.zoo))


if __name__ == "__main__":
    main()
