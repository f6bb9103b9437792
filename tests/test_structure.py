"""The shape of the package: few modules at its top, none long, and no circle among all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 350
MOST_AT_THE_TOP = 10


@cache
def modules() -> dict[str, Path]:
    """Every module by its name when installed, attacks and zoo among them."""
    folders = {"srbench": "srbench", "attacks": "srbench.attacks", "zoo": "srbench.zoo"}
    names = {}
    for folder, package in folders.items():
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            names[".".join([package, *parts]).removesuffix(".__init__")] = file
    return names


def imported(name: str) -> Iterator[str]:
    """Modules that a module imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module in modules():
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                yield within if within in modules() else str(node.module)


def test_few_modules_lie_loose_and_none_is_long() -> None:
    assert len(list((ROOT / "srbench").glob("*.py"))) <= MOST_AT_THE_TOP
    lines = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in modules().items()}
    assert len(lines) > 200, "the walk has found the package"
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_module_imports_what_imports_it() -> None:
    left = {name: set(imported(name)) - {name} for name in modules()}
    while True:
        # Whoever imports nothing that is left, or is imported by nothing that is left, is in no circle.
        needed = set().union(*left.values())
        inner = {name for name, needs in left.items() if needs & left.keys() and name in needed}
        if inner == left.keys():
            break
        left = {name: left[name] & inner for name in inner}
    assert left == {}
