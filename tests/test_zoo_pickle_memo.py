"""What a pickle takes from its memo is what Python's own unpickler would take, wherever it was put.

A look-through that numbers the memo otherwise sees harmless names where the unpickler finds others.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from srbench.zoo.pickles import UnwantedError, check_pickle


def text(word: str) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word.encode()


GLOBAL = b"\x93"
# Put what is on top of the stack at a place of the memo, and drop it; get it back.
PUTS: dict[str, Callable[[int], bytes]] = {
    "PUT": lambda place: f"p{place}\n".encode(),
    "BINPUT": lambda place: b"q" + bytes([place]),
    "LONG_BINPUT": lambda place: b"r" + place.to_bytes(4, "little"),
}
GETS: dict[str, Callable[[int], bytes]] = {
    "GET": lambda place: f"g{place}\n".encode(),
    "BINGET": lambda place: b"h" + bytes([place]),
    "LONG_BINGET": lambda place: b"j" + place.to_bytes(4, "little"),
}


class Finding(pickle.Unpickler):
    """Python's unpickler, which imports nothing and remembers what it was asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.found: list[str] = []

    def find_class(self, module: str, name: str) -> Any:
        self.found.append(f"{module}.{name}")
        return dict


def found_by_python(data: bytes) -> list[str]:
    unpickler = Finding(data)
    unpickler.load()
    return unpickler.found


@pytest.mark.parametrize("get", GETS)
@pytest.mark.parametrize("put", PUTS)
@pytest.mark.parametrize(("harmful", "harmless"), [(5, 0), (1, 0), (0, 1), (0, 7)])
def test_a_name_is_looked_for_where_it_was_put(put: str, get: str, harmful: int, harmless: int) -> None:
    words = text("collections") + PUTS[put](harmless) + b"0" + text("os") + PUTS[put](harmful) + b"0"
    for place, module in ((harmful, "os"), (harmless, "collections")):
        data = b"\x80\x04" + words + GETS[get](place) + text("OrderedDict") + GLOBAL + b"."
        assert found_by_python(data) == [f"{module}.OrderedDict"]
        if module == "os":
            with pytest.raises(UnwantedError, match=r"os\.OrderedDict"):
                check_pickle(data)
        else:
            check_pickle(data)


def test_what_is_memoized_goes_to_the_next_place_and_a_second_put_replaces_the_first() -> None:
    first = text("collections") + b"\x94" + b"0" + text("os") + b"\x94" + b"0"
    second = text("collections") + b"q\x03" + b"0" + text("os") + b"q\x03" + b"0"
    for words, place in ((first, 1), (second, 3)):
        data = b"\x80\x04" + words + GETS["BINGET"](place) + text("system") + GLOBAL + b"."
        assert found_by_python(data) == ["os.system"]
        with pytest.raises(UnwantedError, match=r"os\.system"):
            check_pickle(data)
