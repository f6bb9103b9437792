"""The attack library says of itself what holds: examples run, and each class says where it is from."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

from srbench.attacks import registry

MODULES = sorted(file.stem for file in Path(registry.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_examples_run(name: str) -> None:
    package = "srbench.attacks"
    module = importlib.import_module(package if name == "__init__" else f"{package}.{name}")
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    for thing in vars(module).values():
        ours = getattr(thing, "__module__", None) == module.__name__ and hasattr(thing, "__name__")
        if ours and not thing.__name__.startswith("_"):
            documented = inspect.getdoc(thing) or ""
            assert documented.split("\n\n")[0].endswith("."), f"{thing.__name__} begins with a sentence"


@pytest.mark.parametrize("name", registry.classes())
def test_every_attack_has_an_example_and_names_its_source(name: str) -> None:
    documented = inspect.getdoc(registry.attack_class(name).load()) or ""
    assert ">>> " in documented and " source " in documented
