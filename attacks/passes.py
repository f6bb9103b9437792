"""Count the passes through the network that an attack takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AttackPasses:
    """Says how often one image goes through the network while it is attacked.

    Attributes:
        forwards: forward passes without a gradient.
        gradients: forward passes with a gradient to the input; each is the arithmetic of two.

    >>> from srbench.attacks.passes import AttackPasses
    >>> 3 * AttackPasses(gradients=10) + AttackPasses(forwards=3)
    AttackPasses(forwards=3, gradients=30)
    """

    forwards: int = 0
    gradients: int = 0

    def __add__(self, other: AttackPasses) -> AttackPasses:
        return AttackPasses(self.forwards + other.forwards, self.gradients + other.gradients)

    def __rmul__(self, times: int) -> AttackPasses:
        return AttackPasses(times * self.forwards, times * self.gradients)


def restarted(once: AttackPasses, restarts: int) -> AttackPasses:
    """Return what :func:`srbench.attacks.base.worst_of` several runs takes: it looks at each, if not alone.

    >>> from srbench.attacks.passes import AttackPasses, restarted
    >>> restarted(AttackPasses(gradients=2), 1), restarted(AttackPasses(gradients=2), 3)
    (AttackPasses(forwards=0, gradients=2), AttackPasses(forwards=3, gradients=6))
    """
    return restarts * once + AttackPasses(forwards=restarts if restarts > 1 else 0)
