"""Debian's Chromium, driven by playwright; for the tests of the page and its picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK = {"width": 1360, "height": 900}
"""A viewport in CSS pixels."""


def missing() -> str:
    """What is not here of what a browser test needs, with the command that installs it; empty if all is."""
    if find_spec("playwright") is None:
        return "playwright is not installed: pip install playwright"
    if shutil.which("chromium") is None:
        return "Debian's chromium is not installed: apt-get install chromium"
    return ""


@contextmanager
def launched() -> Iterator[Any]:
    """A browser (playwright's ``Browser``), closed afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
