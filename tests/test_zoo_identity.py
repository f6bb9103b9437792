"""What makes two networks one model: code that is theirs, and not that of torch or of a library."""

from __future__ import annotations

import hashlib
import inspect
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from torch import nn

from srbench import zoo
from srbench.zoo.source_code import classes_sha256, module_sha256


class Own(nn.Module):
    def forward(self, x: Any) -> Any:
        return x


def test_torchs_own_classes_count_by_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another torch has other sources of a convolution, and the network is the same model."""
    before = classes_sha256(nn.Sequential(nn.Conv2d(3, 3, 1), Own()))
    real = inspect.getsource

    def another_torch(thing: type) -> str:
        return f"# newer\n{real(thing)}" if thing.__module__.startswith("torch.") else real(thing)

    monkeypatch.setattr(inspect, "getsource", another_torch)
    assert classes_sha256(nn.Sequential(nn.Conv2d(3, 3, 1), Own())) == before
    assert classes_sha256(nn.Sequential(nn.Conv1d(3, 3, 1), Own())) != before
    monkeypatch.setattr(inspect, "getsource", lambda thing: f"# newer\n{real(thing)}")
    assert classes_sha256(nn.Sequential(nn.Conv2d(3, 3, 1), Own())) != before


def test_a_module_without_source_counts_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder_without_init").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    # Compiled, built in, a folder that is a package by being there, and nothing at all.
    assert not getattr(math, "__file__", "").endswith(".py")
    for name in ("math", "sys", "folder_without_init", "no_such_module"):
        assert module_sha256(name) == hashlib.sha256(name.encode()).hexdigest()
    (tmp_path / "with_source.py").write_text("x = 1\n")
    first = module_sha256("with_source")
    assert first != hashlib.sha256(b"with_source").hexdigest()
    (tmp_path / "with_source.py").write_text("x = 2\n")
    assert module_sha256("with_source") != first


def test_facts_about_a_model_are_never_changed() -> None:
    card = zoo.card("bicubic")
    with pytest.raises(ValidationError, match="frozen"):
        card.title = "Other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(card).model_validate(card.model_dump() | {"licence_url": "x"})
