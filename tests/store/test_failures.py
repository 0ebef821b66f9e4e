"""What happens when the store fails.

An M2M client gets its token. A refresh token of a user is not sent without the store, nor twice.
"""

import socket
import threading
from collections.abc import Callable

import planetkey
import pytest
from simulator import Simulator

from fleet import KEY, Fleet, refreshes
from store_server import StoreServer
from wire import STEPS, Wire

OTHER_KEY = "another-key-of-the-tests-with-enough-characters"


def unreachable(store: StoreServer) -> None:
    store.stop()


def slow(store: StoreServer) -> None:
    store.pause()


def out_of_memory(store: StoreServer) -> None:
    store.client().config_set("maxmemory", "1")


def read_only_replica(store: StoreServer) -> None:
    store.client().execute_command("REPLICAOF", "127.0.0.1", "1")
    store.client().config_set("replica-serve-stale-data", "yes")


def password(store: StoreServer) -> None:
    store.client().config_set("requirepass", "changed")


def eval_forbidden(store: StoreServer) -> None:
    store.client().execute_command("ACL", "SETUSER", "default", "-eval")


def no_rights_to_keys(store: StoreServer) -> None:
    store.client().execute_command("ACL", "SETUSER", "default", "resetkeys", "~other:*")


def another_type(store: StoreServer) -> None:
    client = store.client()
    for record in store.records():
        client.delete(record)
        client.rpush(record, "of something else")


