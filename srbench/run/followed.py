"""Show how far a plan is to whoever runs it from Python: in a terminal, or in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srbench.run.outcome import Runner
    from srbench.run.plan import Cell


@contextmanager
def followed(runner: Runner, plan: Sequence[Cell], *, show: bool) -> Iterator[None]:
    """Show a bar on stderr with count and time left while a plan runs; none where nobody watches.

    Args:
        show: False shows none anywhere.
    """
    if not show or not (sys.stderr.isatty() or in_notebook()):
        yield
        return
    from tqdm.auto import tqdm

    total = sum(len(cell.images) for cell in plan)
    with tqdm(total=total, unit="image", leave=False, dynamic_ncols=True, mininterval=0) as bar:

        def advance(cell: Cell, images: int) -> None:
            bar.set_description(str(cell), refresh=False)
            bar.update(images)

        runner.on_image = advance
        yield


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    # What is not imported is not running.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config
