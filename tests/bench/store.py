"""Prints what a store costs, beside what clusters use today: store.py. Needs redis-server."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "store"), str(HERE.parent / "processes")]

from fleet import Fleet  # noqa: E402
from simulator import Simulator, clean_environment, running_simulator  # noqa: E402
from store_server import StoreServer, redis_binary  # noqa: E402

MACHINES = 8
PROCESSES = 8
STARTS = 20
HOUR = 3600
LIBRARIES = (
    "planetkey with a store",
    "planetkey",
    "planet-auth",
    "sentinelhub",
    "MSAL with a cache in Redis",
)
# As in expiry.py.
SERVER_MS = 50

PROGRAM = """
import sys, planetkey
url, store, home, deployment, client_id, secret = sys.argv[1:]
session = planetkey.Session.from_m2m(
    client_id, secret, store=store or None, storage_root=home, deployment=deployment,
    allow_insecure_loopback=True, timeout=120)
session.headers(url)
"""


def environment(fleet: Fleet, library: str, number: int, store: StoreServer) -> dict[str, str]:
    """The variables of the processes on a machine."""
    simulator = fleet.simulator
    found = clean_environment(fleet.home(number)) | simulator.loopback_environment()
    found |= {
        "API": fleet.url("m2m"),
        "PL_AUTH_CLIENT_ID": simulator.client_id,
        "PL_AUTH_CLIENT_SECRET": simulator.client_secret,
        "PLANETKEY_SIMULATOR_M2M": simulator.issuer,
        "PLANETKEY_SIMULATOR_TLS": simulator.tls_issuer,
        "PLANETKEY_SIMULATOR_CA": str(simulator.ca),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        # sentinelhub's OAuth library insists on https otherwise.
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }
    if library != "planetkey":
        found["PLANETKEY_STORE"] = store.url
    return found


def save_expired(fleet: Fleet, number: int) -> None:
    """A token on the disk of a machine that expired an hour ago, as Planet's SDK saves it."""
    simulator, now = fleet.simulator, int(time.time())
    claims = {"iat": now - 2 * HOUR, "exp": now - HOUR}
    tokens = {"access_token": simulator.token(claims=claims), "expires_in": HOUR}
    tokens |= {"token_type": "Bearer", "_iat": claims["iat"], "_exp": claims["exp"]}
    profile = fleet.home(number) / ".planet" / f"planet-m2m-{simulator.client_id.lower()}"
    profile.mkdir(mode=0o700, parents=True)
    (profile / "token.json").write_text(json.dumps(tokens))


def at_once(fleet: Fleet, library: str, store: StoreServer) -> tuple[int, int, float]:
    """All processes of all machines meet one expiry.

    Returns the token requests, the processes that got a header which the API accepts, and the
    seconds until the last one had an answer.
    """
    simulator = fleet.simulator
    store.client().flushall()
    simulator.reset()
    if library.startswith("MSAL"):
        # It requires https, so its issuer is the TLS listener, and so is an unused endpoint.
        issuer = simulator.tls_issuer
        simulator.settings(accepted_issuers=[issuer])
        endpoint = {"set": {"authorization_endpoint": issuer + "/authorize"}}
        simulator.script("m2m.metadata", {"metadata_response": endpoint}, repeat=True)
    simulator.script("m2m.token", {"delay_ms": SERVER_MS}, repeat=True)
    for number in range(MACHINES):
        save_expired(fleet, number)
    programs = [
        subprocess.Popen(
            [sys.executable, HERE / "machine.py", library],
            env=environment(fleet, library, number, store),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for number in range(MACHINES)
        for _ in range(PROCESSES)
    ]
    assert {program.stdout.readline() for program in programs} == {"ready\n"}
    started = time.perf_counter()
    for program in programs:
        program.stdin.close()
    headers = [program.stdout.readline().strip() for program in programs]
    seconds = time.perf_counter() - started
    for program in programs:
        program.wait()
        program.stdout.close()
    accepted = {
        header: bool(header)
        and simulator.get(fleet.url("m2m"), f"Authorization: {header}") == 200
        for header in set(headers)
    }
    return simulator.count("m2m.token"), sum(accepted[header] for header in headers), seconds


def scripts(store: StoreServer) -> int:
    calls: int = store.client().info("commandstats").get("cmdstat_eval", {}).get("calls", 0)
    return calls


def starts(fleet: Fleet, store: str, first: int) -> float:
    """Seconds from the start of a process to its header, on machines without a token."""
    simulator = fleet.simulator
    times = []
    for number in range(first, first + STARTS):
        arguments = [fleet.url("m2m"), store, fleet.home(number), simulator.deployment]
        arguments += [simulator.client_id, simulator.client_secret]
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", PROGRAM, *arguments], check=True)
        times.append(time.perf_counter() - started)
    return sorted(times)[STARTS // 2]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with running_simulator(directory, Simulator) as simulator:
            (directory / "store").mkdir()
            store = StoreServer(directory / "store", redis_binary())
            try:
                everyone = MACHINES * PROCESSES
                print("\nA store\n")
                print(f"{MACHINES} machines with {PROCESSES} processes each, one expiry")
                print(f"  {'library':28} {'token requests':>14} {'served':>9} {'ms':>7}")
                for library in LIBRARIES:
                    fleet = Fleet(simulator, directory / library)
                    requests, served, seconds = at_once(fleet, library, store)
                    share = f"{served}/{everyone}"
                    print(f"  {library:28} {requests:14} {share:>9} {seconds * 1000:7.0f}")
                simulator.reset()
                store.client().flushall()
                alone = Fleet(simulator, directory / "alone")
                shared = Fleet(simulator, directory / "shared")
                shared.m2m(100, store.url).access_token()
                before = scripts(store)
                shared.m2m(101, store.url).access_token()
                print(f"  scripts of a machine that finds the token     {scripts(store) - before}")
                store.client().flushall()
                before = scripts(store)
                shared.m2m(102, store.url).access_token()
                print(f"  scripts of a machine that requests the token  {scripts(store) - before}")
                print("from the start of a process to its header, a new machine (median)")
                print(f"  own token request   {starts(alone, '', 1000) * 1000:.0f} ms")
                print(f"  token of the store  {starts(shared, store.url, 1000) * 1000:.0f} ms")
            finally:
                store.stop()


if __name__ == "__main__":
    main()
