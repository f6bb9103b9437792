"""``srbench serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli import app
from srbench.cli.console import err, words


@app.command()
def serve(
    store: Annotated[str | None, typer.Option(help="Directory of records, or an address (s3://…).")] = None,
    records: Annotated[
        Path | None, typer.Option(help="A records.csv that --out wrote, in place of a store.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Data sets whose LR and HR are shown, as for --datasets: pairs:LR_DIR:HR_DIR."),
    ] = None,
    reported: Annotated[Path | None, typer.Option(help="Published numbers, as in paper.json.")] = None,
    images: Annotated[int, typer.Option(min=0, help="Images of a data set in the explorer.")] = 6,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
) -> None:
    """Show the leaderboards of a store in the browser, on this machine only, until Ctrl-C."""
    import tempfile

    from srbench.boards.site import serve as server
    from srbench.boards.site.build import build, read_any
    from srbench.evaluation import default_store

    with tempfile.TemporaryDirectory(prefix="srbench-page-") as scratch:
        folder = Path(scratch) / "page"
        with err().status("building the page"):
            found, kept = read_any(records, store or default_store())
            build(folder, found, kept=kept, data=words(data), images=images, reported=reported)
        with server.serving(folder, port) as (address, wait):
            # On stdout and at once, so that a script can read it.
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            if not no_open:
                import webbrowser

                webbrowser.open(address)
            wait()
