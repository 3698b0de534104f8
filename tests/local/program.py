"""How the programs of this folder end, each in one of three ways, with its child processes ended in all of them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

INTERRUPTED = 130


class Failed(Exception):
    """What keeps a program from going on, in a sentence for whoever started it."""


def run(name: str, work: Callable[[], int | None]) -> int:
    """Does the work. Its exit status: what the work returns, 1 with a sentence on stderr where it failed, 130 for Ctrl-C."""
    # SIGTERM leaves through the same doors as Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return work() or 0
    except Failed as error:
        sys.stdout.flush()
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
