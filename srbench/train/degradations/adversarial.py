"""Attack every LR image on the fly by StructuredPGD against the generator as it is now: RSR."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from torch import Tensor

from srbench.attacks.base import SRAttack
from srbench.attacks.objectives import Objective, Score, WeightedSum
from srbench.attacks.objectives_from_text import parse_objective
from srbench.attacks.objectives_text import join
from srbench.attacks.random_noise import RandomNoise
from srbench.attacks.structured_pgd import StructuredPGD
from srbench.attacks.threat import eps_text, parse_eps
from srbench.errors import BadInput
from srbench.train.degradations.attack_loss import PERCEPTUAL, canonical_loss, loss_terms
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.clean import bicubic_lr


def _levels(value: str | float) -> str:
    return eps_text(parse_eps(value))


Levels = Annotated[str, BeforeValidator(_levels)]
"""This is a distance in levels of 255, written 14 or 14/255 and kept as ``14/255``."""


class AdversarialSettings(Table):
    """Holds the settings of ``adversarial``; the defaults are those of RSR's published code.

    Attributes:
        eps: l-inf radius.
        alpha: step length.
        steps: gradient steps; 0 is structured random noise alone, which needs no gradient: the control
            ``random-structured``.
        structure: side of a noise cell of the start in LR pixels, 1 or more.
        loss: what the attack makes large: terms with weights, such as ``l1``, ``percep`` or
            ``0.01*l1+percep``. ``percep`` is the perceptual loss of the training itself; any term of
            :mod:`srbench.attacks.objectives` (``vgg19``, ``lpips-alex`` …) can be named instead.
        precision: ``bf16`` runs generator and loss under autocast during the attack.
        quantize: round the clean LR to 8 bit before the attack, as LR files are.
    """

    kind: Literal["adversarial"] = "adversarial"
    eps: Levels = "14/255"
    alpha: Levels = "1/255"
    steps: int = Field(default=2, ge=0)
    structure: float = Field(default=1.5, ge=1)
    loss: Annotated[str, BeforeValidator(canonical_loss)] = "0.01*l1+percep"
    precision: Literal["fp32", "bf16"] = "fp32"
    quantize: bool = True

    def needs_perceptual(self) -> bool:
        """Tell whether a term of the loss that is attacked is ``percep``."""
        return self.steps > 0 and any(name == PERCEPTUAL for _, name in loss_terms(self.loss))


class Adversarial(Degradation):
    """Attacks the clean LR of each batch; a step costs one forward and one backward, and nothing else does.

    The generator stays in the mode it is in, and its parameters ask for gradients afterwards as before.

    Raises:
        Unavailable: the weights of a term named in ``loss`` are not installed.
    """

    def __init__(self, settings: AdversarialSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._score_text = ""
        # Loaded now, so that weights that are not installed are missed before the first batch.
        self._terms: list[tuple[float, Objective | None]] = [
            (weight, None if name == PERCEPTUAL else parse_objective(name))
            for weight, name in (loss_terms(settings.loss) if settings.steps else [])
        ]

    def __call__(self, batch: Batch) -> Tensor:
        self._score_text = batch.score_text
        return self._attack(batch)(self._unattacked(batch), batch.hr, batch.ids).detach()

    def describe(self) -> dict[str, Any]:
        """Return the settings; with ``loss_used`` once a batch has shown what ``percep`` is."""
        facts: dict[str, Any] = self._settings.model_dump(mode="json")
        if self._settings.steps and self._score_text:
            terms = loss_terms(self._settings.loss)
            facts["loss_used"] = join((w, self._score_text if n == PERCEPTUAL else n) for w, n in terms)
        return facts

    def _unattacked(self, batch: Batch) -> Tensor:
        return bicubic_lr(batch.hr, quantize=self._settings.quantize)

    def _attack(self, batch: Batch) -> SRAttack:
        settings, context = self._settings, self._context
        common: dict[str, Any] = {"eps": parse_eps(settings.eps), "seed": context.seed}
        common |= {"structure": settings.structure, "precision": settings.precision}
        if not settings.steps:
            return RandomNoise(context.generator, **common)
        return StructuredPGD(
            context.generator,
            alpha=parse_eps(settings.alpha),
            steps=settings.steps,
            objective=self._objective(batch),
            **common,
        )

    def _objective(self, batch: Batch) -> Objective:
        # WeightedSum joins terms by their text, so the bound one keeps a name no other term has.
        return WeightedSum((w, _TrainingLoss(batch) if term is None else term) for w, term in self._terms)


class _TrainingLoss(Objective):
    """Makes the batch's perceptual loss an objective; training has the target's features already."""

    text = PERCEPTUAL

    def __init__(self, batch: Batch) -> None:
        if batch.score is None:
            raise BadInput(
                "the attack loss has the term percep, but this training has no perceptual loss: give it one, "
                "or choose an attack loss without percep, such as l1"
            )
        self._score = batch.score

    def bind(self, target: Tensor) -> Score:
        return self._score


KIND = DegradationKind(AdversarialSettings, Adversarial)
