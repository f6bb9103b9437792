"""Make the picture of the page that README shows: ``python tests/screenshot.py [FILE]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from chromium import DESK, launched, missing

from srbench.boards.site.build import build_page, read_records

BOARDS = Path(__file__).resolve().parents[1] / "leaderboards"
RECORDS = BOARDS / "published" / "bsd100" / "records.csv"
ORDER = ("bsd100-ntire-like", "bsd100-aim-like", "bsd100-clean")


def screenshot(browser: Any, page: Path, file: Path) -> None:
    """The ranking of a page, from the top to its legend, in light colours, as PNG.

    Args:
        browser: from :func:`chromium.launched`.
        page: a folder that ``srbench leaderboard --html`` wrote.
    """
    tab = browser.new_page(viewport=DESK, color_scheme="light")
    tab.goto((page / "index.html").as_uri())
    tab.locator(".tabulator-row").first.wait_for()
    end = tab.locator("#legend").bounding_box()
    height = round(end["y"] + end["height"] + 12)
    tab.set_viewport_size({"width": DESK["width"], "height": height})
    tab.screenshot(path=file)
    tab.close()


def main() -> None:
    if why := missing():
        sys.exit(why)
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else BOARDS / "page.png"
    records, _ = read_records(RECORDS, BOARDS)
    with tempfile.TemporaryDirectory() as scratch:
        build_page(Path(scratch) / "page", records, dataset_order=ORDER)
        with launched() as browser:
            screenshot(browser, Path(scratch) / "page", file)


if __name__ == "__main__":
    main()
