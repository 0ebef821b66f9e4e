"""Prints what a store costs: store.py. Needs redis-server and the package valkey."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "store"), str(HERE.parent / "processes")]

from fleet import Fleet  # noqa: E402
from simulator import Simulator, running_simulator  # noqa: E402
from store_server import StoreServer, redis_binary  # noqa: E402

MACHINES = 8
PROCESSES = 8
STARTS = 20

PROGRAM = """
import sys, planetkey
url, store, home, deployment, client_id, secret = sys.argv[1:]
session = planetkey.Session.from_m2m(
    client_id, secret, store=store or None, storage_root=home, deployment=deployment,
    allow_insecure_loopback=True, timeout=120)
sys.stdin.read()
session.headers(url)
"""


def arguments(fleet: Fleet, store: str, number: int) -> list[str]:
    simulator = fleet.simulator
    return [
        *(sys.executable, "-I", "-c", PROGRAM, fleet.url("m2m"), store),
        *(str(fleet.home(number)), str(simulator.deployment)),
        *(simulator.client_id, simulator.client_secret),
    ]


def at_once(fleet: Fleet, store: str) -> int:
    """The token requests of all processes of all machines that meet one expiry."""
    before = fleet.simulator.count("m2m.token")
    reading, writing = os.pipe()
    programs = [
        subprocess.Popen(arguments(fleet, store, number), stdin=reading)
        for number in range(MACHINES)
        for _ in range(PROCESSES)
    ]
    os.close(reading)
    os.close(writing)
    assert all(program.wait() == 0 for program in programs)
    return fleet.simulator.count("m2m.token") - before


def scripts(store: StoreServer) -> int:
    calls: int = store.client().info("commandstats").get("cmdstat_eval", {}).get("calls", 0)
    return calls


def starts(fleet: Fleet, store: str, first: int) -> float:
    """Seconds from the start of a process to its header, on machines without a token."""
    times = []
    for number in range(first, first + STARTS):
        started = time.perf_counter()
        subprocess.run(arguments(fleet, store, number), stdin=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    return sorted(times)[STARTS // 2]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with running_simulator(directory, Simulator) as simulator:
            (directory / "store").mkdir()
            store = StoreServer(directory / "store", redis_binary())
            try:
                alone = Fleet(simulator, directory / "alone")
                shared = Fleet(simulator, directory / "shared")
                print("\nA store\n")
                print(f"{MACHINES} machines with {PROCESSES} processes each, one expiry")
                print(f"  token requests without a store  {at_once(alone, '')}")
                print(f"  token requests with a store     {at_once(shared, store.url)}")
                before = scripts(store)
                shared.m2m(100, store.url).access_token()
                print(f"  scripts of a machine that finds the token     {scripts(store) - before}")
                store.client().flushall()
                before = scripts(store)
                shared.m2m(101, store.url).access_token()
                print(f"  scripts of a machine that requests the token  {scripts(store) - before}")
                print("from the start of a process to its header, a new machine (median)")
                print(f"  own token request   {starts(alone, '', 1000) * 1000:.0f} ms")
                print(f"  token of the store  {starts(shared, store.url, 1000) * 1000:.0f} ms")
            finally:
                store.stop()


if __name__ == "__main__":
    main()
