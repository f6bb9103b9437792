"""Identify the code a network is made by: equal weights in other code are another model."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from torch import nn


def module_sha256(name: str) -> str:
    """Hash the source of a module and of the modules it imports from its own folder, however deep.

    What it imports from elsewhere is a library, whose version a record states.

    Args:
        name: a module that has been imported, such as ``my_module`` or ``package.models``.

    Returns:
        A sha256; of the name alone where there is no source, as in a compiled module.
    """
    spec = find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return hashlib.sha256(name.encode()).hexdigest()
    first = Path(spec.origin).resolve()
    # A package's modules are found from where the package lies.
    root = (
        first.parents[name.count(".")] if first.name != "__init__.py" else first.parents[name.count(".") + 1]
    )
    files: dict[Path, bytes] = {}
    waiting = [first]
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files[file] = file.read_bytes()
        waiting += _imported(file, files[file], root)
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(root).as_posix()} {len(files[file])}\n".encode() + files[file])
    return digest.hexdigest()


def _imported(file: Path, content: bytes, root: Path) -> Iterator[Path]:
    """The files below ``root`` that a file imports, inside functions too."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(root, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[node.level - 1] if node.level else root
            base = f"{node.module}." if node.module else ""
            names = [(start, f"{base}{alias.name}") for alias in node.names]
            names += [(start, node.module)] if node.module else []
        else:
            continue
        for start, name in names:
            place = start.joinpath(*name.split("."))
            yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


def classes_sha256(network: nn.Module) -> str:
    """Hash the source of the classes a network is built of, torch's own left out.

    It sees neither what their methods call nor functions put in their place.
    """
    digest = hashlib.sha256()
    for kind in sorted({type(part) for part in network.modules()}, key=lambda kind: kind.__qualname__):
        if kind.__module__.partition(".")[0] == "torch":
            text = kind.__qualname__
        else:
            try:
                text = inspect.getsource(kind)
            except (OSError, TypeError):  # typed into a console
                text = f"{kind.__module__}.{kind.__qualname__}"
        digest.update(f"{len(text)} {text}\n".encode())
    return digest.hexdigest()
