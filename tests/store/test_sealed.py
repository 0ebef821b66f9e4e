"""A reader of the store learns nothing, and a writer to it can forge nothing."""

import json

import planetkey
import pytest
from simulator import Simulator

from fleet import KEY, Fleet, is_refresh
from store_server import StoreServer

M2M_FIELDS = ("id", "seq", "tokens", "end")
# Those of a user session that are not sealed, beside `id`.
USER_FIELDS = ("seq", "end", "wait_until", "intent", "intent_by", "intent_until", "dead")
BUSY = {"status": 429, "headers": {"Retry-After": "600"}, "json": {"error": "slow_down"}}
DELETED = None
CHANGES = ("A", "", "0", "9" * 15, "-1", "inf", DELETED)


def test_a_dump_holds_no_token_id_or_secret(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    m2m = fleet.m2m(0, store.url)
    user = fleet.log_in(store.url)
    secrets = [str(m2m.access_token()), simulator.client_id, simulator.client_secret, KEY]
    simulator.script("m2m.token", BUSY, repeat=True)
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


def refresh(fleet: Fleet, store: StoreServer, number: int) -> None:
    """Refreshes the session of the user on another machine, whose token is valid."""
    session = fleet.user(number, store.url, timeout=10)
    session.access_token()
    session.refresh()


def change_field(store: StoreServer, field: str, value: str | None) -> None:
    """Writes to the only record, as a user who may write to the store."""
    if value is DELETED:
        store.client().hdel(store.record(), field)
    else:
        store.client().hset(store.record(), field, value)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("field", M2M_FIELDS)
def test_a_changed_field_costs_an_m2m_client_a_request_at_most(
    store: StoreServer, fleet: Fleet, simulator: Simulator, field: str, change: str | None
) -> None:
    token = str(fleet.m2m(0, store.url).access_token())
    assert set(store.client().hgetall(store.record())) == set(M2M_FIELDS)
    change_field(store, field, change)
    other = fleet.m2m(1, store.url).access_token()
    assert simulator.get(fleet.url("m2m"), f"Authorization: Bearer {other}") == 200
    assert simulator.count("m2m.token") == (2 if field in {"id", "tokens"} else 1)
    assert (str(other) == token) == (field not in {"id", "tokens"})


def flipped(value: str, index: int) -> str:
    """The value with another character at a place."""
    index %= len(value)
    return value[:index] + ("A" if value[index] != "A" else "B") + value[index + 1 :]


# In the form, the id of the key, the sealed text, its tag and its nonce.
PLACES = (0, 2, 17, 19, 60, -40, -30, -17, -16, -2)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("field", ["id", "tokens"])
def test_a_changed_session_is_not_used(
    store: StoreServer, fleet: Fleet, simulator: Simulator, field: str, place: int
) -> None:
    fleet.log_in(store.url, expired=False)
    before = store.client().hgetall(store.record())
    change_field(store, field, flipped(before[field], place))
    with pytest.raises((planetkey.LoginRequiredError, planetkey.MisconfiguredError)) as raised:
        fleet.user(1, store.url).access_token()
    is_of_another_key = field == "tokens" and 2 <= place < len("1.0123456789abcdef")
    assert isinstance(raised.value, planetkey.MisconfiguredError) == is_of_another_key
    assert raised.value.reason == (None if is_of_another_key else "corrupt")
    assert simulator.count("user.rotations") == 0
    # What was damaged is not replaced by anything, so it can be repaired.
    change_field(store, field, before[field])
    assert fleet.user(2, store.url).access_token()


def test_a_sealed_value_opens_at_its_place_only(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    """A wait that is moved to the tokens, and tokens that are moved to the wait."""
    session = fleet.m2m(0, store.url)
    session.access_token()
    simulator.script("m2m.token", BUSY)
    with pytest.raises(planetkey.UnavailableError):
        session.refresh()
    record = store.client().hgetall(store.record())
    store.client().hset(
        store.record(), mapping={"tokens": record["wait"], "wait": record["tokens"]}
    )
    assert fleet.m2m(1, store.url).access_token()
    assert simulator.count("m2m.token") == 3


@pytest.mark.parametrize("field", USER_FIELDS)
def test_a_changed_field_never_costs_a_user_session(
    store: StoreServer, fleet: Fleet, simulator: Simulator, field: str
) -> None:
    """After a refresh that failed, and one that was announced and lapsed."""
    fleet.log_in(store.url, expired=False)
    simulator.script("user.token", BUSY)
    with pytest.raises(planetkey.UnavailableError):
        refresh(fleet, store, 1)
    lapsed = {"intent": "0" * 64, "intent_by": "0" * 32, "intent_until": "1", "dead": "0" * 64}
    store.client().hset(store.record(), mapping=lapsed)
    before = store.client().hgetall(store.record())
    assert set(before) == {*USER_FIELDS, "id", "tokens", "wait"}
    for change in CHANGES:
        store.client().hset(store.record(), mapping=before)
        change_field(store, field, change)
        with pytest.raises(planetkey.UnavailableError) as raised:
            refresh(fleet, store, 2)
        assert raised.value.retry_after is not None, change
        store.client().hdel(store.record(), "wait")
        rotations = simulator.count("user.rotations")
        refresh(fleet, store, 3)
        fleet.check_user(rotations + 1)
        before |= {
            name: value
            for name, value in store.client().hgetall(store.record()).items()
            if name in {"id", "seq", "tokens", "end"}
        }


def test_a_changed_wait_is_not_used(store: StoreServer, fleet: Fleet, simulator: Simulator) -> None:
    fleet.log_in(store.url, expired=False)
    for number, change in enumerate(CHANGES):
        simulator.script("user.token", BUSY)
        with pytest.raises(planetkey.UnavailableError):
            refresh(fleet, store, 1)
        sealed = store.client().hget(store.record(), "wait")
        change_field(store, "wait", flipped(sealed, -30) if change == "A" else change)
        refresh(fleet, store, 2)
        fleet.check_user(number + 1)


def test_a_changed_logout_is_not_undone(store: StoreServer, fleet: Fleet) -> None:
    fleet.log_in(store.url, expired=False)
    assert fleet.user(1, store.url).logout()
    for change in CHANGES:
        change_field(store, "out", change)
        with pytest.raises(planetkey.LoginRequiredError):
            fleet.user(2, store.url).access_token()


def test_a_refused_token_is_refused_again_if_all_marks_are_deleted(
    store: StoreServer, fleet: Fleet, simulator: Simulator
) -> None:
    """The most that a user who may write to the store can do: one request that is refused."""
    fleet.log_in(store.url, expired=False)
    (session,) = simulator.sessions()
    simulator.revoke(refresh_token=session["refresh_token"])

    def refused(number: int) -> int:
        with pytest.raises(planetkey.LoginRequiredError) as raised:
            refresh(fleet, store, number)
        assert raised.value.reason == "revoked"
        return len([each for each in simulator.requests("user.token") if is_refresh(each)])

    assert [refused(1), refused(2)] == [1, 1]
    for fields, sent in ((["dead"], 1), (["wait", "wait_until"], 1), (["dead", "wait"], 2)):
        before = store.client().hgetall(store.record())
        store.client().hdel(store.record(), *fields)
        assert [refused(3), refused(4)] == [sent, sent], fields
        store.client().hset(store.record(), mapping=before)


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
