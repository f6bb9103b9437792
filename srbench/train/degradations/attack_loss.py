"""Read the text of an attack loss in training: terms of the attacks' objectives, and ``percep``."""

from __future__ import annotations

from srbench.attacks.objectives_text import TERMS, join, parse_terms, rank
from srbench.errors import BadInput

PERCEPTUAL = "percep"
"""This term is training's own perceptual loss, whichever was chosen."""


def loss_terms(text: str) -> list[tuple[float, str]]:
    """Return weights and canonical names, :data:`PERCEPTUAL` last; equal terms are joined.

    Unlike in the attack library, where it is another name of ``vgg19``, ``percep`` is a term of its own.

    Raises:
        BadInput: the text cannot be read or names an unknown term.
    """
    sums: dict[str, float] = {}
    for word in text.lower().replace(" ", "").split("+"):
        try:
            ((weight, name),) = parse_terms(word)
        except BadInput as error:
            raise BadInput(
                f"attack loss '{text}' cannot be read at '{word}': write for example 0.01*l1+percep; "
                f"the terms are {', '.join([PERCEPTUAL, *TERMS])}, with weights above 0"
            ) from error
        if word.rpartition("*")[2] in (PERCEPTUAL, "perceptual"):
            name = PERCEPTUAL
        sums[name] = sums.get(name, 0.0) + weight
    return [(sums[name], name) for name in sorted(sums, key=rank)]


def canonical_loss(text: str) -> str:
    """Return the one spelling of a loss: ``percep + 0.010*l1`` is ``0.01*l1+percep``.

    Raises:
        BadInput: see :func:`loss_terms`.
    """
    return join(loss_terms(str(text)))
