"""A new attack is one file: put into a copy of the package, examples/new_attack.py is found everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import write_pairs

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"srbench": "srbench", "srbench/attacks": "attacks", "srbench/zoo": "zoo"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is laid out when installed, with one file more."""
    place = tmp_path_factory.mktemp("installed")
    for package, folder in FOLDERS.items():
        shutil.copytree(ROOT / folder, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "examples" / "new_attack.py", place / "srbench" / "attacks")
    return place


def python(installed: Path, *arguments: str, path: str = "") -> str:
    """What Python prints with that package; away from the checkout, whose package would else be taken."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=installed,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(installed), path]))},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_a_class_and_a_preset_and_loads_nothing_heavy(installed: Path) -> None:
    code = (
        "import sys; from srbench import attacks; print(attacks.names());"
        "print([m for m in ('torch', 'numpy') if m in sys.modules]); print(attacks.SignSearch.__module__)"
    )
    names, heavy, module = python(installed, "-c", code).splitlines()
    assert "'sign-search'" in names and heavy == "[]" and module == "srbench.attacks.new_attack"


def test_the_command_line_attacks_and_evaluates_with_it(installed: Path, tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2)
    pairs, store = f"{lr}:{hr}", str(tmp_path / "store")
    attacked = python(
        installed,
        *f"-m srbench attack bicubic --preset sign-search --eps 4 --pairs {pairs}".split(),
        *f"--metrics psnr,ssim --store {store} --device cpu".split(),
    )
    assert "sign-search" in attacked
    evaluated = python(
        installed,
        *f"-m srbench evaluate --models bicubic --datasets pairs:{pairs} --metrics psnr,ssim".split(),
        *f"--attacks none,random@4,sign-search@4 --store {store} --device cpu --json".split(),
    )
    assert "sign-search@4" in evaluated


def test_the_documentation_has_its_card(installed: Path) -> None:
    code = "from parts import attacks; print(attacks.cards(), attacks.classes())"
    pages = python(installed, "-c", code, path=str(ROOT / "docs" / "hooks"))
    assert "### `sign-search`\n\nTwenty random corners of the ball are tried." in pages
    assert "::: srbench.attacks.new_attack.SignSearch" in pages


def test_the_tests_find_it(installed: Path) -> None:
    tests = sorted((ROOT / "tests").glob("test_attacks_*.py"))
    printed = python(
        installed,
        *("-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(ROOT)),
        *("-k", "SignSearch or sign-search or new_attack or ships or what_a_class_says"),
        *map(str, tests),
    )
    passed = [line for line in printed.splitlines() if " PASSED" in line]
    for due in (
        "test_never_leaves_ball_or_range[SignSearch]",
        "test_an_attack_takes_the_passes_it_states[1-SignSearch]",
        "test_every_preset_takes_the_passes_it_states[sign-search-1]",
        "test_every_preset_builds_and_attacks[sign-search]",
        "test_every_attack_has_an_example_and_names_its_source[SignSearch]",
        "test_examples_run[new_attack]",
    ):
        assert any(due in line for line in passed), due
    assert "test_every_preset_that_ships_has_its_hash_here SKIPPED" in printed
