"""Find the model in the directory of a training, finished or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srbench.errors import BadInput
from srbench.support.toml import read_toml

RUN_CARD, RUN_WEIGHTS = "card.toml", "model.safetensors"
"""These two files make the directory of a training a model; they are written at its end."""
RUN_RECIPE, RUN_CHECKPOINTS = "recipe.toml", "checkpoints"
"""These are in it from the beginning: the settings, and a folder of the states it can go on from."""


def is_run(folder: Path) -> bool:
    """Tell whether a directory is that of a training, which may have no checkpoint yet."""
    return (folder / RUN_CARD).is_file() or (folder / RUN_RECIPE).is_file()


def is_finished(folder: Path) -> bool:
    """Tell whether a training has ended; its card is the last thing it writes."""
    return (folder / RUN_CARD).is_file()


def run_of(checkpoint: Path) -> Path | None:
    """Return the directory of the training that a checkpoint lies in; None if it is of no such directory."""
    folder = checkpoint.parent
    inside = folder.absolute().name == RUN_CHECKPOINTS and (folder / ".." / RUN_RECIPE).is_file()
    if not inside:
        return None
    return folder.parent if folder.name else folder.absolute().parent


def latest_checkpoint(folder: Path) -> Path:
    """Return the last checkpoint of a training that can be read.

    Raises:
        BadInput: there is none; the message says whether there are damaged ones.
    """
    from srbench.zoo.checkpoint import read_file

    files = [file for file in (folder / RUN_CHECKPOINTS).glob("*.pt") if file.stem.isdigit()]
    for file in sorted(files, key=lambda file: int(file.stem), reverse=True):
        try:
            read_file(file)
        except BadInput:  # one that a full disk cut off; those before it are whole
            continue
        return file
    state = "has no checkpoint that can be read" if files else "has no checkpoint yet"
    raise BadInput(f"{folder} is a training that {state}: go on with it by `srbench train --resume {folder}`")


def recipe_of(folder: Path) -> dict[str, Any]:
    """Return the settings of a training as its file has them.

    Raises:
        BadInput: the file cannot be read, or lacks a name or a number of iterations.
    """
    file = folder / RUN_RECIPE
    try:
        recipe = read_toml(file)
        _ = str(recipe["name"]), int(recipe["schedule"]["iterations"])
    except (ValueError, OSError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadInput(f"{file} is no recipe of a training ({reason})") from error
    return recipe


def progress(recipe: Mapping[str, Any], checkpoint: Path) -> tuple[int, int]:
    """Return after how many iterations a checkpoint of a training was written, and how many there will be.

    Raises:
        BadInput: it is no checkpoint of such a training.
    """
    from srbench.zoo.checkpoint import read_file

    done = read_file(checkpoint).get("iteration")
    if not isinstance(done, int):
        raise BadInput(f"{checkpoint} is no checkpoint of a training: it does not say its iteration")
    return done, int(recipe["schedule"]["iterations"])


def unfinished(checkpoint: Path) -> str:
    """Say in a line that a checkpoint is of a training that has not ended; "" for any other file.

    Raises:
        BadInput: the training's recipe, or the checkpoint, is none.
    """
    folder = run_of(checkpoint)
    if folder is None or is_finished(folder):
        return ""
    done, total = progress(recipe_of(folder), checkpoint)
    shown = folder if folder.name else folder.absolute()
    return (
        f"the training in {shown} is not finished (iteration {done:,} of {total:,}): "
        f"{checkpoint.name} of it is taken"
    )
