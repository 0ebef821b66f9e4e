"""All machines that name one store make one token request per expiry."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import planetkey
import pytest
from crowd import Crowd, participant
from simulator import Simulator

from fleet import KEY, Fleet, is_refresh, refreshes
from store_server import ADDRESSES, StoreServer

Servers = Callable[[str], StoreServer]

# Dozens of processes at once: one such test at a time.
CROWD = pytest.mark.xdist_group("crowd")
# `make test-store REPEAT=20` shows it twenty times.
REPEAT = int(os.environ.get("REPEAT", "2"))

LANGUAGES = ("c", "python", "node", "command")
MACHINES = 8
KINDS = ("m2m", "user")
UNAVAILABLE = 6
PASSWORD = "a password: with/signs@in%it"
QUOTED = "a%20password%3A%20with%2Fsigns%40in%25it"


def url_of(store: StoreServer) -> Callable[[int], str]:
    """The URL of the store on each machine: each one has another address of it."""
    return lambda number: store.url_at(ADDRESSES[number])


def programs(
    fleet: Fleet, kind: str, url: Callable[[int], str], machines: int = MACHINES
) -> list[list[Any]]:
    """A program in each language on each machine."""
    return [
        [
            "env",
            *(f"{name}={value}" for name, value in _only(fleet, number, url(number), kind).items()),
            *participant(language, fleet.url(kind), look=False),
        ]
        for number in range(machines)
        for language in LANGUAGES
    ]


def _only(fleet: Fleet, number: int, store: str, kind: str) -> dict[str, str]:
    """The variables that make a machine of a program."""
    found = fleet.environment(number, store, kind)
    return {
        name: value
        for name, value in found.items()
        if name.startswith(("PLANETKEY", "PL_")) or name == "HOME"
    }


def all_served_by_one_request(fleet: Fleet, kind: str, url: Callable[[int], str]) -> None:
    """Programs in four languages on eight machines meet one expiry."""
    simulator = fleet.simulator
    fleet.let_expire(kind, url(0))
    before = refreshes(simulator, kind)
    simulator.script("m2m.token" if kind == "m2m" else "user.token", {"hold": "gate"})
    environment = fleet.environment(0, url(0), kind)
    with Crowd(programs(fleet, kind, url), environment) as crowd:
        crowd.wait_until_all_say("ready")
        crowd.ask()
        simulator.wait_held("gate")
        simulator.release("gate")
        answers = crowd.answers()
        header = answers[0][1][:1]
        assert answers == [(0, header)] * len(answers), crowd.errors()
    assert len(answers) == MACHINES * len(LANGUAGES)
    assert refreshes(simulator, kind) == before + 1
    assert simulator.get(fleet.url(kind), header[0]) == 200
    if kind == "user":
        fleet.check_user(1)


def _redis(servers: Servers, _: Path) -> Callable[[int], str]:
    return url_of(servers("redis"))


def _socket(servers: Servers, _: Path) -> Callable[[int], str]:
    url = servers("redis").socket_url
    return lambda _: url


def _tls(servers: Servers, certificates: Path) -> Callable[[int], str]:
    url = url_of(servers("tls"))
    return lambda number: f"{url(number)}?ca_file={certificates / 'ca.pem'}"


def _valkey(servers: Servers, _: Path) -> Callable[[int], str]:
    return url_of(servers("valkey"))


@CROWD
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", [_redis, _socket, _tls, _valkey], ids=lambda way: way.__name__[1:])
@pytest.mark.parametrize("repetition", range(REPEAT))
def test_eight_machines_in_four_languages_make_one_request(
    servers: Servers,
    fleet: Fleet,
    certificates: Path,
    way: Callable[[Servers, Path], Callable[[int], str]],
    kind: str,
    repetition: int,
) -> None:
    del repetition
    all_served_by_one_request(fleet, kind, way(servers, certificates))


@CROWD
@pytest.mark.parametrize("kind", KINDS)
def test_a_user_with_the_documented_rights_a_password_a_database_and_a_prefix(
    own_store: StoreServer, fleet: Fleet, kind: str
) -> None:
    rights = "resetkeys ~team1:planetkey:* resetchannels -@all +eval +time +pttl +get +set +del"
    rights += " +pexpire +pexpireat +persist +hget +hset +hdel +info +select +wait"
    own_store.client().execute_command(
        "ACL", "SETUSER", "planetkey", "on", f">{PASSWORD}", *rights.split()
    )
    own_store.client().execute_command("ACL", "SETUSER", "default", "-@write", "-eval")
    url = f"redis://planetkey:{QUOTED}@127.0.0.1:{own_store.port}/3?prefix=team1:"
    all_served_by_one_request(fleet, kind, lambda _: url)
    assert own_store.client(db=3).keys("team1:planetkey:1:{*}") != []
    assert own_store.client().dbsize() == 0


@CROWD
def test_twelve_machines_share_a_wait_that_the_server_asked_for(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    busy = {"status": 429, "headers": {"Retry-After": "600"}, "json": {"error": "slow_down"}}
    simulator.script("m2m.token", busy, repeat=True)
    with Crowd(
        programs(fleet, "m2m", url_of(store), machines=12), fleet.environment(0, store.url, "m2m")
    ) as crowd:
        crowd.wait_until_all_say("ready")
        crowd.ask()
        answers = crowd.answers()
        expected = [
            (UNAVAILABLE, []) if language == "command" else (0, ["UNAVAILABLE"])
            for _ in range(12)
            for language in LANGUAGES
        ]
        assert answers == expected, crowd.errors()
    assert simulator.count("m2m.token") == 1
    with pytest.raises(planetkey.UnavailableError) as raised:
        fleet.m2m(20, store.url).access_token()
    assert raised.value.retry_after is not None
    assert 500 < raised.value.retry_after <= 600
    assert simulator.count("m2m.token") == 1


def test_a_revoked_session_is_known_to_every_machine(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    fleet.log_in(store.url)
    (session,) = simulator.sessions()
    simulator.revoke(refresh_token=session["refresh_token"])
    for number in range(4):
        with pytest.raises(planetkey.LoginRequiredError) as raised:
            fleet.user(number, store.url).access_token()
        assert raised.value.reason == "revoked"
    sent = [request for request in simulator.requests("user.token") if is_refresh(request)]
    assert len(sent) == 1


def test_a_rejected_token_is_replaced_once(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    sessions = [fleet.m2m(number, store.url) for number in range(8)]
    (old,) = {str(session.access_token()) for session in sessions}
    for session in sessions:
        session.invalidate(old)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda session=session: found.append(str(session.access_token())))
        for session in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert found[0] != old
    assert simulator.count("m2m.token") == 2


def test_a_login_and_a_logout_are_those_of_every_machine(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    fleet.log_in(store.url, expired=False)
    other = fleet.user(1, store.url)
    assert (
        simulator.get(
            fleet.url("user"), "Authorization: " + other.headers(fleet.url("user"))["Authorization"]
        )
        == 200
    )
    assert simulator.count("user.rotations") == 0
    assert not list(fleet.home(0).rglob("token.json")), "a session in the store is not on a disk"
    assert other.logout()
    with pytest.raises(planetkey.LoginRequiredError):
        fleet.user(2, store.url).access_token()


def test_the_defaults_find_a_session_that_is_in_the_store_only(
    store: StoreServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.log_in(store.url, expired=False)
    for name, value in fleet.environment(5, store.url, "user").items():
        monkeypatch.setenv(name, value)
    session = planetkey.Session.from_defaults()
    assert session.is_initialized()
    assert session.access_token()


def test_two_profiles_are_two_sessions(store: StoreServer, fleet: Fleet) -> None:
    fleet.log_in(store.url, expired=False)
    home = fleet.home(1)
    directory = home / ".planet" / "another-profile"
    directory.mkdir(parents=True, mode=0o700)
    (directory / "auth_client.json").write_text(
        json.dumps({"client_type": "oidc_device_code", "client_id": _user_client(fleet)})
    )
    session = planetkey.Session.from_profile(
        "another-profile",
        storage_root=home,
        store=store.url,
        deployment=fleet.simulator.deployment,
        allow_insecure_loopback=True,
    )
    with pytest.raises(planetkey.LoginRequiredError):
        session.access_token()


def _user_client(fleet: Fleet) -> str:
    client = fleet.user(0, None).status().sources[0].client_id
    assert client is not None
    return client


def test_a_user_session_without_a_key_stays_on_its_machine(
    store: StoreServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLANETKEY_STORE_KEY")
    session = fleet.log_in(store.url, expired=False)
    assert store.records() == []
    assert list(fleet.home(0).rglob("token.json"))
    (source,) = session.status().sources
    assert source.store is not None
    assert "PLANETKEY_STORE_KEY is not set" in source.store["problem"]
    assert any("PLANETKEY_STORE_KEY" in note for note in session.status().notes)


def test_the_status_names_the_store_without_its_password(
    own_store: StoreServer, fleet: Fleet
) -> None:
    own_store.client().config_set("requirepass", PASSWORD)
    url = f"redis://:{QUOTED}@127.0.0.1:{own_store.port}/2"
    session = fleet.m2m(0, url)
    shown = f"redis://127.0.0.1:{own_store.port}/2"
    (source,) = session.status().sources
    assert source.store == {"name": shown, "reachable": None, "holds": None, "problem": None}
    session.access_token()
    (source,) = session.status().sources
    assert source.store == {"name": shown, "reachable": True, "holds": "token", "problem": None}
    assert PASSWORD not in json.dumps(session.status().to_dict())
    assert KEY not in json.dumps(session.status().to_dict())
