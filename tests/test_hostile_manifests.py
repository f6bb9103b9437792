"""Whatever stands in a file of settings or results: it is read, or refused in one line as bad input."""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from helpers import record
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from srbench import zoo
from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.datasets import registry
from srbench.datasets.manifests import manifest
from srbench.entries import read as entries
from srbench.entries.schema import digest
from srbench.errors import BadInput
from srbench.store.folder import Store
from srbench.support.home import home
from srbench.support.toml import read_toml, to_toml
from srbench.train import recipe

BOARDS = Path(__file__).parents[1] / "leaderboards"
# One folder is written to again and again; the fixtures are only per test.
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NUMBERS = st.one_of(st.integers(-(10**400), 10**400), st.floats(), st.sampled_from([0, -1, 2**63, 1e308]))
TEXTS = st.one_of(
    st.text(), st.sampled_from(["", "nan", "inf", "-1", "[/x]", "a\nb", "=1+1", "../x", "\0", "{}"])
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BYTES = st.one_of(
    st.binary(),
    st.text().map(str.encode),
    st.text("[]{}=\"'\\.,:#0123456789aeinft_- \n", max_size=60).map(str.encode),
)
DEEP = [
    b"a = " + b"[" * 100_000,
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"a = " + b"9" * 5000,
    b"9" * 5000,
    b"\xff",
    b"",
]


def survives(read: Callable[[], object]) -> None:
    """It works or is bad input, told in one line."""
    try:
        read()
    except BadInput as refusal:
        assert str(refusal) and "\n" not in str(refusal), str(refusal)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside nested dicts and lists."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*path, key)
        yield from places(part, (*path, key))


def changed(value: Any, data: st.DataObject) -> Any:
    """A copy with one value replaced by anything, taken out, or under another key."""
    value = copy.deepcopy(value)
    *parents, last = data.draw(st.sampled_from(list(places(value))))
    inside = value
    for key in parents:
        inside = inside[key]
    way = data.draw(st.sampled_from(["replace", "remove", "rename"]))
    if way == "replace":
        inside[last] = data.draw(ANYTHING)
    elif way == "remove":
        del inside[last]
    elif isinstance(inside, dict):
        inside[data.draw(TEXTS)] = inside.pop(last)
    return value


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def read_card(file: Path) -> object:
    """A directory with this card, as a model."""
    (file.parent / "card.toml").write_bytes(file.read_bytes())
    return zoo.resolve([str(file.parent)])


def read_registration(file: Path) -> object:
    (home() / "datasets").mkdir(parents=True, exist_ok=True)
    (home() / "datasets" / "ntire.json").write_bytes(file.read_bytes())
    return registry.open_set(manifest("ntire")), registry.status("ntire")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "card": ("x.toml", read_card),
    "entry": ("x.json", entries.read_entry),
    "recipe": ("x.toml", lambda file: recipe.load(str(file))),
    "records.csv": ("x.csv", read_csv),
    "registration": ("x.json", read_registration),
    "store": ("x.jsonl", lambda file: Store(file.parent).read(PurePosixPath(file.name))),
}


