"""``make soak``: run it, print what happened, and end with 1 when something must not have."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.redis_server import redis_server

from .browser import AnswerLost
from .customer import Abandoned, Customer
from .mischief import Mischief
from .record import LATE, SLOW, Record
from .servers import MAX_AGE, Servers, running

#: What the oldest worker may hold more at the end than after a fifth of the time, in MiB.
GROWTH = 10.0
#: Tries at the end and seconds between them: after Redis has forgotten everything, refreshes are
#: refused for as long as a lock that it forgot may still be in use.
TRIES, PAUSE = 10, 4


def main() -> int:
    """Run the soak; returns the exit code."""
    seconds = float(os.environ.get("SOAK_SECONDS") or 300)
    users = int(os.environ.get("SOAK_USERS") or 50)
    seed = int(os.environ.get("SOAK_SEED") or 1)
    print(f"{users} users for {seconds:.0f} seconds, seed {seed}.", flush=True)
    record = Record()
    with (
        tempfile.TemporaryDirectory() as directory,
        redis_server() as redis,
        running(Path(directory), redis, users) as servers,
    ):
        customers = [Customer(servers, record, number, seed) for number in range(users)]
        memory = _soak(servers, record, customers, seconds, seed)
        _check_everybody(servers, record, customers)
        _check_memory(record, memory, servers.memory())
        _check_families(servers, record, customers)
        _check_log(record, servers.errors)
    print(record.table())
    print("The soak has found violations." if record.violations else "No violations.")
    return 1 if record.violations else 0


def _soak(
    servers: Servers, record: Record, customers: list[Customer], seconds: float, seed: int
) -> float:
    """Let everybody live for the time; returns the memory after a fifth of it."""
    stop, calm = threading.Event(), threading.Event()
    lives = [threading.Thread(target=one.live, args=(stop,), daemon=True) for one in customers]
    mischief = threading.Thread(
        target=Mischief(servers, record, seed).live, args=(calm,), daemon=True
    )
    for thread in (*lives, mischief):
        thread.start()
    time.sleep(seconds / 5)
    memory = servers.memory()
    time.sleep(seconds * 4 / 5)
    calm.set()
    mischief.join()
    stop.set()
    for life in lives:
        life.join()
    return memory


def _check_everybody(servers: Servers, record: Record, customers: list[Customer]) -> None:
    """See that each user can still do a check, in the browser as it is."""
    requests.post(f"{servers.tenant}/_soak/heal", timeout=20)
    # The checks of the last moments are then too old to count.
    time.sleep(MAX_AGE + 1)
    with ThreadPoolExecutor(16) as threads:
        for one, obstacle in zip(customers, threads.map(_obstacle, customers), strict=True):
            if obstacle is None:
                record.count("users who could still step up at the end")
            else:
                record.violation("no step-up any more", f"{one.email}: {obstacle}")


def _obstacle(customer: Customer) -> str | None:
    """Return what keeps a careful user from a page behind a check, if anything does."""
    customer.careful = True
    obstacle = "answers are lost"
    for number in range(TRIES):
        time.sleep(PAUSE if number else 0)
        before = customer.proofs
        try:
            page = customer.transfer()
        except AnswerLost:
            continue
        except Abandoned as error:
            obstacle = f"pages without an end: {error}"
            continue
        if page.path == "/transfer" and page.status == 200 and customer.proofs > before:
            return None
        proofs = customer.proofs - before
        obstacle = f"{page.status} {page.path} {page.heading}, after {proofs} codes"
    return obstacle


def _check_memory(record: Record, before: float, after: float) -> None:
    print(f"The oldest worker held {before:.1f} MiB after a fifth, and {after:.1f} at the end.")
    if after > before + GROWTH:
        record.violation("memory grows", f"{before:.1f} MiB to {after:.1f} MiB")


def _check_families(servers: Servers, record: Record, customers: list[Customer]) -> None:
    """See why families were revoked: nobody's mistake is a token whose successor all have lost."""
    lost_at = {one.email: one.browser.lost_at for one in customers}
    for reuse in requests.get(f"{servers.tenant}/_soak/reused", timeout=20).json():
        replaced_at, used_at = reuse["replaced_at"], reuse["at"]
        browser_lost = any(-LATE <= at - replaced_at < SLOW for at in lost_at[reuse["email"]])
        if browser_lost and record.could_be_forgotten(replaced_at, used_at):
            record.count("families revoked because a successor was lost")
        else:
            record.violation("token family revoked", f"{reuse}, lost {lost_at[reuse['email']]}")


def _check_log(record: Record, errors: Path) -> None:
    """See whether anything was raised that nobody has answered for."""
    _, *tracebacks = errors.read_text(errors="replace").split("Traceback (most recent call last):")
    for traceback in tracebacks:
        lines = traceback.rstrip().splitlines()[1:]
        # Frames are indented; the first line that is not says what was raised.
        end = next((n for n, line in enumerate(lines) if line and line[0] != " "), len(lines) - 1)
        record.violation("traceback in the log", "\n    ".join(lines[max(0, end - 4) : end + 1]))


if __name__ == "__main__":
    # The processes that were started end with this one, however it is told to end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
