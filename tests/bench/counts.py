"""Counts the instructions that a record costs and holds them against the committed figures: time depends on the machine and on
who else uses it, instructions do not. A figure that rises by more than 5 % fails until it is changed here, on purpose.

Needs valgrind; without it nothing is counted, and that is said. Knows nothing of what is counted.
"""

import argparse
import platform
import re
import shutil
import subprocess
import sys

# For each way and file: instructions a record, on x86-64.
COUNTS = {
    ("no rules", "typical-1"): 20239,
    ("built-in rules", "typical-0"): 19307,
    ("built-in rules", "typical-1"): 22117,
    ("built-in rules", "typical-100"): 41799,
    ("100 rules", "typical-100"): 33235,
}
MOST_MORE = 1.05


def instructions(bench: str, times: int, way: str, file: str) -> int:
    """Of a whole process that goes over the file so many times."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", bench, "repeat", str(times), way, file]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return int(re.search(r"Collected : (\d+)", said)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True, help="the program that is counted")
    bench = parser.parse_args().bench
    if not shutil.which("valgrind") or platform.machine() != "x86_64":
        print("instructions: NOT COUNTED, because that needs valgrind on x86-64")
        return
    risen = False
    for (way, file), committed in COUNTS.items():
        times = 4
        records = 500 * times
        # Of a warm function: the first time over a file, the rules that it meets are compiled.
        counted = (instructions(bench, 1 + times, way, file) - instructions(bench, 1, way, file)) / records
        verdict = "ok"
        if counted > committed * MOST_MORE:
            risen, verdict = True, f"RISEN from {committed}"
        elif counted * MOST_MORE < committed:
            verdict = f"less than {committed}: write the new figure into {__file__.rsplit('/', 1)[-1]}"
        print(f"{way}, {file}: {counted:.0f} instructions a record, {verdict}")
    if risen:
        sys.exit("reading has become slower; if that is meant, change the figure")


if __name__ == "__main__":
    main()
