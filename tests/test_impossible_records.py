"""What nobody can have measured is refused by line, from a store and from a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import record
from typer.testing import CliRunner

import srbench
from srbench.boards.frame import frame
from srbench.cli import app
from srbench.errors import BadInput
from srbench.store.record import Record

HOSTILE = [
    (
        {"schema_version": 99, "metrics": {"psnr": 55.5}},
        "schema_version: 99 is not one that this srbench reads",
    ),
    ({"metrics": {"psnr": float("nan")}}, "metrics: psnr is nan: it has to be finite"),
    ({"metrics": {"psnr": float("inf")}}, "metrics: psnr is inf: it has to be finite"),
    ({"metrics": {"psnr": 1e308}}, r"metrics: psnr is 1e\+308: it has to be finite"),
    ({"saved": {"psnr": -1e7}}, r"saved: psnr is -1e\+07: it has to be finite"),
    ({"effect": {"lr_psnr": float("nan")}}, "effect: lr_psnr is nan: it has to be finite"),
    ({"attack_settings": {"eps": "large"}}, "attack_settings: eps 'large' is no number from 0 to 1"),
    ({"attack_settings": {"eps": float("nan")}}, "attack_settings: eps nan is no number from 0 to 1"),
    ({"attack_settings": {"eps": 14}}, "attack_settings: eps 14 is no number from 0 to 1"),
    ({"attack_settings": {"eps": None}}, "attack_settings: eps null is no number from 0 to 1"),
    ({"attack_settings": {"eps": True}}, "attack_settings: eps True is no number from 0 to 1"),
    ({"attack_settings": {"eps": 10**400}}, "attack_settings: eps a huge number is no number from 0 to 1"),
    ({"attack_settings": {"eps": [1]}}, "attack_settings: eps list is no number from 0 to 1"),
    ({"attack_settings": {"note": ["a"]}}, "attack_settings: note is no text"),
    ({"attack_settings": {"kind": "Corruption"}}, "attack_settings: corruption is missing"),
    ({"attack_settings": {"kind": "Corruption", "corruption": "jpeg", "severity": "x"}}, "severity"),
    ({"dataset_kind": "other"}, "dataset_kind: 'other' is neither paired nor no-reference"),
    ({"seconds": float("inf")}, "seconds: inf is no time"),
    ({"cost": {"parameters": float("nan")}}, "cost: parameters is nan"),
]


def write_store(folder: Path, changes: dict[str, object]) -> Path:
    """A store whose second line is not a record."""
    attacked = {"attack": "rsr", "attack_hash": "a" * 8, "attack_settings": {"eps": 0.05}}
    good = record(**attacked).model_dump(mode="json")
    lines = [json.dumps(good), json.dumps(good | {"image": "b"} | changes)]
    file = folder / "store" / "cell.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines) + "\n")
    return file.parent


@pytest.mark.parametrize(("changes", "reason"), HOSTILE)
def test_a_record_that_cannot_be_is_refused_by_line(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    from srbench.boards.site.build import read_store

    store = write_store(tmp_path, changes)
    with pytest.raises(BadInput, match=rf"cell\.jsonl line 2 is not a record \(.*{reason}") as caught:
        read_store(store)
    assert "\n" not in str(caught.value)


COMMANDS = {
    "leaderboard": ["leaderboard"],
    "compare": ["compare", "a", "b"],
    "figure": ["figure", "matrix", "--out", "figure.pdf"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("changes", [changes for changes, _ in HOSTILE[:9:2]])
def test_every_command_refuses_it_in_one_line(
    command: str, changes: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = write_store(tmp_path, changes)
    done = CliRunner().invoke(app, [*COMMANDS[command], "--store", str(store)])
    assert isinstance(done.exception, BadInput) or done.exit_code == 2, done.output
    said = str(done.exception) if isinstance(done.exception, BadInput) else done.output
    assert "line 2 is not a record" in said.replace("\n", "")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("schema_version", 99, "schema_version: 99"),
        ("psnr", 1e308, "metrics: psnr is 1e"),
        ("psnr", float("inf"), "metrics: psnr is inf"),
        ("attack_settings", '{"eps": "large"}', "attack_settings: eps 'large'"),
        ("attack_settings", '{"eps": 1e999}', "attack_settings: eps inf"),
    ],
)
def test_a_table_with_such_a_record_is_refused_too(
    column: str, value: object, reason: str, tmp_path: Path
) -> None:
    from srbench.boards.csv_records import read_csv

    table = frame([record(), record(image="b")]).astype({column: object})
    table.loc[1, column] = value
    with pytest.raises(BadInput, match=f"row 1 is not a record \\({reason}"):
        srbench.leaderboard(table)
    table.to_csv(tmp_path / "records.csv", index=False)
    with pytest.raises(BadInput, match=f"line 3 is not a record \\({reason}"):
        read_csv(tmp_path / "records.csv")


def test_records_keep_their_text() -> None:
    given = record(attack="rsr", attack_hash="a", attack_settings={"eps": 0.05, "kind": "StructuredPGD"})
    assert Record.model_validate_json(given.model_dump_json()).model_dump_json() == given.model_dump_json()
    assert list(json.loads(given.model_dump_json()))[:3] == ["schema_version", "model", "model_title"]
