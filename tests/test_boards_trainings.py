"""Methods that were trained several times: their intervals against closed forms, scipy's and made data."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import record
from scipy import stats

from srbench.boards.table import column_of
from srbench.boards.trainings import Trainings
from srbench.store.record import Record

IMAGES = 40


def records(models: dict[str, np.ndarray], dataset: str = "ntire", photographs: int = IMAGES) -> list[Record]:
    """Records of models whose metric on image i is given."""
    return [
        record(model=model, dataset=dataset, image=f"{i:03}", metrics={"lpips": float(value)}).model_copy(
            update={"source": f"p{i % photographs}"}
        )
        for model, values in models.items()
        for i, value in enumerate(values)
    ]


def trainings(made: list[Record], methods: dict[str, list[str]]) -> Trainings:
    return Trainings(made, methods, "lpips", sorted({column_of(each) for each in made}))


def drawn(seed: int, offset: float = 0.0) -> np.ndarray:
    return 0.4 + offset + 0.05 * np.random.default_rng(seed).standard_normal(IMAGES)


def test_one_training_each_is_the_paired_t_interval() -> None:
    """Without other seeds only photographs vary: Student's paired interval, nearly."""
    a, b = drawn(1), drawn(2, 0.02)
    found = trainings(records({"a": a, "b": b}), {"A": ["a"], "B": ["b"]}).difference("A", "B")
    low, high = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.value == pytest.approx((a - b).mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * (high - low))
    assert found.trainings == (1, 1) and found.photographs == IMAGES


def test_trainings_alone_are_welchs_interval() -> None:
    """Where all photographs show the same, only seeds vary: Welch's test of the trainings' means."""
    a, b = [0.30, 0.32, 0.35], [0.40, 0.36, 0.41, 0.39]
    models = {f"a{i}": np.full(IMAGES, value) for i, value in enumerate(a)}
    models |= {f"b{i}": np.full(IMAGES, value) for i, value in enumerate(b)}
    methods = {"A": [f"a{i}" for i in range(3)], "B": [f"b{i}" for i in range(4)]}
    found = trainings(records(models), methods).difference("A", "B")
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    own = trainings(records(models), methods).mean("A")
    t = stats.t.interval(0.95, 2, loc=np.mean(a), scale=stats.sem(a))
    assert (own.low, own.high) == pytest.approx(t) and own.values == pytest.approx(a)


def test_seeds_that_disagree_take_certainty_away() -> None:
    """On any one pair of trainings the difference is certain; over the seeds it is not."""
    base = drawn(3)
    models = {
        "a0": base - 0.03,
        "a1": base,
        "a2": base + 0.02,
        "b0": base,
        "b1": base + 0.03,
        "b2": base - 0.01,
    }
    models = {name: values + 0.002 * drawn(n) for n, (name, values) in enumerate(models.items())}
    single = trainings(records(models), {"A": ["a0"], "B": ["b1"]}).difference("A", "B")
    assert single.certain
    methods = {"A": ["a0", "a1", "a2"], "B": ["b0", "b1", "b2"]}
    found = trainings(records(models), methods).difference("A", "B")
    assert found.trainings == (3, 3) and not found.certain and found.low < 0 < found.high
    agreeing = {
        name: (base if name[0] == "b" else base - 0.03) + 0.002 * drawn(n) for n, name in enumerate(models)
    }
    assert trainings(records(agreeing), methods).difference("A", "B").certain


def test_the_interval_holds_what_it_says() -> None:
    """95 of 100 times the true difference is within, with three seeds and twelve photographs."""
    random = np.random.default_rng(0)
    within = 0
    for _ in range(100):
        photographs = 0.1 * random.standard_normal(12)
        models = {}
        for method, offset in (("a", 0.0), ("b", 0.05)):
            for seed in range(3):
                noise = 0.02 * random.standard_normal() + 0.03 * random.standard_normal(12)
                models[f"{method}{seed}"] = 0.5 + offset + photographs + noise
        methods = {name: [f"{name}{seed}" for seed in range(3)] for name in "ab"}
        found = trainings(records(models), methods).difference("a", "b")
        within += found.low <= -0.05 <= found.high
    assert 89 <= within <= 100


def test_photographs_are_drawn_as_wholes_and_jointly_over_sets() -> None:
    a = np.repeat(drawn(4)[:8], 5)
    eight = records({"a": a}, photographs=8)
    for number, each in enumerate(eight):
        each.__dict__["source"] = f"p{number // 5}"
    forty = records({"a": a})
    few, many = (trainings(made, {"A": ["a"]}).mean("A") for made in (eight, forty))
    assert (few.photographs, many.photographs) == (8, 40)
    assert few.high - few.low > 1.9 * (many.high - many.low)
    both = [*records({"a": drawn(5)}), *records({"a": -drawn(5)}, dataset="aim")]
    joint = trainings(both, {"A": ["a"]}).mean("A")
    # What one set gains by a photograph the other loses: their mean is the same whatever is drawn.
    assert joint.value == pytest.approx(0, abs=1e-12) and joint.high - joint.low < 1e-9


def test_only_what_every_method_has_is_compared() -> None:
    made = records({"a": drawn(1), "b": drawn(2)})
    made[3] = made[3].model_copy(update={"metrics": {"lpips": None}})
    made += records({"a": drawn(3)}, dataset="aim")
    found = trainings(made, {"A": ["a"], "B": ["b"], "C": []})
    assert found.methods == ["A"]  # B has nothing on aim
    only = Trainings(made, {"A": ["a"], "B": ["b"]}, "lpips", [column_of(made[0])])
    assert only.methods == ["A", "B"]
    assert only.mean("B").value == pytest.approx(np.delete(drawn(2), 3).mean())
    assert Trainings(made, {"A": ["a"]}, "psnr", [column_of(made[0])]).methods == []
