"""What is installed with srbench: nothing with a known fault (advisories.toml), torchattacks at will."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADVISORIES = tomllib.loads((Path(__file__).parent / "advisories.toml").read_text())
PINNED = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
}
DEMANDED = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
    if not text.startswith("srbench[")
]


@pytest.mark.parametrize("package", ADVISORIES)
def test_what_is_pinned_has_no_known_fault(package: str) -> None:
    assert PINNED[canonicalize_name(package)] >= Version(ADVISORIES[package]["fixed"]), ADVISORIES[package]


@pytest.mark.parametrize("demanded", [each for each in DEMANDED if each.name in ADVISORIES], ids=str)
def test_what_is_demanded_has_none_at_its_least(demanded: Requirement) -> None:
    (least,) = [Version(each.version) for each in demanded.specifier if each.operator == ">="]
    assert least >= Version(ADVISORIES[demanded.name]["fixed"]), ADVISORIES[demanded.name]


def test_what_is_not_mended_is_not_used() -> None:
    used = [use for advisory in ADVISORIES.values() for use in advisory.get("open", {}).values()]
    assert used == ["torch.export"]
    code = [file for folder in ("srbench", "attacks", "zoo") for file in (ROOT / folder).rglob("*.py")]
    assert len(code) > 300
    assert not [file for file in code for use in used if use in file.read_text(encoding="utf-8")]


def test_everything_demanded_is_pinned_as_demanded() -> None:
    for demanded in DEMANDED:
        assert PINNED[canonicalize_name(demanded.name)] in demanded.specifier, demanded


def test_nothing_brings_torchattacks_which_holds_requests_back() -> None:
    assert "torchattacks" not in [demanded.name for demanded in DEMANDED]


def test_attacks_are_the_same_without_torchattacks() -> None:
    script = """
import sys
if len(sys.argv) > 1:
    sys.modules["torchattacks"] = None
import torch
from srbench.attacks import APGD, StructuredPGD
model = torch.nn.Upsample(scale_factor=4)
lr = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
attack = StructuredPGD(model, steps=2)
attack.set_device("cpu")
print([base.__module__ for base in type(attack).__mro__ if base.__name__ == "Attack"])
for attack in (attack, APGD(model, steps=3)):
    print(repr(attack), attack.model_name, attack(lr).double().sum().item())
"""
    pytest.importorskip("torchattacks")
    found = []
    for arguments in ([], ["without"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.splitlines())
    (theirs, *first), (own, *second) = found
    assert (theirs, own) == ("['torchattacks.attack']", "['srbench.attacks.torchattacks_base']")
    assert first == second
