"""The lock in the store ends before its holder has saved.

The session stays valid, and no refresh token is sent twice.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import planetkey
import pytest
from crowd import participant
from simulator import Simulator

from fleet import Fleet, wait_until
from store_server import StoreServer, redis_binary
from wire import Wire

POLLS = 5


class Call:
    """A call for an access token on a thread."""

    def __init__(self, session: planetkey.Session) -> None:
        self._session = session
        self._found: list[str] = []
        self._error: list[planetkey.Error] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found.append(str(self._session.access_token()))
        except planetkey.Error as error:
            self._error.append(error)

    def is_waiting(self) -> bool:
        """Whether it has no result yet."""
        return self._thread.is_alive()

    def result(self) -> str:
        """The token."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        for error in self._error:
            raise error
        return self._found[0]


def scripts(store: StoreServer) -> int:
    """How many scripts the store has run."""
    calls: int = store.client().info("commandstats")["cmdstat_eval"]["calls"]
    return calls


def end_lock(store: StoreServer) -> None:
    """What happens to a lock whose holder is stopped for ten seconds."""
    assert store.client().delete(store.record() + ":lock") == 1


def wait_for_polls(store: StoreServer) -> None:
    """Waits until another machine has asked for the lock several times."""
    before = scripts(store)
    wait_until(lambda: scripts(store) >= before + POLLS, "no process asks for the lock")