FAILURES = (
    unreachable,
    slow,
    out_of_memory,
    read_only_replica,
    password,
    eval_forbidden,
    no_rights_to_keys,
    another_type,
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_an_m2m_client_gets_its_token(
    own_store: StoreServer,
    fleet: Fleet,
    simulator: Simulator,
    failure: Callable[[StoreServer], None],
) -> None:
    fleet.m2m(0, own_store.url).access_token()
    assert simulator.count("m2m.token") == 1
    failure(own_store)
    session = fleet.m2m(1, own_store.url)
    assert (
        simulator.get(
            fleet.url("m2m"), "Authorization: " + session.headers(fleet.url("m2m"))["Authorization"]
        )
        == 200
    )
    (source,) = session.status().sources
    assert source.store is not None
    assert source.store["problem"] is not None
    assert any(own_store.url in note for note in session.status().notes)
    own_store.resume() if failure is slow else None


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_a_refresh_token_is_not_sent_without_the_store(
    own_store: StoreServer,
    fleet: Fleet,
    simulator: Simulator,
    failure: Callable[[StoreServer], None],
) -> None:
    session = fleet.log_in(own_store.url)
    failure(own_store)
    for opened in (session, fleet.user(1, own_store.url)):
        with pytest.raises(planetkey.UnavailableError) as raised:
            opened.with_timeout(3).access_token()
        assert own_store.url in str(raised.value)
    assert simulator.count("user.rotations") == 0
    fleet.check_user(0)
    own_store.resume() if failure is slow else None


def test_a_cached_token_is_used_while_the_store_is_gone(
    own_store: StoreServer, fleet: Fleet
) -> None:
    sessions = [fleet.m2m(0, own_store.url), fleet.log_in(own_store.url, expired=False)]
    tokens = [str(session.access_token()) for session in sessions]
    own_store.stop()
    assert [str(session.access_token()) for session in sessions] == tokens


def test_a_store_that_is_back_is_used_again(
    own_store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    own_store.stop()
    fleet.m2m(0, own_store.url).access_token()
    own_store.start()
    fleet.m2m(1, own_store.url).access_token()
    fleet.m2m(2, own_store.url).access_token()
    assert simulator.count("m2m.token") == 2


def test_a_store_without_its_data_costs_a_request_or_a_login(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    fleet.m2m(0, store.url).access_token()
    user = fleet.log_in(store.url)
    store.client().flushall()
    fleet.m2m(1, store.url).access_token()
    fleet.m2m(2, store.url).access_token()
    assert simulator.count("m2m.token") == 2
    with pytest.raises(planetkey.LoginRequiredError):
        user.access_token()
    fleet.check_user(0)


def test_an_authority_that_is_not_trusted_is_a_failure(
    servers: Callable[[str], StoreServer], fleet: Fleet
) -> None:
    session = fleet.m2m(0, servers("tls").url)
    assert session.access_token()
    (source,) = session.status().sources
    assert source.store is not None
    assert "TLS failed" in source.store["problem"]


def test_plain_text_to_a_tls_port_is_a_failure(
    servers: Callable[[str], StoreServer], fleet: Fleet
) -> None:
    url = servers("tls").url.replace("rediss://", "redis://")
    assert fleet.m2m(0, url).access_token()


def test_what_is_no_store_is_a_failure(fleet: Fleet) -> None:
    """A server that sends something else, without an end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    try:
                        connection.sendall(b"$999999999\r\n")
                        while True:
                            connection.sendall(b"x" * 65536)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        session = fleet.m2m(0, f"redis://127.0.0.1:{listener.getsockname()[1]}")
        assert session.access_token()
        (source,) = session.status().sources
        assert source.store is not None
        assert source.store["reachable"] is False


def test_a_session_that_another_key_sealed_is_not_replaced(
    store: StoreServer,
    fleet: Fleet,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet.log_in(store.url)
    before = store.dump()
    monkeypatch.setenv("PLANETKEY_STORE_KEY", OTHER_KEY)
    with pytest.raises(planetkey.MisconfiguredError) as raised:
        fleet.user(1, store.url).access_token()
    assert "another key" in str(raised.value)
    assert store.dump() == before
    fleet.check_user(0)
    monkeypatch.setenv("PLANETKEY_STORE_KEY", f"{OTHER_KEY},{KEY}")
    fleet.user(2, store.url).access_token()
    monkeypatch.setenv("PLANETKEY_STORE_KEY", OTHER_KEY)
    fleet.user(3, store.url).access_token()
    fleet.check_user(1)
    assert simulator.count("user.reuse") == 0


@pytest.mark.parametrize("kind", ["m2m", "user"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [step for step in STEPS if step not in {"note", "replica"}])
def test_a_connection_that_is_cut_at_a_step(
    store: StoreServer, fleet: Fleet, simulator: Simulator, kind: str, when: str, step: str
) -> None:
    if step == "announce" and kind == "m2m":
        pytest.skip("an M2M client announces nothing")
    if kind == "user":
        fleet.log_in(store.url)
    wire = Wire(store.port)
    cut = threading.Event()

    def action() -> bool:
        cut.set()
        return False

    wire.at(step, when, action)
    session = fleet.open(kind, 1, wire.url)
    try:
        session.access_token()
    except planetkey.UnavailableError:
        # The next call is another attempt.
        assert kind == "user"
        session.access_token()
    assert cut.wait(30), "the step was not reached"
    token = str(fleet.open(kind, 2, store.url).access_token())
    assert token == str(session.access_token())
    assert refreshes(simulator, kind) == 1
    if kind == "user":
        fleet.check_user(1)
    wire.close()


def test_a_lock_that_its_holder_left_ends_by_itself(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    """An M2M client with little time does not wait for a holder that has ended."""
    fleet.m2m(0, store.url).access_token()
    record = store.record()
    store.client().delete(record)
    store.client().set(record + ":lock", "another-process", px=8000)
    fleet.m2m(1, store.url, timeout=6).access_token()
    assert simulator.count("m2m.token") == 2


def test_a_lock_without_an_end_is_not_of_planetkey(store: StoreServer, fleet: Fleet) -> None:
    fleet.m2m(0, store.url).access_token()
    record = store.record()
    store.client().delete(record)
    store.client().set(record + ":lock", "another-process")
    fleet.m2m(1, store.url, timeout=6).access_token()
    assert store.client().hget(record, "tokens")