@pytest.mark.parametrize("name", READERS)
@FEW
@given(content=BYTES)
def test_any_bytes(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / READERS[name][0]
    file.write_bytes(content)
    survives(lambda: READERS[name][1](file))


@pytest.mark.parametrize("content", DEEP, ids=range(len(DEEP)))
@pytest.mark.parametrize("name", READERS)
def test_bytes_that_go_deep(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / READERS[name][0]
    file.write_bytes(content)
    survives(lambda: READERS[name][1](file))


@pytest.mark.parametrize("name", ["card", "recipe"])
@FEW
@given(data=st.data())
def test_a_table_with_one_thing_changed(name: str, data: st.DataObject, tmp_path: Path) -> None:
    shipped = {"card": "zoo/cards/rsr.toml", "recipe": "srbench/train/recipes/rsr-mini.toml"}[name]
    table = changed(read_toml(BOARDS.parent / shipped), data)
    (tmp_path / "x.toml").write_text(to_toml(table), "utf-8", "surrogatepass")
    survives(lambda: READERS[name][1](tmp_path / "x.toml"))


@FEW
@given(data=st.data())
def test_an_entry_with_one_thing_changed(data: st.DataObject, tmp_path: Path) -> None:
    entry = json.loads((BOARDS / "entries" / "bicubic.json").read_text())
    entry["cells"] = [cell | {"images": cell["images"][:1]} for cell in entry["cells"][:1]]
    entry = changed(entry, data)
    if data.draw(st.booleans()):  # whoever tampers can make the digest fit
        entry |= {
            "digest": digest(json.loads(json.dumps(entry).replace("NaN", "0").replace("Infinity", "0")))
        }
    (tmp_path / "x.json").write_bytes(as_json(entry))
    survives(lambda: entries.read_entry(tmp_path / "x.json"))


@FEW
@given(data=st.data())
def test_a_stored_record_with_one_thing_changed(data: st.DataObject, tmp_path: Path) -> None:
    line = changed(record(attack_settings={"eps": 1}, effect={"lr_max": 1.0}).model_dump(mode="json"), data)
    (tmp_path / "x.jsonl").write_bytes(as_json(line) + b"\n")
    survives(lambda: READERS["store"][1](tmp_path / "x.jsonl"))


@FEW
@given(data=st.data())
def test_a_registration_with_one_thing_changed(data: st.DataObject, tmp_path: Path) -> None:
    for role, side in (("lr", 4), ("hr", 16)):
        (tmp_path / role).mkdir(exist_ok=True)
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(tmp_path / role / "a.png")
    registry.add("ntire", tmp_path / "lr", tmp_path / "hr")
    stored = json.loads((home() / "datasets" / "ntire.json").read_text())
    (tmp_path / "x.json").write_bytes(as_json(changed(stored, data)))
    survives(lambda: read_registration(tmp_path / "x.json"))


CELLS = st.one_of(
    TEXTS, NUMBERS.map(str), st.sampled_from(["[" * 20_000, "a: b; c", ": ", "1e400", "9" * 5000])
)


@FEW
@given(column=st.integers(0, 60), cell=CELLS, header=st.booleans())
@example(column=0, cell="inf", header=False)
def test_a_cell_of_records_csv_is_anything(column: int, cell: str, header: bool, tmp_path: Path) -> None:
    table = frame([record(attack_settings={"eps": 1}, effect={"lr_max": 1.0}, tile=64)] * 2)
    column %= len(table.columns)
    if header:
        table.columns = [cell if n == column else name for n, name in enumerate(table.columns)]
    else:
        table = table.astype(object)
        table.iat[1, column] = cell
    (tmp_path / "x.csv").write_text(table.to_csv(index=False), "utf-8", "surrogatepass")
    survives(lambda: read_csv(tmp_path / "x.csv"))


@pytest.mark.parametrize("column", ["lr_height", "sr_width", "tile"])
def test_infinite_sizes_are_no_record(column: str, tmp_path: Path) -> None:
    table = frame([record(tile=64)]).astype(object)
    table[column] = "inf"
    table.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(BadInput, match="line 2 is not a record"):
        read_csv(tmp_path / "x.csv")


def test_a_table_of_too_many_bytes_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "x.toml").open("wb") as file:
        file.truncate(8 << 30)
    with pytest.raises(BadInput, match="larger than 4 MiB"):
        recipe.load(str(tmp_path / "x.toml"))


@given(name=st.text(min_size=1, max_size=20).filter(str.isprintable))
@settings(max_examples=60, deadline=None)
@example(name='=1+1|"x",y')
def test_names_survive_records_csv_whatever_they_hold(name: str) -> None:
    """CSV is for programs: names are quoted and otherwise exact, formulas and all."""
    made = record(model=name, image=name)
    row = next(
        csv.DictReader(io.StringIO(frame([made]).to_csv(index=False, lineterminator="\n"), newline=""))
    )
    assert (row["model"], row["image"]) == (name, name)
