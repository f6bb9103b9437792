"""Name a model that is there to be loaded, without loading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from srbench.errors import BadInput
from srbench.zoo.identity import not_verified
from srbench.zoo.schema import Card

if TYPE_CHECKING:
    from srbench.zoo.loading import Network
    from srbench.zoo.made_elsewhere import MadeElsewhere
    from srbench.zoo.model import SRModel


@dataclass(frozen=True)
class ModelRef:
    """Names a model that is there to be loaded.

    Attributes:
        name: its name in records and tables.
        card: what is known about it.
        weights_sha256: of the published weight file; for Python factories over the state dict and the code
            that makes the network; with the range of values and the key that the user gave; for SR images
            over their names and bytes; "" for what comes with srbench and has nothing to load.
        source: what it was made from, as the user wrote it, where its name was taken from that; else "".
        note: what a user should know of it before it runs, a line; else "".
        outputs: SR images that were made elsewhere, in the place of a network; else None.
        smoothed: it gives the median over noise of this standard deviation and so many samples, and can be
            certified; None for what cannot.
        defended: loads the model behind a defence, from this, a device and a precision; None for a bare one.
    """

    name: str
    card: Card = field(hash=False)
    weights_sha256: str
    _open: Callable[[], Network] = field(repr=False, compare=False)
    source: str = field(default="", compare=False)
    note: str = field(default="", compare=False)
    outputs: MadeElsewhere | None = field(default=None, compare=False)
    smoothed: tuple[float, int] | None = None
    defended: Callable[[ModelRef, str, str], SRModel] | None = field(default=None, repr=False, compare=False)

    def renamed(self, name: str, title: str = "") -> ModelRef:
        """Return the model under a name that the user gives it, which is its title too without another.

        What a model was trained for that only its card's name vouched for is not known under another name.
        """
        facts = {"name": name, "title": title or name}
        if not self.source and not_verified(self.name, self.weights_sha256):
            facts["domain"] = "unknown"
        card = self.card.model_copy(update=facts)
        return replace(self, name=name, card=card, source="")

    def at_scale(self, scale: int) -> ModelRef:
        """Return the model with the scale it is measured at: SR images have none of their own."""
        return replace(self, card=self.card.model_copy(update={"scale": scale}))

    def with_digest(self) -> ModelRef:
        """Return the model with eight digits of its hash behind its name, and a note of what it is."""
        name = f"{self.name}@{self.weights_sha256[:8]}"
        renamed = self.renamed(name, "" if self.card.title == self.name else self.card.title)
        note = f"{name} is {self.source}; NAME={self.source} gives it a name of your own"
        return replace(renamed, note=f"{note}; {self.note}" if self.note else note)

    def load(self, device: str = "cpu", precision: str = "fp32") -> SRModel:
        """Load the model, ready to run.

        Args:
            device: a torch device.
            precision: ``fp32``, or ``bf16`` to run the network in bfloat16.

        Raises:
            BadInput: an unknown precision, one the architecture cannot run in, a device that is not
                there, weights that changed since :func:`resolve`, or SR images in the place of a network.

        >>> from srbench import zoo
        >>> model = zoo.resolve(["bicubic"])[0].load()
        >>> (model.name, model.scale)
        ('bicubic', 4)
        """
        from srbench.zoo.model import SRModel

        if self.defended is not None:
            return self.defended(self, device, precision)
        network = self._open()
        if precision == "bf16" and not network.bf16:
            raise BadInput(f"{self.name} ({network.family}) does not run in bf16: use --precision fp32")
        model = SRModel(
            network.module,
            name=self.name,
            card=self.card,
            weights_sha256=self.weights_sha256,
            size=network.size,
            precision=precision,
        )
        try:
            return model.to(device)
        except (RuntimeError, AssertionError) as error:
            reason = " ".join(str(error).split())[:160]
            raise BadInput(f"{self.name} cannot be put on device '{device}' ({reason})") from error
