"""Machines share tokens while everything around them fails: chaos.py SECONDS [SEED].

Machines are killed, stopped and started. Their connections are cut. The store is stopped,
restarted, and replaced by its replica: planned, after it died, and by a replica that had missed
the last writes.

What must hold:

- No call of an M2M client fails.
- No refresh token is sent twice, and no user session is lost, except after a machine was killed
  that had sent a refresh token and not saved the result, or after a replica was promoted that had
  missed a session. Those losses are counted, and the user logs in again.
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

from fleet import KEY, Fleet
from forwarder import Forwarder
from store_server import StoreServer, redis_binary

MACHINES = 6
# Short enough for many expiries.
LIFETIME_S = 3
# Until a machine works again: an intent lapses a minute after the deadline of its request.
RECOVERY_S = 180
# What was written is on the disk.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")

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
            print("ok", flush=True)
            time.sleep(0.2)
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
                    *("setpriv", "--pdeathsig", "KILL"),
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

    def served(self) -> int:
        """How many calls it has made, with what was there before it was killed."""
        return self.log.read_text().count("ok\n")

    def errors(self) -> list[str]:
        """The errors of its calls."""
        # A process that is killed may have written half a line.
        return [line for line in self.log.read_text().splitlines() if len(line) > len("ok")]


class Stores:
    """A store and its replica. Clients reach the store by an address that stays the same."""

    def __init__(self, directory: Path) -> None:
        self._servers = []
        for name in ("one", "two"):
            (directory / name).mkdir()
            self._servers.append(StoreServer(directory / name, redis_binary(), *DURABLE))
        self._servers[1].follow(self._servers[0].port)
        self.address = Forwarder(self._servers[0].port)

    @property
    def first(self) -> StoreServer:
        """The store that accepts writes."""
        return self._servers[0]

    def detach(self) -> None:
        """The replica gets no more writes, and becomes a store of its own."""
        self._servers[1].promote()

    def missed(self) -> Counter[str]:
        """What the replica has missed."""
        found: Counter[str] = Counter()
        first, second = (server.client() for server in self._servers)
        for record in self.first.records():
            # The record of an M2M client ends with its token.
            is_m2m = first.pttl(record) >= 0
            if first.hget(record, "id") != second.hget(record, "id"):
                found["M2M token" if is_m2m else "session"] += 1
            elif first.hget(record, "intent") != second.hget(record, "intent"):
                found["intent"] += 1
        return found

    def is_refreshing(self) -> bool:
        """Whether the store has an intent that is pending."""
        client = self.first.client()
        untils = [client.hget(record, "intent_until") for record in self.first.records()]
        now, _ = client.time()
        return any(until and int(until) > now * 1000 for until in untils)

    def swap(self, *, first_died: bool) -> None:
        """Clients use the replica from now on, and the other server becomes its replica."""
        first, second = self._servers
        if first_died:
            first.stop()
        second.promote()
        self.address.move(second.port)
        if first_died:
            first.start(*DURABLE)
        self._servers = [second, first]
        first.follow(second.port)

    def restart(self, after: float) -> None:
        """The store is gone for some seconds, and has its data afterwards."""
        self.first.stop()
        time.sleep(after)
        self.first.start(*DURABLE)
        self._servers[1].follow(self.first.port)

    def stop(self) -> None:
        self.address.close()
        for server in self._servers:
            server.stop()


class Chaos:
    """A run."""

    def __init__(self, simulator: Simulator, directory: Path, seed: int) -> None:
        self.simulator = simulator
        self.chance = random.Random(seed)  # noqa: S311 - a run that can be repeated
        self.happened: Counter[str] = Counter()
        self.fleet = Fleet(simulator, directory)
        self.stores = Stores(directory)
        self.url = self.stores.address.url
        # What may cost the session that is there now.
        self.excuses: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.excused = 0
        self.failed: list[str] = []
        self.logins = 0
        simulator.settings(token_lifetime=LIFETIME_S, device_interval=1)
        self.log_in()
        self.machines = [self.machine(number) for number in range(MACHINES)]
        self.events = {
            "machine killed": self.kill,
            "machine stopped": self.stop,
            "store stopped": self.pause,
            "store restarted": self.restart,
            "connections cut": self.stores.address.cut,
            "planned failover": lambda: self.stores.swap(first_died=False),
            "failover": lambda: self.stores.swap(first_died=True),
            "failover to a replica that is behind": self.lag,
        }

    def machine(self, number: int) -> Machine:
        return Machine(self.fleet, "m2m" if number % 2 == 0 else "user", number, self.url)

    def run(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(self.chance.uniform(0.2, 1.5))
            event = self.chance.choice(list(self.events))
            self.happened[event] += 1
            self.events[event]()
            if self.simulator.count("user.sessions.active") == 0:
                self.log_in_again()

    def kill(self) -> None:
        number = self.chance.randrange(MACHINES)
        machine = self.machines[number]
        machine.kill()
        if machine.kind == "user" and self.stores.is_refreshing():
            # It may have sent a refresh token, and was the only one to know the result.
            self.excuse("machine killed while it refreshed")
        self.machines[number] = self.machine(number)

    def stop(self) -> None:
        process = self.chance.choice(self.machines).process
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, 12))
        os.kill(process.pid, signal.SIGCONT)

    def pause(self) -> None:
        self.stores.first.pause()
        time.sleep(self.chance.uniform(0.1, 4))
        self.stores.first.resume()

    def restart(self) -> None:
        self.stores.restart(self.chance.uniform(0, 2))

    def lag(self) -> None:
        """The store dies when its replica has missed some seconds of writes."""
        self.stores.detach()
        time.sleep(self.chance.uniform(0.1, 4))
        missed = self.stores.missed()
        self.stores.swap(first_died=True)
        for kind in missed:
            self.happened[f"{kind} missed by a replica"] += 1
        if missed["session"] + missed["intent"]:
            self.excuse("session missed by a replica")

    def excuse(self, why: str) -> None:
        self.excuses[why] += 1
        self.excused += 1

    def log_in(self) -> None:
        """The user logs in, each time on another machine."""
        self.logins += 1
        session = self.fleet.user(100 + self.logins, self.url)
        login = session.start_device_login()
        self.simulator.log_in(user_code=login.user_code)
        login.wait()

    def log_in_again(self) -> None:
        """The session is lost. Counts why."""
        why = " or ".join(sorted(self.excuses)) or "NO REASON"
        self.lost[why] += 1
        self.excuses.clear()
        self.log_in()

    def end(self) -> None:
        """Quiet again, every machine works."""
        deadline = time.monotonic() + RECOVERY_S
        for machine in self.machines:
            before = machine.served()
            while machine.served() == before:
                if self.simulator.count("user.sessions.active") == 0:
                    self.log_in_again()
                assert time.monotonic() < deadline, (
                    f"a machine of kind {machine.kind} does not recover: {machine.errors()[-1:]}"
                )
                time.sleep(0.1)
        for machine in self.machines:
            machine.kill()
        self.stores.stop()

    def report(self, seconds: float) -> list[str]:
        """Prints what happened. Returns what must not have happened."""
        count = self.simulator.count
        calls: Counter[str] = Counter()
        errors: dict[str, Counter[str]] = {"m2m": Counter(), "user": Counter()}
        for machine in self.machines:
            calls[machine.kind] += machine.served()
            errors[machine.kind].update(line.split()[0] for line in machine.errors())
        for event, times in sorted(self.happened.items()):
            print(f"  {times:5} {event}")
        print(f"calls of the M2M client: {calls['m2m']} served, {errors['m2m'].total()} failed")
        print(f"token requests of the M2M client: {count('m2m.token')} in {seconds:.0f} s")
        print(f"calls of the user: {calls['user']} served, failed: {dict(errors['user'])}")
        print(f"refreshes of the user: {count('user.rotations')}, reuse: {count('user.reuse')}")
        print(f"sessions lost: {self.lost.total()} {dict(self.lost)}")
        wrong = [
            f"a call of the M2M client failed: {line}"
            for machine in self.machines
            if machine.kind == "m2m"
            for line in machine.errors()
        ]
        if self.lost["NO REASON"]:
            wrong.append(f"{self.lost['NO REASON']} sessions were lost without a reason")
        if count("user.reuse") > self.excused:
            wrong.append("more refresh tokens were sent twice than there were reasons for")
        return wrong


def main(seconds: float, seed: int) -> int:
    print(f"seed {seed}", flush=True)
    os.environ["PLANETKEY_STORE_KEY"] = KEY
    with (
        tempfile.TemporaryDirectory() as name,
        running_simulator(Path(name), Simulator) as simulator,
    ):
        chaos = Chaos(simulator, Path(name), seed)
        chaos.run(seconds)
        chaos.end()
        wrong = chaos.report(seconds)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    assert planetkey.__file__
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
