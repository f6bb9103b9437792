"""Files that are no entries: lines, never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest
from entry_cases import (
    FAST,
    check,
    leaves,
    put,
    raw,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench.entries.schema import digest
from srbench.entries.validate import validate
from srbench.errors import BadInput

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(FAST, max_examples=60)
@given(data=st.data())
def test_a_mangled_entry_gives_lines_never_an_exception(data: st.DataObject, tmp_path: Path) -> None:
    entry = raw()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(leaves(entry)))
        path = path[: data.draw(st.integers(1, len(path)))]
        put(entry, path, data.draw(ANYTHING))
        try:
            entry["digest"] = digest(entry)
        except ValueError:
            break  # not a finite number: no digest can be made
        if not leaves(entry):
            break
    try:
        lines = check(entry, tmp_path).problems
    except BadInput as error:
        assert "entry" in str(error)
    else:
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", 'lacks "format"'),
        (b'{"format": "srbench entry"}', "schema_version"),
        (b'{"format": "srbench entry", "schema_version": 2}', "schema_version 2"),
        (b'{"format": "srbench entry", "schema_version": 1, "schema_version": 1}', "twice"),
        (b'{"format": "srbench entry", "schema_version": 1, "means": NaN}', "no JSON"),
        (b'{"format": "srbench entry", "schema_version": 1, "means": 1e999}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_entry_is_said_in_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "entry.json"
    file.write_bytes(content)
    with pytest.raises(BadInput) as raised:
        validate(file)
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(BadInput, match="cannot be read"):
        validate(tmp_path / "none.json")


def test_a_wrong_type_is_named_by_its_place(tmp_path: Path) -> None:
    entry = raw()
    entry["cells"][1]["images"][0]["metrics"]["psnr"] = "25.7"
    assert check(entry | {"digest": digest(entry)}, tmp_path).problems == [
        "cells.1.images.0.metrics.psnr: input should be a valid number"
    ]
    entry = raw()
    entry["extra"] = 1
    assert check(entry | {"digest": digest(entry)}, tmp_path).problems == [
        "extra: extra inputs are not permitted"
    ]
