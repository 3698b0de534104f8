"""Counts the instructions that a record costs and holds them against the committed ones: time depends on the machine and on who
else uses it, instructions do not. A count that rises by more than 5 % fails until counts.json is changed, on purpose.

They are counted under valgrind, whose processor is always the same one wherever the real one has AVX2. With one compiler they
move by half a percent from machine to machine, and from run to run, since tables are hashed with random numbers. With another
compiler a rise may be nobody's fault: it is told, and does not fail. Where nothing can be counted, that is said, and why.

Knows nothing of what is counted.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMMITTED = Path(__file__).with_name("counts.json")
# A package of Debian's or Ubuntu's, unpacked: installing one takes root.
UNPACKED = Path(__file__).parents[2] / ".tools" / "valgrind"
MOST_MORE = 1.05
# Of a warm function: the first time over a file, the rules that it meets are compiled.
TIMES = 8
RECORDS = 500


class NotCounted(Exception):
    """Why nothing can be counted here."""


def verdict(counted: float, committed: int, same_compiler: bool) -> tuple[str, bool]:
    """What to say of a count, and whether it fails."""
    if counted > committed * MOST_MORE:
        return f"RISEN from {committed}" + ("" if same_compiler else ", perhaps by the compiler"), same_compiler
    if counted * MOST_MORE < committed:
        return f"less than {committed}: commit it (make bench-count WRITE=yes)", False
    return "ok", False


def compiler(program: str) -> str:
    """The version of rustc that built a program, which writes it there."""
    found = re.search(rb"rustc version ([^\0]+)", Path(program).read_bytes())
    if not found:
        sys.exit(f"{program} does not say which compiler built it")
    return found[1].decode()


def valgrind() -> tuple[str, dict[str, str]]:
    """The program, and the environment that it needs. Nothing of ours goes along, which could change what is counted."""
    if platform.machine() != "x86_64" or "avx2" not in Path("/proc/cpuinfo").read_text().split():
        raise NotCounted("the counts are of x86-64 with AVX2, and this machine is another")
    environment = {"PATH": os.defpath}
    program = shutil.which("valgrind")
    if not program:
        program, environment["VALGRIND_LIB"] = unpacked()
    tried = subprocess.run([program, "--tool=callgrind", "--callgrind-out-file=/dev/null", "true"], env=environment,
                           capture_output=True, text=True)
    if tried.returncode:
        raise NotCounted(f"valgrind does not work here: {tried.stderr.strip()}")
    return program, environment


def unpacked() -> tuple[str, str]:
    """The program and its folder, from a package that is fetched if it is not there yet."""
    tool = "usr/lib*/**/valgrind/callgrind-amd64-linux"
    if not any(UNPACKED.glob(tool)):
        UNPACKED.mkdir(parents=True, exist_ok=True)
        try:
            run = {"cwd": UNPACKED, "check": True, "capture_output": True, "text": True}
            subprocess.run(["apt-get", "download", "valgrind"], **run)
            subprocess.run(["dpkg", "--extract", *map(str, UNPACKED.glob("*.deb")), str(UNPACKED)], **run)
        except (OSError, subprocess.CalledProcessError) as error:
            why = (getattr(error, "stderr", None) or str(error)).strip()
            raise NotCounted(f"valgrind is not installed, and could not be fetched: {why}") from error
    # Beside it lies a script of Debian's, which looks for the program where root would have installed it.
    return str(UNPACKED / "usr/bin/valgrind.bin"), str(next(UNPACKED.glob(tool)).parent)


def count(bench: str, ways: list[tuple[str, str]]) -> list[float]:
    """For each way and file, the instructions a record."""
    program, environment = valgrind()

    def instructions(run: tuple[str, str, int]) -> int:
        way, file, times = run
        command = [program, "--tool=callgrind", "--callgrind-out-file=/dev/null", bench, "repeat", str(times), way, file]
        said = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if said.returncode:
            sys.exit(f"{' '.join(command)} ended with {said.returncode}:\n{said.stderr}")
        return int(re.search(r"Collected : (\d+)", said.stderr)[1])

    # What starting costs is in both and falls out.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        more = pool.map(instructions, [(way, file, 1 + TIMES) for way, file in ways])
        once = pool.map(instructions, [(way, file, 1) for way, file in ways])
        return [(more - once) / (TIMES * RECORDS) for more, once in zip(more, once)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True, help="the program that is counted")
    parser.add_argument("--write", action="store_true", help="take over what is counted")
    arguments = parser.parse_args()
    committed = json.loads(COMMITTED.read_text())
    figures = {(way, file): figure for way, files in committed["instructions"].items() for file, figure in files.items()}
    rustc = compiler(arguments.bench)
    same_compiler = rustc == committed["rustc"]
    try:
        counts = count(arguments.bench, list(figures))
    except NotCounted as why:
        # Whoever wants to write them has to know that nothing was written.
        print(f"instructions: NOT COUNTED, because {why}")
        sys.exit(1 if arguments.write else 0)
    if not same_compiler and not arguments.write:
        print(f"instructions: NOT HELD against {COMMITTED.name}, which is of rustc {committed['rustc']}, and this of {rustc}")
    failed = False
    for ((way, file), figure), counted in zip(figures.items(), counts):
        says, fails = ("written", False) if arguments.write else verdict(counted, figure, same_compiler)
        failed |= fails
        print(f"{way}, {file}: {counted:.0f} instructions a record, {says}")
        committed["instructions"][way][file] = round(counted)
    if arguments.write:
        COMMITTED.write_text(json.dumps({**committed, "rustc": rustc}, indent=2) + "\n")
    if failed:
        sys.exit("reading has become slower; if that is meant, commit the new counts (make bench-count WRITE=yes)")


if __name__ == "__main__":
    main()
