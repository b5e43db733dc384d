"""Export with a process that is killed at some moment: python killed_at_random.py FOLDER VERB HOW SEED KILLS

The moments are spread over the time that a whole run takes. It prints for each kill the state that is left and what
the next run made of it; a run that may be resumed is killed again and again before, some ten times.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.sinks.straced import States, export, in_child

GOES_ON = 0.9


def killed_after(seconds: float, folder: Path, verb: str, how: str) -> bool:
    """Export in a process of its own that lives no longer; tell whether it was killed."""
    child = os.fork()
    if child == 0:
        export(folder, verb, how)
        os._exit(0)
    ended = select.poll()
    descriptor = os.pidfd_open(child)
    ended.register(descriptor, select.POLLIN)
    if not ended.poll(seconds * 1000):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(base: Path, verb: str, how: str, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    states = States(base, verb, how)
    folder = base / "step"
    shutil.copytree(states.prepared, folder)
    started = time.perf_counter()
    in_child(lambda: export(folder, verb, how))
    whole_s = time.perf_counter() - started
    shutil.rmtree(folder)
    while kills:
        if not folder.exists():
            shutil.copytree(states.prepared, folder)
        killed = killed_after(chance.uniform(0, whole_s), folder, verb, how)
        kills -= killed
        seen = states.seen(folder)
        if killed and kills and seen == "old" and how.startswith("resumed") and chance.random() < GOES_ON:
            print(seen, "killed", "killed again", sep=", ", flush=True)  # noqa: T201
            continue
        print(seen, "killed" if killed else "done", *states.next_run(folder), sep=", ", flush=True)  # noqa: T201
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
