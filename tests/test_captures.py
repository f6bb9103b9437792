"""The page of what commands print is what they print; on it no number is cut and no name is split."""

from __future__ import annotations

import math
import re
from functools import cache

import pytest
from captures import COMMANDS, MEASURING, PAGE, READING, TEXT, WIDTHS, capture

WIDE = 1000
KINDS = [pytest.param(title, marks=pytest.mark.slow) if title in MEASURING else title for title in COMMANDS]


@cache
def page() -> dict[tuple[str, int], str]:
    """The captures of the page by title and width."""
    pattern = r"^### ([^\n]+), (\d+) columns\n\n```text\n\$ ([^\n]+)\n(.*?)\n```$"
    found = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert {title: command for title, _, command, _ in found} == COMMANDS
    return {(title, int(width)): printed for title, width, _, printed in found}


def same(shown: str, now: str) -> bool:
    """Whether two words are equal, or numbers of as many digits that differ in the last by two at most."""
    if shown == now:
        return True
    number = r"([-(]*)(\d+\.\d+)(.*)"
    one, other = re.fullmatch(number, shown), re.fullmatch(number, now)
    if not (one and other and len(shown) == len(now) and one[1] == other[1] and one[3] == other[3]):
        return False
    digits = len(one[2].partition(".")[2])
    return math.isclose(float(one[2]), float(other[2]), abs_tol=2.01 * 10**-digits)


def test_the_page_has_every_command_at_both_widths() -> None:
    assert set(page()) == {(title, width) for title in COMMANDS for width in WIDTHS}
    assert PAGE.read_text().startswith(TEXT)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("title", KINDS)
def test_commands_print_what_the_page_shows(title: str, width: int) -> None:
    shown, now = page()[title, width].splitlines(), capture(COMMANDS[title], width).splitlines()
    assert len(shown) == len(now), "python tests/captures.py makes the page anew"
    for before, after in zip(shown, now, strict=True):
        if before != after:
            pairs = list(zip(re.split(r"(\s+)", before), re.split(r"(\s+)", after), strict=True))
            assert all(same(*pair) for pair in pairs), "python tests/captures.py makes the page anew"


@pytest.mark.parametrize("title", KINDS)
def test_no_number_is_cut_and_no_name_is_split(title: str) -> None:
    """Every word of a narrow terminal is one of a terminal where everything has room."""
    whole = set(words(capture(COMMANDS[title], WIDE)))
    assert len(whole) > 40
    for width in WIDTHS:
        shown = page()[title, width]
        assert set(words(shown)) - whole - NOTE == set(), width
        assert max(map(len, shown.splitlines())) <= width
        assert not re.search(r"\d(…|\.\.\.)", shown)


NOTE = {"No", "room", "for", "the", "Also", "measured", "(--json", "(--full", "prints", "all)", "interval"}


def words(text: str) -> list[str]:
    """The words of a capture, but for lines, frames and the dots after a sentence."""
    return [word.strip(".,:") for word in re.sub(r"[│╭╮╰╯─]", " ", text).split()]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("0.2288", "0.2289", True),
        ("0.2288", "0.2291", False),
        ("21.99", "22.01", True),
        ("-0.0969", "-0.0970", True),
        ("-0.0969", "0.0969", False),
        ("0.22", "0.2288", False),
        ("rsr-mini", "rsr", False),
        ("(0.12", "(0.13", True),
    ],
)
def test_numbers_may_differ_in_their_last_digit(one: str, other: str, alike: bool) -> None:
    assert same(one, other) is alike


def test_the_machine_is_not_on_the_page() -> None:
    import torch

    for width in WIDTHS:
        shown = page()["Doctor", width]
        assert torch.__version__ not in shown and shown.count("(yours)") > 8
        assert "  lpips                    srbench metrics install lpips\n" in shown
    assert set(READING) == set(COMMANDS) - set(MEASURING)
