"""Read a file of unknown origin as an entry, or say everything that is wrong with its form."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from srbench.entries.schema import FORMAT, SCHEMA_VERSION, Entry, digest, unpack_record
from srbench.errors import BadInput
from srbench.store.record import Record

# Twenty times what 800 images take: nobody means a larger file to be one.
_MOST_BYTES = 16 << 20
# 800 images have 55,000. An empty object is two bytes of JSON, and hundreds in each form it goes through.
_MOST_VALUES = 200_000
_MOST_PROBLEMS = 100


def read_entry(file: Path) -> tuple[Entry | None, list[Record], list[str]]:
    """Return the entry, its records, and what is wrong with its form; complete only where nothing is.

    Raises:
        BadInput: no such file, or it is no entry at all.
    """
    raw = _json(file)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BadInput(f'{file} is not an entry: it lacks "format": "{FORMAT}"; srbench submit makes one')
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise BadInput(
            f"{file} has schema_version {str(raw.get('schema_version'))[:20]}, this srbench reads "
            f"{SCHEMA_VERSION}: make it again with srbench submit"
        )
    problems = []
    if digest(raw) != raw.get("digest"):
        problems.append("digest: it is not that of the content: something was changed after srbench submit")
    try:
        entry = Entry.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        return None, [], problems + _lines(error)
    records = []
    for number, place in ((n, k) for n, cell in enumerate(entry.cells) for k in range(len(cell.images))):
        where = f"cells.{number}.images.{place}"
        try:
            records.append(unpack_record(entry.cells[number], place))
        except ValidationError as error:
            problems += [f"{where}.{line}" for line in _lines(error)]
        except ValueError as error:
            problems.append(f"{where}: {error}")
        if len(problems) > _MOST_PROBLEMS:
            problems.append("what comes after this was not looked at")
            break
    return entry, records, problems


def _json(file: Path) -> Any:
    try:
        content = _content(file)
        raw = json.loads(content.decode(), object_pairs_hook=_once)
        json.dumps(raw, allow_nan=False)
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror or error}): name an entry's file") from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BadInput(f"{file} is not an entry: it is no JSON that can be trusted ({reason})") from error
    return raw


def _content(file: Path) -> bytes:
    """Read a regular file, or what a link to one leads to, that is no larger than an entry can be."""
    # A pipe without a writer would be waited for; what it is is asked of what was opened.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise BadInput(f"{file} is not an entry: it is no regular file")
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BadInput(f"{file} is not an entry: it is larger than {_MOST_BYTES >> 20} MiB")
    # Every value follows one of these; those within texts are counted too.
    if sum(content.count(sign) for sign in (b",", b"[", b"{", b":")) > _MOST_VALUES:
        raise BadInput(f"{file} is not an entry: it holds more than {_MOST_VALUES:,} values")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return content


def _lines(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in one['loc'])}: {_said(one['msg'].removeprefix('Value error, '))}"
        for one in error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]
    ]


def _said(message: str) -> str:
    return message[:1].lower() + message[1:]
