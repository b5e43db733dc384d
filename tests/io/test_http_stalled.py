"""A server that stalls holds up neither the end of the interpreter nor an interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from jupyter_client.manager import start_new_kernel

import streamframe as sf
from streamframe.testing import Request, never_answers, page, serve, stalls_after

CSV = b"a,b\n" + b"1,2\n" * 500_000

ABANDON = """
import sys
import streamframe as sf
batches = sf.read_csv(sys.argv[1]).iter_batches()
for batch in batches:
    if sys.argv[2] == "break":
        break
    print("reading", flush=True)
    if batches.stats().rows >= 100_000:
        sys.exit(0)
"""


def abandon(how: str) -> float:
    """Leave an iteration in a process of its own while its server stalls; return the seconds of its end."""
    with serve(stalls_after(1_000_000, CSV)) as url:
        command = [sys.executable, "-c", ABANDON, f"{url}/a.csv", how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            start = time.monotonic()
            _, err = process.communicate(timeout=30)
            assert (process.returncode, err) == (0, ""), err
            return time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize("how", ["break", "exit"])
def test_a_stalled_iteration_that_is_abandoned_lets_the_process_end(how):
    abandon(how)  # a hang would be killed after 30 s, and fail


@pytest.mark.soak
def test_twenty_stalled_iterations_that_are_abandoned_end_at_once():
    taken = [abandon(how) for how in ("break", "exit") * 10]
    print(f"\n20 of 20 ended with code 0 and an empty stderr; slowest {max(taken):.2f} s with its start")  # noqa: T201
    assert max(taken) < 2


def test_close_ends_a_run_whose_next_file_is_being_opened():
    """Nobody has that stream yet, so nobody can close it."""
    asked: list[Request] = []
    with serve(page(CSV)) as good, serve(never_answers, asked) as silent:
        with sf.read_csv([f"{good}/a.csv", f"{silent}/b.csv"]).iter_batches() as batches:
            next(batches)
            while not asked:
                pass
            start = time.monotonic()
        assert time.monotonic() - start < 2


def test_a_run_that_is_dropped_while_its_next_file_is_being_opened_ends():
    asked: list[Request] = []
    with serve(page(CSV)) as good, serve(never_answers, asked) as silent:
        batches = sf.read_csv([f"{good}/a.csv", f"{silent}/b.csv"]).iter_batches()
        next(batches)
        while not asked:
            pass
        del batches
        end = time.monotonic() + 2
        while any(thread.name == "streamframe-reader" for thread in threading.enumerate()):
            assert time.monotonic() < end


@pytest.mark.parametrize("handler", [never_answers, stalls_after(100, CSV)], ids=["opening", "first rows"])
def test_close_ends_a_next_that_opens_its_source(handler):
    """By another thread, such as that of a button."""
    asked: list[Request] = []
    with serve(handler, asked) as url, ThreadPoolExecutor(1) as beside:
        batches = sf.read_csv(f"{url}/a.csv").iter_batches()
        rows = beside.submit(list, batches)
        while not asked:
            pass
        start = time.monotonic()
        batches.close()
        assert rows.result(timeout=2) == []
        assert time.monotonic() - start < 2


READS = """
import sys
import polars  # lets the system restart what a signal interrupts
import streamframe as sf
"""
LOOP = """
for batch in sf.read_csv(sys.argv[1]).iter_batches():
    print("reading", flush=True)
"""
LOOK = """
print("reading", flush=True)
sf.read_csv(sys.argv[1]).head()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("code", "nbytes"), [(LOOP, 1_000_000), (LOOK, 100)], ids=["loop", "look"])
def test_an_interrupt_ends_what_is_stalled_also_where_polars_is_imported(code, nbytes):
    stalled = threading.Event()

    def stalls(request):
        request.head("200 OK", f"Content-Length: {len(CSV)}")
        request.send(CSV[:nbytes])
        # By then the client has taken what there is, and waits for more: an interrupt before that is easy to notice.
        request.wait(0.3)
        stalled.set()
        request.wait()

    with serve(stalls) as url:
        command = [sys.executable, "-c", READS + code, f"{url}/a.csv"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "reading\n"
            assert stalled.wait(10)
            process.send_signal(signal.SIGINT)
            start = time.monotonic()
            try:
                _, err = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert "KeyboardInterrupt" in err
    assert time.monotonic() - start < 5


def reply_to(message, client):
    """Return the reply to a message: where a kernel is slow to start, it is asked twice whether it is there."""
    while (reply := client.get_shell_msg(timeout=20))["parent_header"]["msg_id"] != message:
        pass
    return reply


@pytest.mark.slow
def test_an_interrupt_in_a_notebook_ends_a_stalled_cell_and_the_next_one_works():
    asked = threading.Event()

    def stalls(request):
        asked.set()
        stalls_after(1000, CSV)(request)

    with serve(stalls) as stalled, serve(page(CSV)) as healthy:
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            cell = f"import streamframe as sf\nsf.read_csv('{stalled}/a.csv', storage_options={{'retries': 0}}).count()"
            message = client.execute(cell, stop_on_error=False)
            assert asked.wait(30)
            start = time.monotonic()
            manager.interrupt_kernel()
            reply = reply_to(message, client)
            taken = time.monotonic() - start
            assert reply["content"]["ename"] == "KeyboardInterrupt"
            assert taken < 5  # 1 s is promised; a loaded machine may be slow to schedule
            message = client.execute(f"rows = sf.read_csv('{healthy}/a.csv').count()\nassert rows == 500_000")
            assert reply_to(message, client)["content"]["status"] == "ok"
            print(f"\ninterrupted after {taken:.3f} s")  # noqa: T201
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
