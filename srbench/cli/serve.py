"""``srbench serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from srbench.cli.app import READ, app
from srbench.cli.console import err
from srbench.cli.groups import expand_options
from srbench.cli.options import ExplorerData, ExplorerImages, Records, Reported, StorePlace
from srbench.cli.panels import OUTPUT, WHERE
from srbench.support.words import words


@app.command(rich_help_panel=READ)
@expand_options
def serve(
    store: StorePlace = None,
    records: Records = None,
    data: ExplorerData = None,
    reported: Reported = None,
    images: ExplorerImages = 6,
    port: Annotated[
        int, WHERE.value("--port", "N", "Port of this machine; 0: any free one.", min=0, max=65535)
    ] = 0,
    no_open: Annotated[bool, OUTPUT.flag("--no-open", "Do not open the browser.")] = False,
) -> None:
    """Show the leaderboards of a store in the browser, on this machine only, until Ctrl-C."""
    import tempfile

    from srbench.boards.site import serve as server
    from srbench.boards.site.build import build_page
    from srbench.entries.sources import read_records
    from srbench.run.options import default_store

    with tempfile.TemporaryDirectory(prefix="srbench-page-") as scratch:
        folder = Path(scratch) / "page"
        with err().status("building the page"):
            found = read_records(records, store or default_store())
            build_page(
                folder,
                found.records,
                pictures=found.pictures,
                data=words(data),
                images=images,
                reported=reported,
                told=found.told,
            )
        with server.serving(folder, port) as (address, wait):
            # On stdout and at once, so that a script can read it.
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            if not no_open:
                import webbrowser

                webbrowser.open(address)
            wait()
