"""Give all attacks what they share: checks at the door, a frozen model, seeds, torchattacks' interface."""

from __future__ import annotations

import itertools
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from srbench.attacks.checked import at_least, flag, image_batch, image_ids, whole
from srbench.attacks.model_state import number_type, untouched
from srbench.attacks.objectives import Objective
from srbench.attacks.objectives_from_text import parse_objective
from srbench.attacks.passes import AttackPasses
from srbench.attacks.problem import Problem, convolutional
from srbench.attacks.threat import Norm, ThreatModel, eps_text
from srbench.attacks.torchattacks_base import Attack
from srbench.errors import BadInput
from srbench.support.scales import LISTED, SCALE, scale_between

__all__ = ["Precision", "SRAttack", "ZeroGradient", "at_least", "worst_of"]

Precision = Literal["fp32", "bf16"]
UNSTEERED = "the gradient was zero on every value"


class ZeroGradient(UserWarning):
    """Warns that an attack asked for gradients and every one was zero: what it gives says little."""


class SRAttack(Attack):  # type: ignore[misc]
    """Serves as base of all attacks: a ``torchattacks.attack.Attack`` (Kim 2020) whose labels are HR images.

    Where torchattacks is not installed it has the same methods, without that class's own.

    ``adversarial = attack(lr, hr)``; images are RGB in [0,1]. The model runs in the mode it is in. Its
    parameters are frozen for the call, and afterwards, also after an exception, everything about it is as
    it was. The global random state is neither read nor written by the attack.

    A subclass says how it perturbs (:meth:`perturb`) and what that takes (:meth:`asks`), and states of itself
    what has to be known without loading it. These are literals, for its file is read and not run
    (:mod:`srbench.attacks.index`); ``examples/new_attack.py`` is a whole one.

    Attributes:
        needs_gradient: whether it asks for gradients of the model.
        is_noise: whether it is random noise, which attacks are read against.
        fitted: whether it has to see images of a set before it attacks one: it has ``images``, how many, and
            ``fit``, which takes batches of LR and HR.
        norms: the norms it can be bounded in, its usual one first. Where there are several, ``norm`` is an
            argument.
        options: the names of its own options.
        edition: 1, and one more each time that the same settings come to do something else: it is part of
            the hash from 2 on, so that records of both never meet as one attack.

    Args:
        model: maps LR (N,3,H,W) to SR (N,3,sH,sW), s one of :data:`srbench.support.scales.SCALES`.
        eps: radius in units of the range [0,1]; see :class:`~srbench.attacks.threat.ThreatModel`.
        norm: ``linf`` or ``l2``.
        rounded: give 8-bit values, as after saving to a file.
        objective: what is made large: text such as ``0.01*l1+vgg19``, an
            :class:`~srbench.attacks.objectives.Objective`, or a function of SR and target giving (N,).
        seed: with each image's id decides the noise.
        precision: ``bf16`` runs model and objective under autocast, faster and slightly less exact.
        samples: forwards averaged for every loss and gradient; above 1 for a model that is random itself
            (expectation over transformation, Athalye et al. 2018). Its randomness comes from torch's
            global state, which the caller seeds.
        straight_through: let gradients pass through rounding and clipping inside the model (BPDA, Athalye
            et al. 2018); see :mod:`srbench.attacks.straight_through`.
        targeted: make the objective small in place of large: HR is then the image that the output is steered
            towards.

    Raises:
        BadInput: a setting out of range.
        Unavailable: the objective's weights are not installed.

    >>> import torch
    >>> from srbench.attacks import SRAttack
    >>> from srbench.attacks.passes import AttackPasses
    >>> class Brighter(SRAttack):
    ...     def perturb(self, problem):
    ...         return problem.zeros + self.threat.eps
    ...     def asks(self):
    ...         return AttackPasses()
    >>> attack = Brighter(torch.nn.Upsample(scale_factor=4), eps=0.25)
    >>> attack(torch.full((1, 3, 8, 8), 0.5)).unique()
    tensor([0.7500])
    """

    needs_gradient: ClassVar[bool] = True
    is_noise: ClassVar[bool] = False
    fitted: ClassVar[bool] = False
    norms: ClassVar[tuple[Norm, ...]] = ("linf",)
    options: ClassVar[tuple[str, ...]] = ()
    edition: ClassVar[int] = 1

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        eps: float = 14 / 255,
        norm: Norm = "linf",
        rounded: bool = False,
        objective: str | Objective | Callable[[Tensor, Tensor], Tensor] = "l1",
        seed: str | int = 0,
        precision: Precision = "fp32",
        samples: int = 1,
        straight_through: bool = False,
        targeted: bool = False,
    ) -> None:
        self._device: torch.device | None = None
        # torchattacks reads the device off the first parameter and prints a complaint where there is none
        # (bicubic has none), so it is shown a module that has one.
        super().__init__(type(self).__name__, nn.ParameterList([torch.empty(0)]))
        self._device = None
        self.set_model(model)
        self.threat = ThreatModel(norm, eps, rounded=rounded)
        self.objective = parse_objective(objective)
        if isinstance(seed, bool) or not isinstance(seed, str | int):
            raise BadInput(f"seed is {seed!r}: it has to be a whole number or text")
        self.seed = seed
        if precision not in ("fp32", "bf16"):
            raise BadInput(f"'{precision}' is not a precision: choose fp32 or bf16")
        self.precision = precision
        self.samples = whole("samples", samples)
        self.straight_through = flag("straight_through", straight_through)
        self.aims = flag("targeted", targeted)

    @abstractmethod
    def perturb(self, problem: Problem) -> Tensor:
        """Return a perturbation (N,3,H,W); it is projected once more afterwards."""

    @abstractmethod
    def asks(self) -> AttackPasses:
        """Return how often :meth:`perturb` asks the problem for losses (``forwards``) and for gradients."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it asks the problem")

    def passes(self) -> AttackPasses:
        """Return the passes through the network that one image takes, where HR is given.

        Without HR the clean output is the target, and takes one forward more as soon as anything is asked.
        """
        return self.samples * self.asks()

    @classmethod
    def l2_form(cls, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Return the class that is the same attack in l2, by name, and its options; None if there is none.

        Args:
            options: every option of this attack.
        """
        return None

    def __call__(self, lr: Tensor, hr: Tensor | None = None, ids: Sequence[str] | None = None) -> Tensor:
        """Attack a batch.

        Args:
            lr: (N,3,H,W), RGB in [0,1].
            hr: (N,3,sH,sW), RGB in [0,1]; without it the target is the model's own clean output.
            ids: N image ids, which seed the noise; by default "0", "1", …

        Returns:
            (N,3,H,W) in [0,1] on the model's device, inside the threat model's ball.

        Raises:
            BadInput: wrong shapes or range, no gradient, an LR smaller than the noise structure.
            RunFailed: NaN or infinite values in the model's output or gradient.
        """
        # torchattacks' own __call__ puts the model into eval mode, and leaves it there after an exception.
        return self.forward(lr, hr, ids)

    def forward(self, lr: Tensor, hr: Tensor | None = None, ids: Sequence[str] | None = None) -> Tensor:
        """Attack a batch, as calling the attack does."""
        adversarial, finding = self.examined(lr, hr, ids)
        if finding:
            warnings.warn(finding, ZeroGradient, stacklevel=3)
        return adversarial

    def examined(
        self, lr: Tensor, hr: Tensor | None = None, ids: Sequence[str] | None = None
    ) -> tuple[Tensor, str]:
        """Attack a batch as calling the attack does, and say in place of a warning what it lacked.

        Returns:
            The attacked LR; and one line, empty where at least one gradient of each image was not zero, or
            none was asked for.
        """
        with self.opened(lr, hr, ids) as opened:
            problem = replace(opened, blindly=self._goes_on_blindly())
            delta = self.perturb(problem) if self.threat.eps > 0 else problem.zeros
            problem.check(delta)
            return self.threat.apply(problem.x, delta).contiguous(), self._lacked(problem.unsteered())

    def _goes_on_blindly(self) -> bool:
        """Return whether the attack has something to try where a model gives no gradient at all."""
        return False

    def _lacked(self, images: Sequence[str]) -> str:
        return f"image {', '.join(images)}: {UNSTEERED}: {self._advice()}" if images else ""

    def _advice(self) -> str:
        through = "" if self.straight_through else "try straight_through=True, and "
        return f"the attack is blind and shows no robustness; {through}try the preset square"

    def loss(self, lr: Tensor, adversarial: Tensor, hr: Tensor | None = None) -> Tensor:
        """Return the objective of each image, shape (N,), for any perturbed LR of the shape of ``lr``."""
        with self.opened(lr, hr, None) as problem:
            return problem.losses(adversarial.to(problem.x) - problem.x)

    def gradient(self, lr: Tensor, adversarial: Tensor, hr: Tensor | None = None) -> Tensor:
        """Return the objective's gradient to the perturbation, (N,3,H,W), NaN where it is, for the checks.

        It is zero where the model gives none.
        """
        with self.opened(lr, hr, None) as opened:
            problem = replace(opened, blindly=True)
            return problem.gradient(adversarial.to(problem.x) - problem.x)[0]

    @contextmanager
    def opened(self, lr: Tensor, hr: Tensor | None, ids: Sequence[str] | None) -> Iterator[Problem]:
        """Open a problem: the batch checked, the model frozen, gradients off except inside the problem."""
        # Inference tensors cannot take part in a gradient, so the batch is copied outside that mode.
        with torch.inference_mode(False), torch.no_grad(), untouched(self.model):
            image = image_batch(lr, "LR")
            layout = torch.channels_last if convolutional(self.model) else torch.contiguous_format
            x = image.to(
                self.device or image.device, number_type(self.model, image), memory_format=layout, copy=True
            )
            if hr is None and self.aims:
                raise BadInput("a targeted attack needs the image it goes towards, in HR's place")
            if hr is not None:
                target = image_batch(hr, "HR")
                if len(target) != len(lr) or scale_between(lr.shape, target.shape) is None:
                    due = (len(lr), 3, SCALE * lr.shape[-2], SCALE * lr.shape[-1])
                    raise BadInput(
                        f"HR is {tuple(target.shape)} where {due} was due: x{SCALE}, or one of {LISTED}"
                    )
                hr = target.to(x, copy=True)
            names = image_ids(ids, len(x))
            yield Problem(
                self.model,
                x,
                hr,
                names,
                self.objective,
                self.threat,
                self.seed,
                self.precision == "bf16",
                self.samples,
                self.straight_through,
                self.aims,
            )

    @property
    def device(self) -> torch.device | None:
        """Return where the attack runs: as set, else where the model is, else None for where the LR is."""
        if self._device is not None or not isinstance(self.model, nn.Module):
            return self._device
        holders: Iterator[Tensor] = itertools.chain(self.model.parameters(), self.model.buffers())
        return next((holder.device for holder in holders), None)

    @device.setter
    def device(self, device: torch.device | str | None) -> None:
        self._device = None if device is None else torch.device(device)

    def set_normalization_used(self, mean: object, std: object) -> None:
        """Refuse: SR models take images in [0,1], and the ball is meant there."""
        raise BadInput("SR attacks take images in [0,1]: put any normalisation into the model")

    def _change_model_mode(self, given_training: bool) -> None:
        """Leave the model in its mode, which is its own affair."""

    def _recover_model_mode(self, given_training: bool) -> None:
        """Do nothing, for nothing was changed."""

    def __repr__(self) -> str:
        name = getattr(self.model, "name", type(self.model).__name__)
        shown: dict[str, Any] = {"norm": self.threat.norm, "eps": eps_text(self.threat.eps)}
        for option in self.options:
            value = getattr(self, option)
            shown[option] = eps_text(value) if option == "alpha" else value
        shown |= {"objective": self.objective.text, "seed": self.seed, "precision": self.precision}
        return f"{type(self).__name__}({name}, {', '.join(f'{k}={v}' for k, v in shown.items())})"


def worst_of(problem: Problem, candidates: Iterator[Tensor], count: int) -> Tensor:
    """Return the one of several perturbations with the largest objective, image by image.

    A single candidate is returned as it is, without running the model; see
    :func:`srbench.attacks.passes.restarted`.
    """
    worst = next(candidates)
    if count == 1:
        return worst
    high = problem.losses(worst)
    for delta in candidates:
        losses = problem.losses(delta)
        better = losses > high
        worst = delta.where(better.reshape(-1, 1, 1, 1), worst)
        high = losses.where(better, high)
    return worst
