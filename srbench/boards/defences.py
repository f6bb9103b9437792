"""Make leaderboards/defences.md: what defences cost and hold, each beside the model that it stands around."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srbench.boards import text
from srbench.boards.csv_records import read_csv
from srbench.boards.estimates import count, difference, shown
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.methods import Methods
from srbench.boards.paper_tables import Paper
from srbench.boards.trainings import Trainings
from srbench.store.record import Record
from srbench.zoo.defended import around, is_defended

JUDGE, FIDELITY = "lpips", "psnr"
NONE = "none"


def defences(folder: Path, paper: Paper) -> str:
    """Return a table for each data set and each choice of its images that something was attacked on.

    A model stands in it with all its defences, or not at all: what was attacked on fewer images than another
    is repeated for none but its own family.

    Raises:
        BadInput: records that cannot be read.
    """
    records = read_csv(folder / "records.csv")
    families: dict[str, list[Record]] = {}
    for record in records:
        families.setdefault(_bare(record.model), []).append(record)
    shown_on: dict[tuple[str, frozenset[str]], list[Record]] = {}
    for family in families.values():
        for place in Methods(family, {}).attacked():
            shown_on.setdefault(place, []).extend(family)
    parts = [_table(shown_on[place], *place) for place in Methods(records, {}).attacked()]
    return "\n\n".join([*parts, _notes(records)])


def _bare(model: str) -> str:
    """Return the model at the heart of defences around defences."""
    while (inside := around(model)) != model:
        model = inside
    return model


def _table(families: Sequence[Record], dataset: str, images: frozenset[str]) -> str:
    """Return the judge and PSNR under each attack, and what the defence changes under the last one."""
    names = list(dict.fromkeys(record.model for record in families))
    models = dict.fromkeys(_bare(name) for name in names)
    names = [each for bare in models for each in sorted(names, key=is_defended) if _bare(each) == bare]
    forwards = dict.fromkeys(names, 1) | {
        r.model: int(r.cost["forwards"]) for r in families if "forwards" in r.cost
    }
    only, attacks = Methods(families, {name: [name] for name in names}).whole(dataset, images)
    judged = {attack: only.on(JUDGE, [dataset], attack) for attack in (NONE, *attacks)}
    # A defence is compared where what is behind it was attacked too.
    shared = [a for a in attacks if any(around(name) == name for name in judged[a].methods)]
    worst = (shared or attacks)[-1]
    faithful = {attack: only.on(FIDELITY, [dataset], attack) for attack in (NONE, *attacks)}
    head = ["Model", "Forwards", *(f"{text.heading(JUDGE)} {attack}" for attack in judged)]
    head += [f"{text.heading(JUDGE)} {attack}, minus without the defence" for attack in (NONE, worst)]
    head += [f"{text.heading(FIDELITY)} {attack}" for attack in (NONE, worst)]
    rows = []
    for name in only.methods:
        cells = [_mean(JUDGE, judged[attack], name) for attack in judged]
        cells += [_change(judged[attack], name) for attack in (NONE, worst)]
        cells += [_mean(FIDELITY, faithful[attack], name) for attack in (NONE, worst)]
        rows.append([escaped(name), f"{forwards[name]}", *cells])
    return f"Averaged over {count(images)} of {dataset}:\n\n{markdown_table(head, rows, (0,))}"


def _mean(name: str, found: Trainings, model: str) -> str:
    if model not in found.methods:
        return text.DASH
    return shown(name, found.mean(model).value)


def _change(found: Trainings, model: str) -> str:
    """Return the difference to the model without the defence, in bold where it is certain."""
    base = around(model)
    if base == model or not {base, model} <= set(found.methods):
        return text.DASH
    return difference(JUDGE, found.difference(model, base))


def _notes(records: Sequence[Record]) -> str:
    averaged = sorted({_samples(record) for record in records} - {1})
    means = ""
    if averaged:
        means = f", gradients averaged over {averaged[0]} outputs or more where it draws random numbers"
    return (
        f"Attacks are adapted to the defence: surrogates where it rounds or compresses{means}; "
        "`(adaptive=False)` attacks as if there were no defence, and shows no robustness. "
        "Intervals: 95 %, over photographs, each drawn with all its images; differences in bold leave out "
        "zero, over six photographs or more. Forwards are those of the network for one SR image."
    )


def _samples(record: Record) -> int:
    return int(((record.attack_settings or {}).get("adapted") or {}).get("samples", 1))
