"""Read which attacks the files of a folder define, without running any.

Names, settings and what a class says of itself in literals are needed where torch is not, in ``srbench
doctor`` as in a leaderboard, and importing an attack loads torch. So the files are parsed.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from srbench.attacks.preset_entry import PresetEntry, read_entry
from srbench.errors import BadInput

if TYPE_CHECKING:
    from srbench.attacks.base import SRAttack

BASE = "SRAttack"
_STATED = ("needs_gradient", "is_noise", "fitted", "norms", "options", "edition")


@dataclass(frozen=True)
class AttackClass:
    """Says what a class below SRAttack states of itself in literals, its own or its bases'.

    Attributes:
        name: the class's name, which is the ``kind`` of recipes and records.
        module: the module it is in.
        needs_gradient: whether it asks for gradients of the model.
        is_noise: whether it is noise that attacks are read against.
        fitted: whether it has to see images of a set before it attacks one.
        norms: the norms it can be bounded in, its usual one first.
        options: the names of its own options.
        edition: how often what it does with the same settings has changed, and 1.

    >>> from srbench.attacks import registry
    >>> registry.attack_class("SquareSearch").needs_gradient
    False
    """

    name: str
    module: str
    needs_gradient: bool
    is_noise: bool
    fitted: bool
    norms: tuple[Literal["linf", "l2"], ...]
    options: tuple[str, ...]
    edition: int

    def load(self) -> type[SRAttack]:
        """Import the class, and torch with it."""
        loaded: type[SRAttack] = getattr(importlib.import_module(self.module), self.name)
        return loaded


@dataclass(frozen=True)
class Index:
    """Holds what the files of a folder define.

    Attributes:
        classes: attack classes by name.
        presets: presets by name, noise first.
        homes: the module of every public class and function whose name is in one module only.
    """

    classes: Mapping[str, AttackClass]
    presets: Mapping[str, PresetEntry]
    homes: Mapping[str, str]


def read(folder: Path) -> Index:
    """Return what the files of a folder define; only those of this package can be loaded.

    Raises:
        BadInput: a file that is no Python, or a malformed preset; one line that names file and key.

    >>> from pathlib import Path
    >>> from srbench.attacks import index
    >>> index.read(Path(index.__file__).parent).homes["FGSM"]
    'srbench.attacks.fgsm'
    """
    sources = (file for file in sorted(folder.glob("*.py")) if file.stem != "__init__")
    trees = {file.stem: _parse(file) for file in sources}
    classes = _classes(trees)
    options = {name: each.options for name, each in classes.items()}
    entries: dict[str, PresetEntry] = {}
    files: dict[str, str] = {}
    for module, tree in trees.items():
        for name, literal in _presets(module, tree):
            entry = read_entry(_file(module), name, literal, options)
            if entry.name in entries:
                raise BadInput(f"{_file(module)}: preset {name} is in {files[entry.name]} too")
            entries[entry.name], files[entry.name] = entry, _file(module)
    for name, entry in entries.items():
        for part in entry.parts:
            if isinstance(part, str) and (part not in entries or entries[part].parts):
                raise BadInput(f"{files[name]}: preset {name}, parts: {part!r} is no single attack")
    ordered = sorted(entries.values(), key=lambda entry: (not classes[entry.kind].is_noise, entry.name))
    return Index(classes, {entry.name: entry for entry in ordered}, _homes(trees))


def _file(module: str) -> str:
    return f"attacks/{module}.py"


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise BadInput(f"{_file(file.stem)} cannot be read: {error}") from error


def _presets(module: str, tree: ast.Module) -> Iterator[tuple[object, object]]:
    for value in (value for name, value in _assignments(tree.body) if name == "PRESETS"):
        literal = _literal(f"{_file(module)}: PRESETS", value)
        if not isinstance(literal, dict):
            raise BadInput(f"{_file(module)}: PRESETS has to be a dict")
        yield from literal.items()


def _classes(trees: Mapping[str, ast.Module]) -> dict[str, AttackClass]:
    """Return attack classes by name; a private class hands on what it states, but is no attack."""
    nodes: dict[str, tuple[str, ast.ClassDef]] = {}
    for module, tree in trees.items():
        for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            if node.name in nodes and not node.name.startswith("_"):
                raise BadInput(f"{_file(module)}: class {node.name} is in {_file(nodes[node.name][0])} too")
            nodes[node.name] = module, node
    attacks = {}
    for name, (module, _) in sorted(nodes.items()):
        line = _line(name, nodes)
        if name != BASE and BASE in line and not name.startswith("_"):
            attacks[name] = AttackClass(name, f"{__package__}.{module}", **_stated(line, nodes))
    return attacks


def _line(name: str, nodes: Mapping[str, tuple[str, ast.ClassDef]]) -> list[str]:
    """Return a class and its bases as far as they are in these files, the nearest first."""
    line = [name]
    for each in line:  # which grows on the way
        bases = (ast.unparse(base).rpartition(".")[2] for base in nodes[each][1].bases)
        line += [base for base in bases if base in nodes and base not in line]
    return line


def _stated(line: list[str], nodes: Mapping[str, tuple[str, ast.ClassDef]]) -> dict[str, Any]:
    """Return what classes say in literals; the first of the line that says something is believed."""
    stated: dict[str, Any] = {}
    for module, node in (nodes[name] for name in line):
        for name, value in _assignments(node.body):
            if name in _STATED and name not in stated:
                stated[name] = _literal(f"{_file(module)}: {name} of {node.name}", value)
    return stated


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that get a value at the top of a body, with its expression."""
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign):
            yield from ((each.id, node.value) for each in node.targets if isinstance(each, ast.Name))


def _literal(what: str, value: ast.expr) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{what}, line {value.lineno}, has to be a literal: {error}") from error


def _homes(trees: Mapping[str, ast.Module]) -> dict[str, str]:
    modules: dict[str, list[str]] = {}
    for module, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                modules.setdefault(node.name, []).append(module)
    # A module's own name stays free for it: what a name means must not depend on what was imported before.
    return {
        name: f"{__package__}.{where[0]}"
        for name, where in modules.items()
        if len(where) == 1 and name not in trees
    }
