"""The examples in docstrings run, and whoever calls srbench from Python finds one where it matters."""

from __future__ import annotations

import doctest
import importlib

import pytest
from test_structure import modules

WITH_EXAMPLES = sorted(name for name, file in modules().items() if ">>> " in file.read_text(encoding="utf-8"))
CALLED_BY_USERS = (
    "srbench.api.evaluate",
    "srbench.api.leaderboard",
    "srbench.api.attack",
    "srbench.evaluation.evaluate",
    "srbench.datasets.selection.resolve",
    "srbench.metrics.metric",
    "srbench.protocols.protocol",
    "srbench.zoo.refs.resolve",
    "srbench.attacks.resolve",
    "srbench.train.recipe.load",
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("function", CALLED_BY_USERS)
def test_what_users_call_shows_how(function: str) -> None:
    module, _, name = function.rpartition(".")
    text = getattr(importlib.import_module(module), name).__doc__
    assert ">>> " in text
