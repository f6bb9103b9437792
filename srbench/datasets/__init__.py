"""Open data sets: the published ones a user has registered, the built-in mini sets, and any folder.

``names``, ``own_names`` and ``manifest`` say what is known, ``add``, ``remove``, ``verify`` and ``status``
what is registered, and ``resolve`` opens what a user asked for. Nothing heavy is imported before one of
them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srbench.datasets.base import DataSet, LoadedImage
    from srbench.datasets.manifests import SetManifest, manifest, names, own_names
    from srbench.datasets.registry import SetStatus, add, remove, status, verify
    from srbench.datasets.selection import resolve

__all__ = [
    "DataSet",
    "LoadedImage",
    "SetManifest",
    "SetStatus",
    "add",
    "manifest",
    "names",
    "own_names",
    "remove",
    "resolve",
    "status",
    "verify",
]

_HOMES = {
    "base": ("DataSet", "LoadedImage"),
    "manifests": ("SetManifest", "manifest", "names", "own_names"),
    "registry": ("SetStatus", "add", "remove", "status", "verify"),
    "selection": ("resolve",),
}


def __getattr__(name: str) -> Any:
    for module, exported in _HOMES.items():
        if name in exported:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
