"""``srbench submit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.app import GIVE, app
from srbench.cli.console import err, following, report_failures, say
from srbench.cli.groups import expand_options
from srbench.cli.options import Device, Records, StorePlace, Track, TrackOption, Workers
from srbench.cli.panels import HOW, OUTPUT, WHAT
from srbench.support.words import words

if TYPE_CHECKING:
    from srbench.entries.submission import Submission
    from srbench.store.record import Record


@app.command(rich_help_panel=GIVE)
@expand_options
def submit(
    model: Annotated[
        str,
        typer.Argument(help="A name, a checkpoint, a training's folder, module.path:factory or outputs:DIR."),
    ],
    out_file: Annotated[
        Path | None, OUTPUT.value("--out", "FILE", "The entry's file.", show_default="NAME.json, here")
    ] = None,
    records_csv: Records = None,
    name: Annotated[str, WHAT.value("--name", "NAME", "Its name in tables.", show_default="the file's")] = "",
    title: Annotated[str, WHAT.value("--title", "TEXT", "Its name in prose.")] = "",
    domain: Annotated[
        str,
        WHAT.value(
            "--domain",
            "DOMAIN",
            "Trained for: clean, ntire, aim, dped, jpeg, adversarial, blind or unknown.",
        ),
    ] = "",
    licence: Annotated[str, WHAT.value("--licence", "TEXT", "Licence of the weights.")] = "",
    source: Annotated[str, WHAT.value("--url", "URL", "Where the weights are to be had.")] = "",
    citation: Annotated[str, WHAT.value("--citation", "TEXT", "The paper, as one cites it.")] = "",
    paper: Annotated[str, WHAT.value("--paper", "URL", "Where the paper is to be read.")] = "",
    homepage: Annotated[str, WHAT.value("--homepage", "URL", "The project's page or code.")] = "",
    like: Annotated[
        Path | None,
        HOW.value("--like", "FILE", "An entry whose attacks are taken, weights of their objectives and all."),
    ] = None,
    track: TrackOption = Track.auto,
    limit: Annotated[
        int | None,
        WHAT.value("--limit", "N", "A trial with the first N images of each set: a partial entry.", min=1),
    ] = None,
    attacks: Annotated[
        str | None,
        WHAT.value("--attacks", "NAMES", "A trial with some of none,random,rsr,strong: a partial entry."),
    ] = None,
    device: Device = "auto",
    workers: Workers = 0,
    store: StorePlace = None,
) -> None:
    """Run the fixed protocol and write one entry: a self-contained file for the leaderboard of entries.

    Protocol rsr, data sets ntire and aim, attacks none, random, rsr and strong. An interrupted run resumes
    with the same command. `srbench validate` checks the file.
    """
    from srbench.entries import standard, statement, submission
    from srbench.entries.build import make_entry, write_entry
    from srbench.entries.sources import read_records
    from srbench.zoo.made_elsewhere import is_outputs

    facts_told = statement.Statement(name, title, domain, licence, citation, paper, homepage, source)
    said = {
        "records": statement.public(str(records_csv)) if records_csv else "",
        **{key: value for key, value in vars(facts_told).items() if key != "source"},
        "url": source,
        "like": statement.public(str(like)) if like else "",
        "track": track.value if track != Track.auto else "",
        "limit": str(limit or ""),
        "attacks": attacks or "",
    }
    command = statement.submit_command(model, {key: value for key, value in said.items() if value})
    # SR images made elsewhere cannot be attacked: an entry of them is of the clean input.
    usual = standard.ATTACKS[:1] if is_outputs(model) else standard.ATTACKS
    trial = statement.Trial(limit, words(attacks) or usual)
    if records_csv is not None:
        records = trial.of(read_records(records_csv, store or "").records)
        facts = submission.from_records(model, facts_told, records)
    else:
        with err().status("checking inputs and loading metrics"):
            prepared = submission.prepare_submission(
                model,
                facts_told,
                trial,
                track=track.value,
                device=device,
                workers=workers,
                store=store,
                like=like,
            )
        facts, records = prepared.model, _measured(prepared)
    entry = make_entry(facts, records, command)
    file = out_file or statement.default_file(facts.name)
    write_entry(entry, file)
    count = sum(len(cell.images) for cell in entry.cells)
    typer.echo(f"{file}: {facts.name}, {count} records, digest {entry.digest[:12]}")
    for line in entry.partial:
        typer.echo(f"partial: {line}")


def _measured(submission: Submission) -> list[Record]:
    """The records of the protocol, measured as far as they are not in the store."""
    prepared = submission.prepared
    say(submission.notices)
    with following(prepared.runner, prepared.plan, "submit"):
        outcome = prepared.runner.run(prepared.plan)
    report_failures(outcome)
    return prepared.records()
