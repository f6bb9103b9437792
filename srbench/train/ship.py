"""Pack a finished run as a model that comes with srbench: fp16 weights in zoo/mini, a card in zoo/cards."""

from __future__ import annotations

from pathlib import Path

from srbench.errors import BadInput
from srbench.support.home import atomic_path, sha256_file, write_atomic
from srbench.support.toml import read_toml, to_toml
from srbench.train.export import half
from srbench.zoo.refs import RUN_CARD, RUN_WEIGHTS, resolve
from srbench.zoo.schema import Card

LICENCE = "Apache-2.0"
CITATION = "Trained by srbench, with the recipe of the same name"


def ship(run: Path, zoo: Path, name: str = "") -> Path:
    """Write ``mini/NAME.safetensors`` (fp16) and ``cards/NAME.toml`` into a checkout's zoo folder.

    Args:
        run: the directory of a finished run.
        zoo: the folder ``zoo`` of a checkout.
        name: of the model, where it is not the run's.

    Returns:
        The file of weights.

    Raises:
        BadInput: the run is not finished.
        ValueError: a weight that fp16 cannot hold.
    """
    from safetensors.torch import load_file, save_file

    from srbench.zoo.cost import cost

    if not (run / RUN_CARD).is_file():
        raise BadInput(f"{run} holds no finished training: it has no {RUN_CARD}")
    card = Card.model_validate(read_toml(run / RUN_CARD))
    name = name or card.name
    target = zoo / "mini" / f"{name}.safetensors"
    target.parent.mkdir(exist_ok=True)
    with atomic_path(target) as temporary:
        save_file(half(load_file(run / RUN_WEIGHTS)), temporary, metadata={"format": "pt"})
    target.chmod(0o644)  # it goes into a package that other users read
    costs = cost(resolve([str(run)])[0].load())
    shipped = card.model_copy(
        update={
            "name": name,
            "architecture": costs | card.architecture,
            "licence": LICENCE,
            "citation": CITATION,
            "redistributable": True,
            "packaged": sha256_file(target),
        }
    )
    text = to_toml(shipped.model_dump(mode="json", exclude_defaults=True))
    write_atomic(zoo / "cards" / f"{name}.toml", text)
    return target
