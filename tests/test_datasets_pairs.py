"""LR and HR belong together by name; every mismatch is a named error before any model runs."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from srbench.datasets.files import check_folder, check_pairs, user_folder, user_pairs
from srbench.datasets.pairs import HR_SUFFIXES, LR_SUFFIXES, image_files, match_pairs, strip_suffix
from srbench.errors import BadInput, RunFailed

STEMS = st.text("abcdefghijklmnopqrstuvwyz0123456789", min_size=1, max_size=8)


def image(path: Path, width: int = 4, height: int = 4, shade: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (shade, 0, 255 - shade)).save(path)
    return path


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def matched(lr: Path, hr: Path) -> dict[str, tuple[str, str]]:
    return {key: (a.name, b.name) for key, (a, b) in match_pairs(lr, hr).items()}


@given(stem=STEMS, suffix=st.sampled_from(LR_SUFFIXES), case=st.sampled_from([str.upper, str.lower, str]))
def test_every_suffix_is_stripped_in_any_case(stem: str, suffix: str, case: type[str]) -> None:
    assert strip_suffix(stem + case(suffix), LR_SUFFIXES) == stem


@given(stem=STEMS)
def test_a_stem_without_suffix_is_left_alone(stem: str) -> None:
    assume(not any(stem.endswith(s.lower()) for s in (*LR_SUFFIXES, *HR_SUFFIXES)))
    assert strip_suffix(stem, LR_SUFFIXES) == strip_suffix(stem, HR_SUFFIXES) == stem


def test_nothing_is_stripped_down_to_nothing() -> None:
    assert strip_suffix("x4", LR_SUFFIXES) == "x4"


@settings(deadline=None)  # it makes files, which a busy disk may delay
@given(stems=st.sets(STEMS, min_size=1, max_size=6), data=st.data())
def test_matching_never_depends_on_order(
    tmp_path_factory: pytest.TempPathFactory, stems: set[str], data: st.DataObject
) -> None:
    """Each image has its own suffixes, so LR and HR listings sort differently; pairs stay pairs."""
    lr = {s: s + data.draw(st.sampled_from(["", *LR_SUFFIXES])) for s in sorted(stems)}
    hr = {s: s + data.draw(st.sampled_from(["", *HR_SUFFIXES])) for s in sorted(stems)}
    folder = tmp_path_factory.mktemp("pairs")
    lr_dir = touch(folder / "lr", *(f"{n}.png" for n in lr.values()))
    hr_dir = touch(folder / "hr", *(f"{n}.png" for n in hr.values()))
    assert matched(lr_dir, hr_dir) == {s: (f"{lr[s]}.png", f"{hr[s]}.png") for s in sorted(stems)}


@settings(deadline=None)  # it makes files, which a busy disk may delay
@given(stems=st.sets(STEMS, min_size=1, max_size=6), data=st.data())
def test_matching_in_one_folder(
    tmp_path_factory: pytest.TempPathFactory, stems: set[str], data: st.DataObject
) -> None:
    # At least one of the two must say its role.
    suffixes = st.tuples(st.sampled_from(["", *LR_SUFFIXES]), st.sampled_from(["", *HR_SUFFIXES])).filter(any)
    names = {s: tuple(f"{s}{end}.png" for end in data.draw(suffixes)) for s in sorted(stems)}
    folder = touch(tmp_path_factory.mktemp("pairs") / "both", *(n for pair in names.values() for n in pair))
    assert matched(folder, folder) == names


def test_order_of_listing_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lr = touch(tmp_path / "lr", *(f"{i}x4.png" for i in range(12)))
    hr = touch(tmp_path / "hr", *(f"{i}.png" for i in range(12)))
    before = match_pairs(lr, hr)
    listed = Path.iterdir

    def shuffled(folder: Path) -> list[Path]:
        files = list(listed(folder))
        random.Random(3).shuffle(files)
        return files

    monkeypatch.setattr(Path, "iterdir", shuffled)
    assert list(match_pairs(lr, hr).items()) == list(before.items())


def test_equal_names_match_even_where_they_end_like_a_suffix(tmp_path: Path) -> None:
    lr, hr = touch(tmp_path / "lr", "matrix4.png"), touch(tmp_path / "hr", "matrix4.png")
    assert matched(lr, hr) == {"matrix4": ("matrix4.png", "matrix4.png")}


def test_extension_and_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, "a.PNG", ".hidden.png", "._a.png", "notes.txt", "Thumbs.db")
    (tmp_path / "sub.png").mkdir()
    assert [p.name for p in image_files(tmp_path)] == ["a.PNG"]


@pytest.mark.parametrize(
    ("lr", "hr", "words"),
    [
        (["ax4.png", "bx4.png"], ["a.png"], "bx4.png"),
        (["ax4.png"], ["a.png", "b.png"], "b.png"),
        (["ax4.png", "a_LR.png"], ["a.png"], "both stand for 'a'"),
        (["ax4.png", "a.png"], ["a.png"], "both stand for 'a'"),
        (["a.png", "a.jpg"], ["a.png"], "a.jpg and a.png"),
        (["a.png"], ["b.png"], "no image in"),
        ([], ["b.png"], "holds no images"),
        (["a.png"], ["readme.txt"], "holds no images"),
    ],
)
def test_what_does_not_match_is_named(tmp_path: Path, lr: list[str], hr: list[str], words: str) -> None:
    with pytest.raises(BadInput) as error:
        match_pairs(touch(tmp_path / "lr", *lr), touch(tmp_path / "hr", *hr))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a_LR.png", "a_HR.png", "b_LR.png"], "b_LR.png"),
        (["a_LR.png", "a_HR.png", "a.png"], "all stand for 'a'"),
        (["a_LR.png", "ax4.png", "a_HR.png"], "all stand for 'a'"),
        (["a.png", "b.png"], "no partner"),
    ],
)
def test_what_does_not_match_in_one_folder_is_named(tmp_path: Path, names: list[str], words: str) -> None:
    folder = touch(tmp_path / "both", *names)
    with pytest.raises(BadInput) as error:
        match_pairs(folder, folder)
    assert words in str(error.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere is not a directory"):
        match_pairs(tmp_path / "nowhere", tmp_path)


@pytest.mark.parametrize(("extra_w", "extra_h"), [(0, 0), (3, 0), (0, 1), (2, 3)])
def test_modcrop_cuts_the_hr_at_the_bottom_and_right(tmp_path: Path, extra_w: int, extra_h: int) -> None:
    hr = np.random.default_rng(1).integers(0, 256, (16 + extra_h, 24 + extra_w, 3), dtype=np.uint8)
    image(tmp_path / "lr/a.png", 6, 4)
    (tmp_path / "hr").mkdir()
    Image.fromarray(hr).save(tmp_path / "hr/a.png")
    data_set = user_pairs(tmp_path / "lr", tmp_path / "hr")
    loaded = data_set.load("a")
    assert data_set.lr_size("a") == loaded.lr.shape[:2] == (4, 6)
    assert loaded.hr is not None and np.array_equal(loaded.hr, hr[:16, :24])
    assert loaded.hr.flags.c_contiguous


@pytest.mark.parametrize("size", [(28, 16), (24, 20), (23, 16), (24, 15), (6, 4), (12, 8), (16, 24)])
def test_any_other_size_is_refused_with_both_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    image(tmp_path / "lr/a.png", 6, 4)
    image(tmp_path / "hr/a.png", *size)
    with pytest.raises(BadInput) as error:
        check_pairs(tmp_path / "lr", tmp_path / "hr")
    assert "6 x 4" in str(error.value) and f"{size[0]} x {size[1]}" in str(error.value)


def test_real_images_of_the_wrong_size(shared: Path) -> None:
    """The bicubic LR of the same two DIV2K images is as large as the noisy LR and one row taller."""
    images = shared / "assets/images"
    with pytest.raises(BadInput, match="no LR image"):
        check_pairs(images / "NTIRE2020_RWSR_track1_LR", images / "DIV2K_test_LR_bicubic_x4")


def test_real_images_one_row_taller(shared: Path, tmp_path: Path) -> None:
    images = shared / "assets/images"
    for role, folder in (("lr", "NTIRE2020_RWSR_track1_LR"), ("hr", "DIV2K_test_LR_bicubic_x4")):
        (tmp_path / role).mkdir()
        (tmp_path / role / "0905.png").write_bytes((images / folder / "0905.png").read_bytes())
    with pytest.raises(BadInput, match=r"510 x 339.*510 x 338"):
        check_pairs(tmp_path / "lr", tmp_path / "hr")


def test_a_broken_file_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    for name in ("a", "b"):
        image(tmp_path / f"lr/{name}.png", 6, 4)
        image(tmp_path / f"hr/{name}.png", 24, 16)
    (tmp_path / "hr/b.png").write_bytes((tmp_path / "hr/b.png").read_bytes()[:-20])
    with pytest.raises(BadInput, match=r"hr.b\.png is damaged"):
        check_pairs(tmp_path / "lr", tmp_path / "hr")


def test_set5(shared: Path) -> None:
    root = shared / "assets/images/Set5"
    data_set = user_pairs(root / "LR_bicubic/X4", root / "HR")
    assert data_set.ids == ("baby", "bird", "butterfly", "head", "woman")
    assert (data_set.kind, data_set.domain) == ("paired", "unknown")
    for image_id in data_set.ids:
        loaded = data_set.load(image_id)
        assert loaded.lr.shape[:2] == data_set.lr_size(image_id)
        assert loaded.hr is not None
        assert loaded.hr.shape == (4 * loaded.lr.shape[0], 4 * loaded.lr.shape[1], 3)
        # Not only the size fits: block means of the HR are the LR to a few levels.
        means = loaded.hr.reshape(loaded.lr.shape[0], 4, loaded.lr.shape[1], 4, 3).mean((1, 3))
        assert np.abs(means - loaded.lr).mean() < 4


def test_bsd100_lies_in_one_folder(shared: Path) -> None:
    folder = shared / "assets/images/BSD100"
    pairs = match_pairs(folder, folder)
    assert list(pairs) == [f"img_{i:03}" for i in range(1, 101)]
    for key, (lr, hr) in pairs.items():
        assert (lr.name, hr.name) == (f"{key}_SRF_4_LR.png", f"{key}_SRF_4_HR.png")


def test_real_photographs_without_ground_truth(shared: Path) -> None:
    data_set = user_folder(shared / "assets/images/RealSRSet")
    assert (len(data_set), data_set.kind) == (25, "no-reference")
    for image_id in ("0014", "oldphoto2"):
        loaded = data_set.load(image_id)
        assert loaded.hr is None
        assert loaded.lr.shape[:2] == data_set.lr_size(image_id)


def test_content_hash_sees_content_and_ids_only(tmp_path: Path) -> None:
    def data_set(where: str, lr_name: str = "ax4.png", shade: int = 9) -> str:
        image(tmp_path / where / "lr" / lr_name, 6, 4)
        image(tmp_path / where / "hr" / "a.png", 24, 16, shade)
        return user_pairs(tmp_path / where / "lr", tmp_path / where / "hr").content_hash

    assert data_set("one") == data_set("two", lr_name="a_LR.png")
    assert data_set("one") != data_set("three", shade=8)


def test_own_sets_of_one_folder_name_have_different_names(tmp_path: Path) -> None:
    for where, shade in (("one", 1), ("two", 2)):
        image(tmp_path / where / "HR/a.png", 8, 8, shade)
    one, two = (user_folder(tmp_path / where / "HR") for where in ("one", "two"))
    assert one.name.startswith("one-HR@") and two.name.startswith("two-HR@")
    assert one.name != two.name


def test_a_file_that_changes_after_the_check_is_not_measured(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    data_set = user_folder(tmp_path)
    image(tmp_path / "a.png", shade=77)
    (tmp_path / "b.png").unlink()
    with pytest.raises(RunFailed, match=r"a\.png changed"):
        data_set.load("a")
    with pytest.raises(RunFailed, match=r"b\.png can no longer be read"):
        data_set.load("b")
    with pytest.raises(KeyError):
        data_set.load("c")


def test_two_files_of_one_stem_in_a_folder(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "a.bmp")
    with pytest.raises(BadInput, match=r"a\.bmp and a\.png"):
        check_folder(tmp_path)
