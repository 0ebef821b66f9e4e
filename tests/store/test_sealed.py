"""A reader of the store learns nothing, and a writer to it can forge nothing."""

import json

import planetkey
import pytest
from simulator import Simulator

from fleet import KEY, Fleet
from store_server import StoreServer

M2M_FIELDS = ("id", "seq", "tokens", "end")
USER_FIELDS = ("id", "tokens")


def test_a_dump_holds_no_token_id_or_secret(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    m2m = fleet.m2m(0, store.url)
    user = fleet.log_in(store.url)
    busy = {"status": 429, "headers": {"Retry-After": "600"}, "json": {"error": "slow_down"}}
    secrets = [str(m2m.access_token()), simulator.client_id, simulator.client_secret, KEY]
    simulator.script("m2m.token", busy, repeat=True)
    with pytest.raises(planetkey.UnavailableError):
        m2m.refresh()
    secrets.append(str(user.access_token()))
    (session,) = simulator.sessions()
    secrets += [session["refresh_token"], session["client_id"], session["subject"]]
    dump = store.dump()
    assert (dump.count("'tokens'"), dump.count("'wait'")) == (2, 1)
    for secret in secrets:
        assert secret not in dump
        assert secret.encode().hex() not in dump


@pytest.mark.parametrize("change", ["A", "", "0", "9" * 15])
@pytest.mark.parametrize("field", M2M_FIELDS)
def test_a_changed_field_costs_an_m2m_client_a_request_at_most(
    store: StoreServer, fleet: Fleet, simulator: Simulator, field: str, change: str
) -> None:
    token = str(fleet.m2m(0, store.url).access_token())
    store.client().hset(store.record(), field, change)
    other = fleet.m2m(1, store.url).access_token()
    assert simulator.get(fleet.url("m2m"), f"Authorization: Bearer {other}") == 200
    assert simulator.count("m2m.token") == (2 if field in {"id", "tokens"} else 1)
    assert (str(other) == token) == (field not in {"id", "tokens"})


@pytest.mark.parametrize("field", USER_FIELDS)
def test_a_changed_session_is_not_used(
    store: StoreServer, fleet: Fleet, simulator: Simulator, field: str
) -> None:
    fleet.log_in(store.url)
    value = store.client().hget(store.record(), field)
    changed = value[:-8] + ("AAAAAAAA" if value[-8:] != "AAAAAAAA" else "BBBBBBBB")
    store.client().hset(store.record(), field, changed)
    with pytest.raises(planetkey.LoginRequiredError) as raised:
        fleet.user(1, store.url).access_token()
    assert raised.value.reason == "corrupt"
    assert simulator.count("user.rotations") == 0


def test_tokens_of_another_client_are_not_used(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    """A record that is copied over another one, as its writer could."""
    simulator.register(client_id="other", client_secret="other-secret-of-the-tests")
    fleet.m2m(0, store.url).access_token()
    mine = store.record()
    other = planetkey.Session.from_m2m(
        "other",
        "other-secret-of-the-tests",
        storage_root=fleet.home(1),
        store=store.url,
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
    )
    foreign = str(other.access_token())
    (theirs,) = [record for record in store.records() if record != mine]
    store.client().hset(mine, mapping=store.client().hgetall(theirs))
    assert str(fleet.m2m(2, store.url).access_token()) != foreign
    assert simulator.count("m2m.token") == 3


def test_a_forged_wait_is_ignored(store: StoreServer, fleet: Fleet, simulator: Simulator) -> None:
    fleet.m2m(0, store.url).access_token()
    record = store.record()
    store.client().delete(record)
    forged = json.dumps({"form": 1, "not_before": {"unix_ms": 9e15, "status": "UNAVAILABLE"}})
    store.client().hset(record, mapping={"wait": forged, "wait_until": "9" * 15})
    fleet.m2m(1, store.url).access_token()
    assert simulator.count("m2m.token") == 2


@pytest.mark.parametrize("key", ["short", "short,short", KEY + ",short"])
def test_a_key_that_can_be_guessed_is_refused(
    store: StoreServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("PLANETKEY_STORE_KEY", key)
    with pytest.raises(planetkey.MisconfiguredError) as raised:
        fleet.user(0, store.url)
    assert "PLANETKEY_STORE_KEY" in str(raised.value)
    assert key not in str(raised.value)
