"""Find what a pickle would do to whoever loads it, by listing its opcodes and running none of them.

torch's ``weights_only`` decides what may run. This looks earlier and closer: a few hundred bytes of what
torch allows can ask for any amount of memory or time (``bytearray(2**40)``, tuples that hold each other
twice, thirty deep, for a key), and a million nested tuples end the process.
"""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_CALLED = frozenset(
    (
        "collections.OrderedDict",
        "collections.Counter",  # the milestones of a scheduler
        "_codecs.encode",
        "builtins.set",
        "builtins.complex",
        "torch.Size",
        "torch.device",
        "torch.serialization._get_layout",
        "torch.nn.parameter.Parameter",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
    )
)
"""The pickle of a state dict, or of a training around it, calls nothing but these."""

_DTYPE = "numpy.dtype"
_SCALARS = frozenset(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"))
"""Makes a scalar of numpy, such as an epoch or a score beside the weights; as numpy 1 and numpy 2 call it."""
_NUMBER = re.compile("b1|[iu][1248]|f[248]|c8|c16")
"""The dtypes of scalars that are plain numbers: no object, no text, no structure."""

_RENAMED = {"__builtin__": "builtins"}  # as Python 2 wrote it
# A training of a thousand tensors, optimizer included, makes 30,000 things of ten levels.
_DEEPEST = 100
_MOST = 300_000
_LARGEST = 10_000_000
# The layout older than zip is five pickles in a row, then the numbers.
_PICKLES = 5


class UnwantedError(Exception):
    """Says that the pickle is no state dict's; the message names what it wants."""


class BombError(Exception):
    """Says that the pickle is small and what it stands for is not."""


@dataclass(eq=False, slots=True)
class _Thing:
    """Stands for what would be imported, called or filled: its name, what it would hold; size 0: unknown.

    What a call returns goes by the name of what was called, and ``()``.
    """

    name: str = ""
    parts: list[Any] = field(default_factory=list)
    size: int = 0
    depth: int = 0


def check_pickle(data: bytes) -> bool:
    """Look a pickle through, or the five pickles at the start of a file of the older layout.

    Whatever is damaged or unknown ends the search without a word: loading it will say so.

    Returns:
        Whether there are scalars of numpy in it, which torch reads only where it is told to.

    Raises:
        UnwantedError: it would import or call something that no state dict needs.
        BombError: it makes hundreds of thousands of things, or one of ten million parts or a hundred levels.
    """
    stream = io.BytesIO(data)
    scalars = False
    for _ in range(_PICKLES):
        machine = _Machine()
        try:
            for operation, argument, _ in pickletools.genops(stream):
                machine.step(operation.name, argument)
        except (ValueError, IndexError, KeyError, AttributeError, TypeError):
            break
        finally:
            _measure(machine.things)
            scalars = scalars or any(thing.name in _SCALARS for thing in machine.things)
    return scalars


class _Machine:
    """Runs the stack machine of a pickle, with stand-ins for everything that is not a plain value.

    Attributes:
        things: every stand-in made.
    """

    def __init__(self) -> None:
        self.things: list[_Thing] = []
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follow one opcode; ValueError for one that torch does not know either."""
        if name in _LAST:
            self._make("", self._last(_LAST[name]))
        elif name in _SINCE_MARK:
            self._make("", self._since_mark())
        elif name in _EMPTY:
            self._make()
        elif name in _MEMO:
            _MEMO[name](self._memo, self._stack, argument)
        elif name in _FILLS:
            parts = self._last(_FILLS[name]) if _FILLS[name] else self._since_mark()
            if self._stack[-1].name == f"{_DTYPE}()":
                _check_dtype_state(*parts)
            self._stack[-1].parts.extend(parts)
        elif name in _UNKNOWN:
            raise ValueError(name)
        elif name not in _NOTHING:
            self._other(name, argument)

    def _other(self, name: str, argument: Any) -> None:
        if name in ("GLOBAL", "INST"):
            self._make(_allowed(*str(argument).split(" ", 1)))
        elif name == "STACK_GLOBAL":
            self._make(_allowed(*map(str, self._last(2))))
        elif name in ("REDUCE", "NEWOBJ"):
            called, arguments = self._last(2)
            _check_call(called, arguments)
            self._make(f"{called.name}()", [arguments])
        elif name == "MARK":
            self._marks.append(self._stack)
            self._stack = []
        elif name == "POP":
            self._stack.pop()
        elif name == "POP_MARK":
            self._since_mark()
        elif name in ("NEWTRUE", "NEWFALSE"):
            self._stack.append(name == "NEWTRUE")
        else:
            self._stack.append(argument)

    def _make(self, name: str = "", parts: list[Any] | None = None) -> None:
        thing = _Thing(name, parts or [])
        # What is filled later can only be deeper than this.
        thing.depth = 1 + max((part.depth for part in thing.parts if isinstance(part, _Thing)), default=0)
        if len(self.things) >= _MOST or thing.depth > _DEEPEST:
            raise BombError
        self.things.append(thing)
        self._stack.append(thing)

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError(count)
        items = self._stack[-count:]
        del self._stack[-count:]
        return items


def _put(memo: dict[int, Any], stack: list[Any], place: int | None) -> None:
    memo[len(memo) if place is None else place] = stack[-1]


def _get(memo: dict[int, Any], stack: list[Any], place: int) -> None:
    stack.append(memo[place])


# The opcodes, by what they do to the stack; the rest push a plain value.
_LAST = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "BINPERSID": 1}
_SINCE_MARK = frozenset(("TUPLE", "LIST", "DICT", "FROZENSET"))
_EMPTY = frozenset(("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "EMPTY_TUPLE"))
_FILLS = {"BUILD": 1, "APPEND": 1, "SETITEM": 2, "APPENDS": 0, "SETITEMS": 0, "ADDITEMS": 0}
_MEMO: dict[str, Callable[[dict[int, Any], list[Any], Any], None]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
}
_UNKNOWN = frozenset(("NEWOBJ_EX", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "DUP"))
_NOTHING = frozenset(("PROTO", "FRAME", "STOP"))


def _allowed(module: str, name: str) -> str:
    full = f"{_RENAMED.get(module, module)}.{name}"
    if (
        full in _CALLED
        or full in _SCALARS
        or full == _DTYPE
        or (module in ("torch", "torch.storage") and _is_kind(name))
    ):
        return full
    raise UnwantedError(full)


def _is_kind(name: str) -> bool:
    """Tell whether it is a dtype or a kind of storage: named beside every tensor, never called."""
    import torch

    return isinstance(getattr(torch, name, None), torch.dtype) or name.endswith("Storage")


def _check_call(called: Any, arguments: Any) -> None:
    name = called.name if isinstance(called, _Thing) else ""
    parts = arguments.parts if isinstance(arguments, _Thing) else []
    if name in _SCALARS or name == _DTYPE:
        if not (_is_scalar(parts) if name in _SCALARS else _is_number(parts)):
            raise UnwantedError(name)
    elif name not in _CALLED:
        raise UnwantedError(name or "what is no function")
    # Some codecs take quadratic time; bytes are written as latin1.
    elif name == "_codecs.encode" and parts[1:] != ["latin1"]:
        raise UnwantedError(name)


def _is_number(parts: list[Any]) -> bool:
    """Tell whether numpy makes the dtype of a number of these arguments, and a copy of its own."""
    return (
        len(parts) == 3
        and isinstance(parts[0], str)
        and _NUMBER.fullmatch(parts[0]) is not None
        and parts[1:] == [False, True]
    )


def _is_scalar(parts: list[Any]) -> bool:
    """Tell whether these are a number's dtype and its bytes."""
    if len(parts) != 2 or not isinstance(parts[0], _Thing) or parts[0].name != f"{_DTYPE}()":
        return False
    value = parts[1]
    return isinstance(value, bytes) or (isinstance(value, _Thing) and value.name == "_codecs.encode()")


def _check_dtype_state(state: Any = None, *more: Any) -> None:
    """Raise UnwantedError where a dtype would be given anything but an order of bytes."""
    parts = state.parts if isinstance(state, _Thing) else []
    plain = len(parts) == 8 and isinstance(parts[1], str) and parts[1] in ("<", ">", "|", "=")
    if more or not plain or [parts[0], *parts[2:]] != [3, None, None, None, -1, -1, 0]:
        raise UnwantedError(_DTYPE)


def _measure(things: list[_Thing]) -> None:
    """Raise BombError where one of the things would be too large or too deep, written out."""
    begun: set[int] = set()
    for root in things:
        pending = [root]
        while pending:
            thing = pending[-1]
            inner = [part for part in thing.parts if isinstance(part, _Thing)]
            if not thing.size and id(thing) not in begun:
                begun.add(id(thing))
                pending += [part for part in inner if not part.size and id(part) not in begun]
                continue
            pending.pop()
            if thing.size:
                continue
            # A part without size by now is one that this thing is in: it holds itself, and ends there.
            thing.size = 1 + len(thing.parts) - len(inner) + sum(part.size for part in inner)
            thing.depth = 1 + max((part.depth for part in inner), default=0)
            if thing.size > _LARGEST or thing.depth > _DEEPEST:
                raise BombError