def test_a_successor_waits_for_the_result(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    fleet.log_in(store.url)
    simulator.script("user.token", {"hold": "gate"})
    first = Call(fleet.user(1, store.url))
    simulator.wait_held("gate")
    end_lock(store)
    second = Call(fleet.user(2, store.url))
    wait_for_polls(store)
    assert second.is_waiting()
    simulator.release("gate")
    assert first.result() == second.result()
    fleet.check_user(1)
    assert str(fleet.user(3, store.url).access_token()) == first.result()


class Program:
    """A participant that a test stops and kills at a step."""

    def __init__(self, fleet: Fleet, wire: Wire, number: int) -> None:
        self._process = subprocess.Popen(
            participant("python", fleet.url("user")),
            env=fleet.environment(number, wire.url, "user"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def output(self) -> str:
        output, _ = self._process.communicate(timeout=60)
        return output.strip()


def at(wire: Wire, step: str, when: str) -> tuple[threading.Event, threading.Event]:
    """Holds the next command of a step. Returns when it has come, and what lets it go on."""
    come, go_on = threading.Event(), threading.Event()

    def action() -> bool:
        come.set()
        return go_on.wait(60)

    wire.at(step, when, action)
    return come, go_on


def test_a_holder_that_is_stopped_between_response_and_save(
    store: StoreServer, fleet: Fleet
) -> None:
    fleet.log_in(store.url)
    wire = Wire(store.port)
    come, go_on = at(wire, "save", "before")
    program = Program(fleet, wire, 1)
    assert come.wait(60)
    program.signal(signal.SIGSTOP)
    end_lock(store)
    other = Call(fleet.user(2, store.url))
    wait_for_polls(store)
    assert other.is_waiting()
    program.signal(signal.SIGCONT)
    go_on.set()
    assert program.output() == "Authorization: Bearer " + other.result()
    fleet.check_user(1)
    wire.close()


@pytest.mark.parametrize(
    ("step", "when"),
    [("acquire", "before"), ("acquire", "after"), ("announce", "before"), ("announce", "after")],
)
def test_a_machine_that_is_killed_before_it_sends(
    store: StoreServer, fleet: Fleet, step: str, when: str
) -> None:
    fleet.log_in(store.url)
    wire = Wire(store.port)
    come, go_on = at(wire, step, when)
    program = Program(fleet, wire, 1)
    assert come.wait(60)
    program.signal(signal.SIGKILL)
    program.output()
    store.client().delete(store.record() + ":lock")
    if (step, when) == ("announce", "after"):
        with pytest.raises(planetkey.TimeoutError) as raised:
            fleet.user(2, store.url, timeout=1).access_token()
        assert "has not saved the result" in str(raised.value)
        store.client().hset(store.record(), "intent_until", "1")
    assert fleet.user(2, store.url).access_token()
    fleet.check_user(1)
    go_on.set()
    wire.close()


def test_a_machine_that_is_killed_after_it_saved(store: StoreServer, fleet: Fleet) -> None:
    fleet.log_in(store.url)
    wire = Wire(store.port)
    come, go_on = at(wire, "save", "after")
    program = Program(fleet, wire, 1)
    assert come.wait(60)
    program.signal(signal.SIGKILL)
    program.output()
    assert fleet.user(2, store.url).access_token()
    fleet.check_user(1)
    go_on.set()
    wire.close()


def test_a_machine_that_is_killed_before_it_saved_costs_a_login(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    """The only copy of the new refresh token is gone, and every machine comes to know it."""
    fleet.log_in(store.url)
    wire = Wire(store.port)
    come, go_on = at(wire, "save", "before")
    program = Program(fleet, wire, 1)
    assert come.wait(60)
    program.signal(signal.SIGKILL)
    program.output()
    store.client().hset(store.record(), "intent_until", "1")
    store.client().delete(store.record() + ":lock")
    for number in (2, 3):
        with pytest.raises(planetkey.LoginRequiredError) as raised:
            fleet.user(number, store.url).access_token()
        assert raised.value.reason == "revoked"
    assert simulator.count("user.reuse") == 1
    go_on.set()
    wire.close()


def test_a_logout_while_a_refresh_is_in_progress_is_not_undone(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    fleet.log_in(store.url)
    simulator.script("user.token", {"hold": "gate"})
    refresh = Call(fleet.user(1, store.url))
    simulator.wait_held("gate")
    end_lock(store)
    store.client().hset(store.record(), "intent_until", "1")
    assert fleet.user(2, store.url).logout()
    simulator.release("gate")
    with pytest.raises(planetkey.LoginRequiredError):
        refresh.result()
    with pytest.raises(planetkey.LoginRequiredError):
        fleet.user(3, store.url).access_token()


def test_a_store_that_went_back_in_time_does_not_cost_the_session(
    store: StoreServer, fleet: Fleet
) -> None:
    """A failover lost a write: what the store holds is older than what was replaced."""
    fleet.log_in(store.url)
    older = store.client().hgetall(store.record())
    fleet.user(1, store.url).access_token()
    wire = Wire(store.port)
    session = fleet.user(2, wire.url)
    session.access_token()
    come, go_on = at(wire, "save", "before")
    refresh = threading.Thread(target=session.refresh)
    refresh.start()
    assert come.wait(60)
    store.client().hset(store.record(), mapping=older)
    go_on.set()
    refresh.join(60)
    fleet.check_user(2)
    assert store.client().hget(store.record(), "id") != older["id"]
    other = fleet.user(3, store.url)
    other.access_token()
    other.refresh()
    fleet.check_user(3)
    wire.close()


def go_back(store: StoreServer, older: dict[str, str]) -> None:
    """What a failover does that loses the last writes: the record is the one of before."""
    with store.client().pipeline(transaction=True) as pipeline:
        pipeline.delete(store.record(), store.record() + ":lock")
        pipeline.hset(store.record(), mapping=older)
        pipeline.execute()


@pytest.mark.parametrize("who", ["the one that saved", "one that adopted"])
def test_a_machine_puts_back_what_a_failover_lost(
    store: StoreServer, fleet: Fleet, who: str
) -> None:
    """It does not send the older refresh token, which would end the session."""
    fleet.log_in(store.url)
    older = store.client().hgetall(store.record())
    machines = [fleet.user(number, store.url) for number in (1, 2)]
    (token,) = {str(machine.access_token()) for machine in machines}
    newer = store.client().hgetall(store.record())
    go_back(store, older)
    machine = machines[who == "one that adopted"]
    machine.refresh()
    assert str(machine.access_token()) != token
    fleet.check_user(2)
    assert int(store.client().hget(store.record(), "seq")) == int(newer["seq"]) + 1
    assert str(fleet.user(3, store.url).access_token()) == str(machine.access_token())


def test_a_login_after_a_failover_is_not_replaced(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    """A machine that knows the session of before takes the login, whatever was lost."""
    machine = fleet.log_in(store.url)
    older = store.client().hgetall(store.record())
    for _ in range(3):
        machine.refresh()
    go_back(store, older)
    login = fleet.user(5, store.url).start_device_login()
    simulator.log_in(user_code=login.user_code)
    login.wait()
    saved = store.client().hgetall(store.record())
    machine.refresh()
    assert str(machine.access_token()) == str(fleet.user(6, store.url).access_token())
    assert store.client().hgetall(store.record()) == saved


@pytest.fixture
def replica(own_store: StoreServer, tmp_path: Path) -> Iterator[StoreServer]:
    """A replica of the store of this test."""
    directory = tmp_path / "replica"
    directory.mkdir()
    server = StoreServer(directory, redis_binary())
    try:
        server.follow(own_store.port)
        wait_until(
            lambda: own_store.client().info("replication")["connected_slaves"] == 1,
            "the replica did not connect",
        )
        yield server
    finally:
        server.stop()


def test_a_save_is_repeated_if_the_store_fails_before_its_replica_has_it(
    own_store: StoreServer, replica: StoreServer, fleet: Fleet
) -> None:
    """The connection ends while the machine waits for the replica: a failover, perhaps."""
    fleet.log_in(own_store.url)
    older = own_store.client().hgetall(own_store.record())
    wire = Wire(own_store.port)

    def lose_the_save() -> bool:
        go_back(own_store, older)
        return False

    def next_wait() -> bool:
        wire.at("replica", "before", lose_the_save)
        return True

    wire.at("save", "after", next_wait)
    token = str(fleet.user(1, wire.url).access_token())
    assert str(fleet.user(2, own_store.url).access_token()) == token
    fleet.check_user(1)
    wait_until(
        lambda: (
            replica.client().hgetall(replica.record())
            == own_store.client().hgetall(own_store.record())
        ),
        "the replica has another session",
    )
    wire.close()


def test_nothing_is_sent_if_the_store_fails_before_its_replica_has_the_intent(
    own_store: StoreServer, replica: StoreServer, fleet: Fleet
) -> None:
    """A new store would not know that the refresh token was sent."""
    fleet.log_in(own_store.url)
    assert replica.records() == own_store.records()
    wire = Wire(own_store.port)
    seen: list[int] = []

    def cut() -> bool:
        seen.append(fleet.simulator.count("user.rotations"))
        return False

    wire.at("replica", "before", cut)
    with pytest.raises(planetkey.UnavailableError):
        fleet.user(1, wire.url).access_token()
    assert seen == [0]
    fleet.check_user(0)
    # The intent was withdrawn: no process waits for a result.
    assert fleet.user(2, own_store.url).access_token()
    fleet.check_user(1)
    wire.close()


def test_an_intent_stays_if_its_result_could_not_be_saved(
    own_store: StoreServer, fleet: Fleet
) -> None:
    """The tokens are in one process, which saves them later. Until then the old one is not sent."""
    fleet.log_in(own_store.url)
    wire = Wire(own_store.port)

    def fail_each_save() -> bool:
        wire.at("save", "before", fail_each_save)
        return False

    fail_each_save()
    session = fleet.user(1, wire.url)
    token = str(session.access_token())
    end_lock(own_store)
    with pytest.raises(planetkey.TimeoutError) as raised:
        fleet.user(2, own_store.url, timeout=2).access_token()
    assert "has not saved the result" in str(raised.value)
    wire.at("save", "before", lambda: True)
    session.refresh()
    assert str(fleet.user(3, own_store.url).access_token()) == str(session.access_token()) != token
    fleet.check_user(2)
    wire.close()


def test_a_saved_session_is_on_the_replica(
    own_store: StoreServer, replica: StoreServer, fleet: Fleet
) -> None:
    fleet.log_in(own_store.url)
    fleet.user(1, own_store.url).access_token()
    assert replica.client().hgetall(replica.record()) == own_store.client().hgetall(
        own_store.record()
    )
    own_store.stop()
    replica.client().execute_command("REPLICAOF", "NO", "ONE")
    session = fleet.user(2, replica.url)
    session.access_token()
    fleet.check_user(1)
    session.refresh()
    fleet.check_user(2)


def test_a_forked_child_uses_the_store(store: StoreServer, fleet: Fleet) -> None:
    session = fleet.m2m(0, store.url)
    token = str(session.access_token())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            session.refresh()
            os.write(writing, str(session.access_token()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        refreshed = answer.read()
    os.waitpid(child, 0)
    assert refreshed not in {"", token}
    assert str(fleet.m2m(1, store.url).access_token()) == refreshed


CALLS: list[Callable[[planetkey.Session], object]] = [
    planetkey.Session.access_token,
    planetkey.Session.status,
    planetkey.Session.is_initialized,
]


@pytest.mark.parametrize("call", CALLS, ids=["access_token", "status", "is_initialized"])
def test_a_cached_token_needs_no_store(
    store: StoreServer, fleet: Fleet, call: Callable[[planetkey.Session], object]
) -> None:
    sessions = [fleet.m2m(0, store.url), fleet.log_in(store.url, expired=False)]
    for session in sessions:
        session.access_token()
    before = scripts(store)
    for _ in range(100):
        for session in sessions:
            call(session)
    assert scripts(store) == before, sys.version
