"""What rows of a leaderboard cost: CPU seconds of its page over rows x log(rows), with 100 and with 400 rows.

The records are those of a stored board, of one model, copied under other names with each value moved by up to
a tenth: rows that no interval tells apart, which are those that cost most.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BOARD = Path(__file__).parents[1] / "leaderboards/published/mini2/records.csv"
METRICS = ("psnr", "ssim", "lpips", "niqe", "piqe")


def write(rows: int, images: int, file: Path) -> None:
    """Write the records of so many models on the first images of one set."""
    draw = random.Random(0)
    with (
        BOARD.open(newline="", encoding="utf-8") as source,
        file.open("w", newline="", encoding="utf-8") as out,
    ):
        stored = [row for row in csv.DictReader(source) if row["dataset"] == "clean-mini2"]
        copied = [row for row in stored if row["model"] == stored[0]["model"]][:images]
        writer = csv.DictWriter(out, fieldnames=list(copied[0]))
        writer.writeheader()
        for model in range(rows):
            digest = hashlib.sha256(str(model).encode()).hexdigest()
            for row in copied:
                moved = {name: float(row[name]) * draw.uniform(0.9, 1.1) for name in METRICS}
                writer.writerow(row | moved | {"model": f"model-{model}", "weights_sha256": digest})


def seconds(rows: int, images: int) -> float:
    """Return the CPU seconds of the command that writes the page."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder, "records.csv")
        write(rows, images, records)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "srbench", "leaderboard", "--records", str(records)]
        done = subprocess.run(
            [*command, "--html", f"{folder}/page"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    bound = 4 * math.log(400) / math.log(100)
    print(f"| images a row | 400 rows / 100 rows ({bound:.1f} is rows x log rows) |\n|---:|---|")
    for images in (3, 20):
        found = [seconds(400, images) / seconds(100, images) for _ in range(asked.rounds)]
        print(
            f"| {images} | {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
