"""The form of a stored record: one line of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from srbench.errors import BadInput
from srbench.store.record import Record, refusal


def to_line(record: Record) -> bytes:
    """Write a record as the line that is stored."""
    return record.model_dump_json().encode() + b"\n"


def parse_lines(lines: Iterable[bytes], where: str) -> Iterator[Record]:
    """Read records from lines.

    Args:
        where: the file or part they are from, for the error.

    Raises:
        BadInput: a damaged line, or one that cannot have been measured, such as a NaN for a PSNR.
    """
    for number, text in enumerate(lines, start=1):
        try:
            yield Record.model_validate_json(text)
        except ValidationError as error:
            raise BadInput(
                f"{where} line {number} is not a record ({refusal(error)}): delete the line "
                "(its image is measured again)"
            ) from error
