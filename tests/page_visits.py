"""Visits to a page in a browser, watched: for the tests of the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chromium import DESK

from srbench.boards.site import serve

Open = Callable[..., Any]
"""Opens a page's folder, with what follows in its address, and waits for an element; gives the tab."""


@contextmanager
def visiting(browser: Any, *, served: bool) -> Iterator[Open]:
    """At the end no error may have been on the console (what the content security policy forbids is one), and
    no request may have left the page."""
    contexts, errors, outside, own = [], [], [], ["file:", "data:"]

    def watch(request: Any) -> None:
        if not request.url.startswith(tuple(own)):
            outside.append(request.url)

    with ExitStack() as servers:

        def open_page(folder: Path, more: str = "", wait: str = ".tabulator-row", **options: Any) -> Any:
            address = (folder / "index.html").as_uri()
            if served:
                address, _ = servers.enter_context(serve.serving(folder))
                own.append(address)
            context = browser.new_context(**({"viewport": DESK} | options))
            context.set_default_timeout(30_000)
            contexts.append(context)
            page = context.new_page()
            page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("request", watch)
            page.goto(address + more)
            page.wait_for_selector(wait)
            return page

        yield open_page
        for context in contexts:
            context.close()
    assert errors == []
    assert outside == []


def until(page: Any, expression: str) -> None:
    """Wait for an expression to hold; playwright's own way is an eval, which the served page forbids."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        time.sleep(0.02)


def models(page: Any) -> list[str]:
    return [name for name in page.locator(".tabulator-row .model code").all_text_contents() if name]
