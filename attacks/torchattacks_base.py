"""Take torchattacks' base class where it is installed, else what an attack needs of it.

torchattacks 3.5.1 demands ``requests~=2.25.1``, which it never imports and which has known faults, so srbench
does not demand it: ``pip install --no-deps torchattacks`` puts it beside a current requests.
"""

from __future__ import annotations

from typing import Any

from srbench.support.torchvision import prepare_torchvision

try:
    prepare_torchvision()
    from torchattacks.attack import Attack
except ImportError:

    class Attack:  # type: ignore[no-redef]
        """Holds a model and the name of an attack, as torchattacks' class of this name does."""

        def __init__(self, name: str, model: Any) -> None:
            self.attack = name
            self.set_model(model)

        def set_model(self, model: Any) -> None:
            """Attack this model from now on."""
            self.model = model
            self.model_name = type(model).__name__

        def set_device(self, device: Any) -> None:
            """Run there from now on."""
            self.device = device


__all__ = ["Attack"]
