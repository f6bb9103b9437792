"""Write leaderboards/entries/README.md, the table of the entries: ``srbench maintain entries``.

Entries are one table where data sets and attacks are the same to the hash; an entry of another track, or
attacked with an objective whose weights were missing elsewhere, is in another.
"""

from __future__ import annotations

from pathlib import Path

from srbench.boards.compute import tables
from srbench.boards.files import markdown
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.table import column_of
from srbench.entries import standard
from srbench.entries.schema import Entry, ModelFacts, unpack_records
from srbench.errors import BadInput
from srbench.store.record import Record
from srbench.support.home import write_atomic

_HEAD = """# Entries

One file a model, each made by `srbench submit` and checked by `srbench validate`; how to add yours stands in
[CONTRIBUTING.md](../../CONTRIBUTING.md#add-your-model-to-the-leaderboard). This page is made of the files by
`srbench maintain entries`."""


def board(entries: dict[str, Entry]) -> str:
    """Return the page, as Markdown.

    Args:
        entries: by file name.
    """
    groups: dict[tuple[str, ...], list[Record]] = {}
    for _, entry in sorted(entries.items()):
        records = unpack_records(entry)
        columns = sorted({column_of(record) for record in records})
        hashes = tuple(part for c in columns for part in (c.dataset_hash, c.attack_hash))
        groups.setdefault((records[0].protocol_hash, *hashes), []).extend(records)
    _join_clean(groups)
    parts = [_HEAD, _files(entries)]
    for records in groups.values():
        order = sorted({r.dataset for r in records}, key=lambda name: standard.DATASETS.index(_base(name)))
        parts.append(markdown(tables(records, dataset_order=order)).strip())
    return "\n\n".join(parts) + "\n"


def _join_clean(groups: dict[tuple[str, ...], list[Record]]) -> None:
    """Put SR images made elsewhere, which no attack can see, beside the models measured on the same sets."""
    for key, records in list(groups.items()):
        if not all(record.made_elsewhere for record in records):
            continue
        clean = {column_of(record) for record in records}
        beside = [
            others
            for others in groups.values()
            if others is not records
            and others[0].protocol_hash == key[0]
            and clean == {column_of(record) for record in others if not record.attack_hash}
        ]
        for others in beside:
            others.extend(records)
        if beside:
            del groups[key]


def _base(dataset: str) -> str:
    return standard.stands_for(dataset) or standard.DATASETS[-1]


def _files(entries: dict[str, Entry]) -> str:
    linked = any(entry.model.paper or entry.model.homepage for entry in entries.values())
    rows = [
        [
            f"[{escaped(name)}]({name})",
            escaped(entry.model.title),
            escaped(entry.model.domain),
            _parameters(entry.model),
            escaped(entry.model.licence) or "–",
            entry.model.weights_sha256[:8] or "–",
            entry.digest[:8],
            *([_links(entry.model)] if linked else []),
        ]
        for name, entry in sorted(entries.items())
    ]
    head = ["entry", "model", "trained for", "parameters", "licence", "weights", "digest"]
    return markdown_table(head + ["links"] * linked, rows, left=(0, 1, 2, 4, 5, 6, 7))


def _links(model: ModelFacts) -> str:
    named = {"paper": model.paper, "project": model.homepage}
    return ", ".join(f"[{name}]({_quoted(url)})" for name, url in named.items() if url) or "–"


def _quoted(url: str) -> str:
    """Return an address that ends neither the link nor the cell it stands in."""
    return url.translate({ord(sign): f"%{ord(sign):02X}" for sign in "()|<>`\\"})


def _parameters(model: ModelFacts) -> str:
    return "–" if model.parameters is None else f"{model.parameters:,}"


def read_folder(folder: Path) -> dict[str, Entry]:
    """Read the entries of a folder by file name.

    Raises:
        BadInput: a file that is not a complete, well-formed entry, or none at all.
    """
    from srbench.entries.read import read_entry

    entries = {}
    for file in sorted(folder.glob("*.json")):
        entry, _, problems = read_entry(file)
        if entry is None or problems:
            raise BadInput(f"{file}: {problems[0]}; `srbench validate {file}` says more")
        if entry.partial:
            raise BadInput(f"{file} is a partial entry ({entry.partial[0]}): take it out of {folder}")
        entries[file.name] = entry
    if not entries:
        raise BadInput(f"{folder} holds no entries: name the folder of the files srbench submit wrote")
    return entries


def write_board(folder: Path) -> Path:
    """Write the page of a folder of entries, and return its path.

    Raises:
        BadInput: as :func:`read_folder`.
    """
    page = folder / "README.md"
    write_atomic(page, board(read_folder(folder)))
    return page
