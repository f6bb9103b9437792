"""The software that makes a record: versions of libraries, and srbench's own commit."""

from __future__ import annotations

import functools
import subprocess
from importlib import metadata
from pathlib import Path

from srbench.version import __version__

LIBRARIES = (
    "torch",
    "torchvision",
    "numpy",
    "pillow",
    "scikit-image",
    "scipy",
    "lpips",
    "pyiqa",
    "spandrel",
    "torchattacks",
)


@functools.cache
def versions() -> dict[str, str]:
    """Return the version of srbench and of every library that touches a number."""
    by_library = {"srbench": __version__}
    for name in LIBRARIES:
        try:
            by_library[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            by_library[name] = "missing"
    return by_library


@functools.cache
def commit() -> str | None:
    """Return the git commit srbench runs from ("…-dirty" with local changes); None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or not (root / "pyproject.toml").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}-dirty" if changed else head


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
