"""Machines share tokens while everything around them fails: chaos.py SECONDS [SEED].

What must hold:

- No call of an M2M client fails.
- No refresh token is sent twice, except after a machine was killed, or a failover lost a write.
- A user session is lost only then, too. It is counted, and the user logs in again.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import planetkey
from simulator import Simulator, running_simulator

from fleet import KEY, Fleet, wait_until
from store_server import StoreServer, redis_binary

MACHINES = 6
# Short enough for many expiries.
LIFETIME_S = 3

PROGRAM = """
import sys, time, planetkey
kind, url, store, home, deployment, client_id, secret = sys.argv[1:]
options = dict(store=store, storage_root=home, deployment=deployment,
               allow_insecure_loopback=True, timeout=20)
while True:
    try:
        if kind == "m2m":
            session = planetkey.Session.from_m2m(client_id, secret, **options)
        else:
            session = planetkey.Session.from_profile("planet-user", **options)
        for _ in range(20):
            session.headers(url)
            time.sleep(0.2)
        print("ok", flush=True)
    except planetkey.Error as error:
        print(error.code, error.reason, error, flush=True)
        time.sleep(0.2)
"""


class Machine:
    """A machine whose program calls again and again."""

    def __init__(self, fleet: Fleet, kind: str, number: int, store: str) -> None:
        self.kind = kind
        simulator = fleet.simulator
        self.log = fleet.home(number) / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-c", PROGRAM, kind, fleet.url(kind), store),
                    *(fleet.home(number), simulator.deployment),
                    *(simulator.client_id, simulator.client_secret),
                ],
                env=os.environ | {"PLANETKEY_STORE_KEY": KEY},
                stdout=log,
                stderr=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def main(seconds: float, seed: int) -> int:
    chance = random.Random(seed)  # noqa: S311 - a run that can be repeated
    print(f"seed {seed}")
    happened: Counter[str] = Counter()
    logins = 1
    with (
        tempfile.TemporaryDirectory() as name,
        running_simulator(Path(name), Simulator) as simulator,
    ):
        directory = Path(name)
        os.environ["PLANETKEY_STORE_KEY"] = KEY
        fleet = Fleet(simulator, directory)
        (directory / "store").mkdir()
        store = StoreServer(directory / "store", redis_binary())
        store.stop()
        store.start("--appendonly", "yes", "--appendfsync", "always")
        fleet.log_in(store.url, expired=False)
        simulator.settings(token_lifetime=LIFETIME_S)

        def machine(number: int) -> Machine:
            return Machine(fleet, "m2m" if number % 2 == 0 else "user", number, store.url)

        machines = [machine(number) for number in range(MACHINES)]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(chance.uniform(0.2, 1.5))
            number = chance.randrange(MACHINES)
            event = chance.choice(("kill", "stop", "pause", "restart", "cut"))
            happened[event] += 1
            if event == "kill":
                machines[number].kill()
                machines[number] = machine(number)
            elif event == "stop":
                os.kill(machines[number].process.pid, signal.SIGSTOP)
                time.sleep(chance.uniform(0.1, 12))
                os.kill(machines[number].process.pid, signal.SIGCONT)
            elif event == "pause":
                store.pause()
                time.sleep(chance.uniform(0.1, 4))
                store.resume()
            elif event == "restart":
                store.stop()
                time.sleep(chance.uniform(0, 2))
                store.start("--appendonly", "yes", "--appendfsync", "always")
            else:
                store.client().client_kill_filter(_type="normal", skipme=True)
            if simulator.count("user.sessions.active") == 0:
                happened["session lost"] += 1
                logins += 1
                simulator.settings(token_lifetime=3600, device_interval=None)
                session = fleet.user(100 + logins, store.url)
                login = session.start_device_login()
                simulator.log_in(user_code=login.user_code)
                login.wait()
                simulator.settings(token_lifetime=LIFETIME_S)
        # Quiet again, every machine works.
        for running in machines:
            before = running.log.read_text().count("ok")
            wait_until(
                lambda running=running, before=before: running.log.read_text().count("ok") > before,
                f"a machine of kind {running.kind} does not recover",
            )
        failed = [
            line
            for running in machines
            if running.kind == "m2m"
            for line in running.log.read_text().splitlines()
            if line != "ok"
        ]
        for running in machines:
            running.kill()
        print(dict(happened))
        requests = simulator.count("m2m.token")
        print(f"token requests of the M2M client: {requests} in {seconds:.0f} s")
        print(
            f"refreshes of the user: {simulator.count('user.rotations')}, reuse:"
            f" {simulator.count('user.reuse')}, sessions lost: {happened['session lost']}"
        )
        store.stop()
        if failed:
            print(f"{len(failed)} calls of the M2M client failed; the first: {failed[0]}")
            return 1
        if simulator.count("user.reuse") > happened["kill"]:
            print("more refresh tokens were sent twice than machines were killed")
            return 1
    return 0


if __name__ == "__main__":
    assert planetkey.__file__
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
