"""srbench compare: its sentences, its names for rows, and its numbers against pandas and scipy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from helpers import inside, record
from scipy import stats

from srbench.boards.comparison import Pair, as_dict, pairs
from srbench.boards.comparison_text import difference_grid, verdict
from srbench.boards.row_selection import names_of, rows_by_name
from srbench.boards.table import row_key
from srbench.errors import BadInput
from srbench.store.folder import Store
from srbench.store.record import Record

MINI = Path(__file__).parents[1] / "leaderboards" / "mini1" / "records.csv"


def measured(
    model: str, ntire: list[float], aim: list[float], name: str = "lpips", **more: object
) -> list[Record]:
    return [
        record(
            **{"model": model, "dataset": s, "dataset_hash": s, "image": f"{i}", "metrics": {name: v}} | more
        )
        for s, values in (("ntire", ntire), ("aim", aim))
        for i, v in enumerate(values)
    ]


def one(*records: list[Record], name: str = "lpips", attack: str = "none") -> Pair:
    (pair,) = pairs({found[0].model: found for found in records}, name, attack)
    return pair


LOW, HIGH = [0.1, 0.2, 0.3, 0.2, 0.1, 0.3], [0.2, 0.32, 0.44, 0.36, 0.28, 0.5]


def test_the_better_one_is_named_first_however_it_was_asked() -> None:
    low, high = measured("low", LOW, LOW), measured("high", HIGH, HIGH)
    said = verdict(one(high, low))
    assert verdict(one(low, high)) == said
    assert said.startswith("low is better than high: LPIPS lower by 0.1500 (95 %: 0.1")
    assert "averaged over aim and ntire; it wins 12 of 12 images." in said
    # Six images all won: 2 / 2**6, and twice that for the smaller of two tests.
    assert "Holm's correction over 2 tests: p = 0.0625 on aim and p = 0.0625 on ntire." in said
    assert said.endswith("That test does not confirm it on any data set at the 5 % level.")
    upward = verdict(
        one(measured("low", LOW, LOW, "ssim"), measured("high", HIGH, HIGH, "ssim"), name="ssim")
    )
    assert upward.startswith("high is better than low: SSIM higher by 0.1500")


def test_nothing_certain_is_said_so() -> None:
    said = verdict(one(measured("a", LOW, HIGH), measured("b", HIGH, LOW)))
    assert said.startswith("Neither a nor b is certainly better: a has LPIPS ")
    assert "wins 6 of 12 images, but the 95 % interval of the difference holds zero (-0." in said


def test_an_average_does_not_hide_a_data_set_on_which_it_is_not_so() -> None:
    steps = np.linspace(0.01, 0.03, 8)
    base = np.full(8, 0.5)
    a = measured("a", list(base - steps), list(base - 4 * steps))
    b = measured("b", list(base), list(base))
    c = measured("c", list(base - 2 * steps), list(base))
    assert "By that test" not in verdict(one(a, b))
    assert verdict(one(a, c)).startswith("a is better than c")
    assert verdict(one(a, c)).endswith(
        "p = 0.0156 on aim and p = 0.0156 on ntire. By that test c is better on ntire."
    )
    d = measured("d", list(base - 5 * steps), list(base))
    assert "Neither a nor d is certainly better" in (said := verdict(one(a, d)))
    assert said.endswith("By that test a is better on aim and d is better on ntire.")


def test_equal_models_and_single_images() -> None:
    a, b = measured("a", [0.1, 0.2], [0.3, 0.4]), measured("b", [0.1, 0.2], [0.3, 0.4])
    assert (
        verdict(one(a, b))
        == "a and b are equal: the same LPIPS on all of 4 images averaged over aim and ntire."
    )
    said = verdict(one(measured("a", [0.1], []), measured("b", [0.3], [])))
    assert said == (
        "Neither a nor b is certainly better: a has LPIPS lower by 0.2000 on ntire and wins 1 of 1 images, "
        "but a data set with a single image gives no interval. "
        "Wilcoxon signed-rank: p = 1.0000 on ntire (a single image)."
    )
    said = verdict(one(measured("a", [0.1, 0.3, 0.2], []), measured("b", [0.3, 0.3, 0.4], [0.5])))
    assert "wins 2 of 3 images and equals b on 1" in said
    assert said.endswith("Compared on 3 of 4 images, those on which both have LPIPS: a has none on 1.")


def test_a_table_has_every_set_and_their_average() -> None:
    header, rows = difference_grid(
        one(measured("a", [0.1, 0.2], [0.3, 0.5]), measured("b", [0.2, 0.3], [0.3, 0.6]))
    )
    assert header[:3] == ["Data set", "a", "b"]
    assert rows[0][:5] == ["aim", "0.4000", "0.4500", "-0.0500", "-0.1000 to +0.0000"]
    assert rows[0][5:] == ["1 of 2", "1", "1.0000", "1.0000"]
    assert rows[1][:4] == ["ntire", "0.1500", "0.2500", "-0.1000"]
    assert rows[2][:4] == ["average", "0.2750", "0.3500", "-0.0750"] and rows[2][5:] == [
        "3 of 4",
        "1",
        "–",
        "–",
    ]


def test_of_several_models_every_pair_shares_one_correction() -> None:
    a, b, c = (measured(m, [x + shift for x in LOW], []) for m, shift in (("a", 0), ("b", 0.1), ("c", 0.3)))
    found = pairs({"a": a, "b": b, "c": c}, "lpips")
    assert [(pair.first, pair.second) for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    for pair in found:
        assert pair.tests == 3 and list(pair.corrected.values()) == [pytest.approx(3 * 2 / 2**6)]


def test_json_has_numbers_as_numbers_and_null_where_there_is_none() -> None:
    made = json.loads(
        json.dumps(as_dict(one(measured("a", [0.1], []), measured("b", [0.3], []))), allow_nan=False)
    )
    assert made["better"] is None and made["overall"]["low"] is None
    assert made["overall"]["value"] == pytest.approx(-0.2)
    assert made["datasets"][0]["reason"] == "a single image"


def test_versions_of_a_model_must_be_told_apart() -> None:
    records = measured("mine", [0.1], [], weights_sha256="abcd1234" + "0" * 56)
    records += measured("mine", [0.2], [], weights_sha256="ffff5678" + "0" * 56)
    records += measured("mine", [0.3], [], weights_sha256="ffff5678" + "0" * 56, precision="bf16")
    records += measured("plain", [0.2], []) + measured("plain", [0.2], [], tile=64)
    with pytest.raises(BadInput) as raised:
        rows_by_name(records, ["plain@whole", "mine"])
    assert str(raised.value) == (
        "'mine' has records of 3 versions: name one, "
        "mine@abcd1234+fp32 or mine@ffff5678+bf16 or mine@ffff5678+fp32"
    )
    with pytest.raises(BadInput, match=r"name one, plain@tile64 or plain@whole$"):
        rows_by_name(records, ["plain"])
    with pytest.raises(BadInput, match=r"2 versions: name one, mine@bf16 or mine@fp32$"):
        rows_by_name(records, ["mine@ffff"])
    found = rows_by_name(records, ["mine@abcd", "mine@bf16", "plain@tile64", "mine@FFFF5678+fp32"])
    values = [next(r.metrics["lpips"] for r in rows) for rows in found.values()]
    assert values == [0.1, 0.3, 0.2, 0.2]
    with pytest.raises(BadInput, match="mine@abcd and mine@abcd1234 are the same row"):
        rows_by_name(records, ["mine@abcd", "mine@abcd1234"])
    for wrong in ("nope", "mine@abd", "mine@abc", "mine@fp16", "@", "mine@"):
        with pytest.raises(
            BadInput, match=f"'{wrong}' has no such records: name models that have, mine, plain"
        ):
            rows_by_name(records, [wrong])


def test_the_command_gives_what_pandas_and_scipy_give() -> None:
    done = inside("compare", "rsr-mini", "esrgan-mini", "--records", str(MINI), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    table = pd.read_csv(MINI)
    wide = table[table.attack == "none"].pivot_table(
        index=["dataset", "source", "image"], columns="model", values="lpips"
    )
    apart = wide["rsr-mini"] - wide["esrgan-mini"]
    by_set = [values.to_numpy() for _, values in apart.groupby("dataset")]
    assert found["metric"] == "lpips" and found["better"] is None
    assert found["overall"]["value"] == pytest.approx(np.mean([values.mean() for values in by_set]))
    assert (found["overall"]["wins"], found["overall"]["images"]) == (int((apart < 0).sum()), 24)
    # The five photographs are drawn, with all their crops, for both sets at once.
    sums, counts = (apart.groupby(["dataset", "source"]).agg(f).unstack("source") for f in ("sum", "count"))

    def mean(drawn: npt.NDArray[np.int64]) -> float:
        return float((sums.iloc[:, drawn].sum(axis=1) / counts.iloc[:, drawn].sum(axis=1)).mean())

    theirs = stats.bootstrap(
        (np.arange(5),), mean, method="percentile", rng=1, vectorized=False, n_resamples=3000
    ).confidence_interval
    assert (found["overall"]["low"], found["overall"]["high"]) == pytest.approx(
        tuple(theirs), abs=0.08 * (theirs.high - theirs.low)
    )
    means = apart.groupby(["dataset", "source"]).mean().groupby("dataset")
    assert [entry["p"] for entry in found["datasets"]] == [stats.wilcoxon(v).pvalue for _, v in means]
    assert "wins 24 of 24 images (of 5 photographs), but 5 photographs are too few" in found["words"]


def test_the_command_prints_the_sentence_and_the_table() -> None:
    done = inside("compare", "bicubic", "esrgan-mini", "--records", str(MINI), "--metric", "psnr",
                   "--attack", "rsr", "--datasets", "aim*")  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, rest = done.stdout.split("\n", 1)
    assert first.startswith(
        "Neither bicubic nor esrgan-mini is certainly better under rsr: bicubic has PSNR "
    )
    assert "PSNR ↑, bicubic minus esrgan-mini" in rest and "aim-mini" in rest and "ntire" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a"], "name at least two models: srbench compare A B"),
        (["a", "c"], "'c' has no such records: name models that have, [b], a"),
        (["a", "[b]", "--attack", "rsr"], "no records under attack 'rsr': there are none"),
        (["a", "[b]", "--metric", "fsim", "--protocol", "y"], "no image has FSIM of both under none"),
        (["a", "[b]", "--metric", "lpis"], "unknown metric 'lpis': did you mean lpips"),
        (["a", "[b]", "--datasets", "x"], "has no such records: run `srbench evaluate` first"),
        (
            ["a", "[b]"],
            "a and [b] have records of several protocols, rsr (pppppppp) or y (qqqqqqqq): name one",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    for model in ("a", "[b]"):
        for protocol, digest in (("rsr", "p" * 64), ("y", "q" * 64)):
            found = record(model=model, protocol=protocol, protocol_hash=digest)
            Store(tmp_path).replace(Path(protocol, f"{model}.jsonl"), [found])  # type: ignore[arg-type]
    done = inside("compare", *arguments, "--store", str(tmp_path))
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) == 1 and line in done.stderr


def test_the_names_of_rows_find_them() -> None:
    alike = [
        record(model="net", weights_sha256="a" * 64),
        record(model="net", weights_sha256="b" * 64),
        record(model="net", weights_sha256="b" * 64, precision="bf16"),
        record(model="net", weights_sha256="b" * 64, tile=64, halo=16),
        record(model="other", weights_sha256="b" * 64),
    ]
    names = names_of(map(row_key, alike))
    assert len(set(names.values())) == len(alike)
    assert names[row_key(alike[-1])] == "other"
    for key, name in names.items():
        ((found,),) = rows_by_name(alike, [name]).values()
        assert row_key(found) == key
