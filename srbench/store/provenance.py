"""What software made a record."""

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
    """Version of srbench and of every library that touches a number."""
    found = {"srbench": __version__}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


@functools.cache
def commit() -> str | None:
    """The git commit srbench runs from ("…-dirty" with local changes); None outside its own checkout."""
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
