"""Define how each metric is computed: protocols, named, frozen and hashed, one TOML file each.

Two records belong into one table only if their protocol hashes agree.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

from srbench.errors import unknown
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from srbench.protocols.schema import Protocol


def names() -> list[str]:
    """Return the names of all protocols."""
    files = resources.files(__name__).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


@functools.cache
def protocol(name: str, scale: int = SCALE) -> Protocol:
    """Return the protocol called ``name``, at a scale.

    Raises:
        BadInput: no such protocol; the nearest names are listed.

    >>> from srbench import protocols
    >>> rsr = protocols.protocol("rsr")
    >>> rsr.rank[0], rsr.known["psnr"].crop
    ('lpips', 4)
    """
    from srbench.protocols.schema import Protocol
    from srbench.support.toml import read_toml

    if name not in names():
        raise unknown("protocol", name, names(), "srbench evaluate --help")
    return Protocol.model_validate(read_toml(resources.files(__name__) / f"{name}.toml")).at(scale)
