"""Whole processes over one trail file, interleaved: bedrock-audit against what else reads CloudTrail on a disk.

Each command finds Bedrock's records, or at least unpacks the file. CPU time is the process's own with all that it starts, as the
kernel counts it; so is the largest resident memory. Ratios count; times depend on the machine. Writes the chart of docs/speed.md
with --chart. Knows nothing of how bedrock-audit works.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ORJSON = """
import gzip, orjson, sys
records = orjson.loads(gzip.open(sys.argv[1]).read())["Records"]
print(sum(record["eventSource"].startswith("bedrock") for record in records))
"""
JSON = ORJSON.replace("orjson", "json")
DUCKDB = """
import duckdb, sys
duckdb.execute("SET threads = 1")
print(duckdb.execute(
    "SELECT count(*) FROM (SELECT unnest(Records) AS record FROM read_json(?, maximum_object_size=1000000000,"
    " columns={Records: 'JSON[]'})) WHERE record->>'eventSource' LIKE 'bedrock%'", [sys.argv[1]]).fetchone()[0])
"""
JQ = """zcat "$1" | jq -c '.Records[] | select(.eventSource | startswith("bedrock"))'"""


def commands(binary: str, file: str) -> dict[str, list[str]]:
    """By name; only those that are installed here."""
    python = sys.executable
    known = {
        "bedrock-audit scan": [binary, "scan", file],
        "igzip -dc": ["igzip", "-dc", file],
        "zcat": ["zcat", file],
        "zcat | jq": ["sh", "-c", JQ, "sh", file],
        "Python, orjson": [python, "-c", ORJSON, file],
        "Python, json": [python, "-c", JSON, file],
        "DuckDB": [python, "-c", DUCKDB, file],
    }
    needs = {"zcat | jq": "jq"}
    return {name: command for name, command in known.items() if shutil.which(needs.get(name, command[0]))}


def run(command: list[str]) -> tuple[float, float]:
    """CPU time in seconds and resident memory in MiB."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    # scan ends with 1 where it found something.
    if process.returncode not in (0, 1):
        sys.exit(f"{command[:2]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(binary: str, file: Path, rounds: int) -> list[tuple[str, float, float]]:
    """Median CPU time and largest memory of each command, every command once a round."""
    todo = commands(binary, str(file))
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in todo}
    for _ in range(rounds):
        for name, command in todo.items():
            seen[name].append(run(command))
    return [
        (name, statistics.median(cpu for cpu, _ in runs), max(memory for _, memory in runs)) for name, runs in seen.items()
    ]


def chart(rows: list[tuple[str, float, float]], ours: float, title: str) -> str:
    """Bars on a logarithmic scale, as SVG."""
    import math

    height, left, width = 28, 170, 460
    most = math.log10(max(cpu for _, cpu, _ in rows) / ours) or 1
    least = min(0.0, math.log10(min(cpu for _, cpu, _ in rows) / ours))
    bars = []
    for line, (name, cpu, memory) in enumerate(sorted(rows, key=lambda row: row[1])):
        length = 12 + width * 0.72 * (math.log10(cpu / ours) - least) / (most - least)
        y = 44 + line * height
        colour = "#1a7f5a" if name.startswith("bedrock-audit") else "#8a94a6"
        bars.append(
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect x="{left}" y="{y}" width="{length:.0f}" height="18" rx="2" fill="{colour}"/>'
            f'<text x="{left + length + 6:.0f}" y="{y + 14}">{cpu / ours:.1f} × · {memory:.0f} MiB</text>'
        )
    total = 56 + len(rows) * height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width} {total}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#ffffff"/><text x="12" y="24" font-weight="bold">{title}</text>'
        f"{''.join(bars)}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="bedrock-audit")
    parser.add_argument("--files", required=True, type=Path, help="the folder of the generated files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chart", type=Path, help="where the chart goes")
    arguments = parser.parse_args()
    for name in ("typical-10", "large-10"):
        rows = measure(arguments.binary, arguments.files / f"{name}.json.gz", arguments.rounds)
        ours = next(cpu for command, cpu, _ in rows if command.startswith("bedrock-audit"))
        print(f"\n| {name} | CPU, as a multiple of ours | CPU | peak memory |\n|---|---|---|---|")
        for command, cpu, memory in sorted(rows, key=lambda row: row[1]):
            print(f"| {command} | {cpu / ours:.1f} | {cpu * 1000:.0f} ms | {memory:.0f} MiB |")
        if name == "large-10" and arguments.chart:
            title = "CPU time for a trail file of 50 MB, one record in ten Bedrock's"
            arguments.chart.write_text(chart(rows, ours, title), encoding="utf-8")


if __name__ == "__main__":
    main()
