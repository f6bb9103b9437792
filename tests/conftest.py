"""Fixtures every test shares: a private home, no network, few threads, and the optional real assets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

if TYPE_CHECKING:
    from page_visits import Open

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# A commit's tests pass or fail, and do not depend on the day; --hypothesis-profile=explore tries new values.
settings.register_profile("explore", settings.get_profile("default"))
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is thorough is slow."""
    for item in items:
        if item.get_closest_marker("thorough"):
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh SRBENCH_HOME per test; the user's own files, weights and network are never touched."""
    from srbench.support import home

    path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SRBENCH_HOME", str(path))
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.delenv("SRBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(path / "torch"))
    home.forget_weight_files()
    return path


@pytest.fixture(scope="session", autouse=True)
def one_thread_a_worker() -> Iterator[None]:
    """Under pytest-xdist the workers share the cores; let torch not multiply them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)
    yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory of real assets beside the checkout; tests that ask for it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the real assets are not here ({SHARED.name}/ beside the checkout)")
    return SHARED


@pytest.fixture
def shared_weights(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SRBENCH_WEIGHTS names the real assets: trained networks and metric weights."""
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(shared / "assets"))
    return shared / "assets"


@pytest.fixture
def few_images_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """For boards made by hand: two images are enough to be certain, where six photographs are asked for."""
    for module in ("ranks", "paired", "text"):
        monkeypatch.setattr(f"srbench.boards.{module}.LEAST", 2)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of the page; they skip where it is missing."""
    from chromium import launched, missing

    if why := missing():
        pytest.skip(why)
    with launched() as chromium:
        yield chromium


@pytest.fixture(params=["opened", pytest.param("served", marks=pytest.mark.thorough)])
def visit(request: pytest.FixtureRequest, browser: Any) -> Iterator[Open]:
    """Opens a page, from the disk or, thoroughly, from a server, where a page does the same."""
    from page_visits import visiting

    with visiting(browser, served=request.param == "served") as open_page:
        yield open_page


@pytest.fixture(scope="session")
def small_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three models on two sets, attacked and corrupted, with pictures of one set."""
    from site_pages import make_small_page

    return make_small_page(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of 520 x 560, one of them smooth but for noise, which noise is collected from."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for number in range(2):
        coarse = rng.integers(0, 255, (65, 70, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((560, 520), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    noisy = 128 + 3 * rng.standard_normal((520, 560, 3))
    Image.fromarray(noisy.round().astype(np.uint8)).save(folder / "smooth.png")
    return folder
