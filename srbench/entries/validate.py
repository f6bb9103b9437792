"""Check everything there is to check about an entry's file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from srbench.entries.checks import check_entry
from srbench.entries.draw import IMAGES, draw_images
from srbench.entries.local import compare_with_machine
from srbench.entries.read import read_entry
from srbench.entries.rerun import rerun
from srbench.entries.schema import Entry


@dataclass
class Validation:
    """Hold what a validation says of an entry.

    Attributes:
        entry: as read; None where its form is wrong.
        problems: violations, a line each; none for a valid entry.
        notes: what a reader should know: what it lacks, what was not checked, what the re-run showed.
    """

    entry: Entry | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """Return the outcome in a few words."""
        if self.problems:
            return f"not valid, violations: {len(self.problems)}"
        return "valid, but partial" if self.entry and self.entry.partial else "valid"


def validate(
    file: Path,
    *,
    again: int = IMAGES,
    seed: int | None = None,
    model: str | None = None,
    device: str = "auto",
    started: Callable[[str], None] = lambda text: None,
) -> Validation:
    """Check an entry: its form, what its numbers say of each other, this machine, and a few images anew.

    Args:
        again: so many images of every data set are measured again, all where it has no more; 0 for none.
        seed: what they are drawn with; None draws anew, so that no entry can be made to fit the draw.
        model: the model as for ``srbench evaluate --models``, where the zoo's of the entry's name is not
            meant. Names in an entry are never imported or opened as files.
        started: called with what is being measured.

    Raises:
        BadInput: no such file, no entry at all, or a ``model`` that cannot be used.
    """
    entry, records, problems = read_entry(file)
    report = Validation(entry, problems)
    if entry is None or len(records) < sum(len(cell.images) for cell in entry.cells):
        return _printable(report)
    report.problems += check_entry(entry, records)
    local = compare_with_machine(entry, records, model)
    report.problems += local.problems
    report.notes += [f"partial: {line}" for line in entry.partial] + local.notes
    if again and not report.problems:
        findings = rerun(records, local, draw_images(records, again, seed), device, started)
        report.problems += findings.problems
        report.notes += findings.notes
        if findings.records:
            report.notes.append(str(findings))
    return _printable(report)


def _printable(report: Validation) -> Validation:
    """Replace what may move the cursor of a terminal in the lines, which quote what a stranger wrote."""

    def clean(line: str) -> str:
        return "".join(letter if letter.isprintable() else "�" for letter in line)

    report.problems = list(dict.fromkeys(clean(line) for line in report.problems))
    report.notes = list(dict.fromkeys(clean(line) for line in report.notes))
    return report
