"""Sessions with tokens of a provider: how it is called, what it may return, and its failures."""

import asyncio
import base64
import json
import logging
import time
from datetime import datetime, timedelta, timezone
from threading import Event, Lock, Thread, current_thread, main_thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import planetkey
import pytest
from planet_simulator import Simulator, Together, finish
from planetkey.provider import TokenProvider

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://services.sentinel-hub.com/api/v1/catalog"
PLANET = "https://api.planet.com/data/v1"
SECRET = "SECRET-of-the-broker"


class Broker:
    """Returns ``token-1``, ``token-2`` and so on, when its gate is open."""

    def __init__(self, lifetime: float = 3600) -> None:
        self.calls: list[planetkey.TokenRequest] = []
        self.gate = Event()
        self.gate.set()
        self._lifetime = lifetime
        self._busy = Lock()

    def __call__(self, *, request: planetkey.TokenRequest) -> tuple[str, float]:
        assert self._busy.acquire(blocking=False), "two calls at once"
        self.calls.append(request)
        number = len(self.calls)
        self.gate.wait(60)
        self._busy.release()
        return f"token-{number}", self._lifetime


def jwt(**claims: object) -> str:
    """A token with these claims. Nothing verifies its signature."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"


def test_it_is_called_when_a_token_is_needed_and_on_another_thread() -> None:
    threads = []

    def provide() -> tuple[str, float]:
        threads.append(current_thread())
        return "token-1", 3600

    session = planetkey.Session.from_token_provider(provide)
    assert threads == []
    for _ in range(3):
        assert session.headers(URL) == {"Authorization": "Bearer token-1"}
    assert session.access_token() == "token-1"
    assert len(threads) == 1
    assert threads[0] is not main_thread()
    status = session.status().sources[0]
    assert (status.client_type, status.client_id) == ("token_provider", None)
    assert status.source == "argument: token provider"


def test_thirty_two_threads_at_expiry_make_one_call() -> None:
    broker = Broker()
    session = planetkey.Session.from_token_provider(broker)
    for number in [1, 2, 3]:
        broker.gate.clear()
        threads = Together(32, session.access_token)
        while len(broker.calls) < number:
            time.sleep(0)
        assert threads.finished == 0
        broker.gate.set()
        assert [outcome.value for outcome in threads.join()] == [f"token-{number}"] * 32
        # The token is gone, as after an expiry.
        session.logout()
    assert len(broker.calls) == 3


@pytest.mark.parametrize(
    ("provided", "lifetime"),
    [
        (("t", 600), 600),
        (["t", 600.5], 600),
        (("t", timedelta(minutes=5)), 300),
        (("t", None), 300),
        ("t", 300),
        ({"access_token": "t", "expires_in": 600, "token_type": "Bearer"}, 600),
        (lambda: {"access_token": "t", "expires_at": time.time() + 600}, 600),
        ({"access_token": "t"}, 300),
        (SimpleNamespace(access_token="t", expires_in=600), 600),
        (lambda: SimpleNamespace(access_token="t", expires_at=time.time() + 600), 600),
    ],
)
def test_what_it_may_return(provided: Any, lifetime: int) -> None:  # noqa: ANN401
    provider = provided if callable(provided) else lambda: provided
    session = planetkey.Session.from_token_provider(provider)
    expires_at = session.authorize(URL).expires_at
    assert expires_at is not None
    left = expires_at - datetime.now(timezone.utc)
    assert abs(left.total_seconds() - lifetime) < 60


def test_times_with_a_zone_and_times_of_a_token() -> None:
    soon = datetime.now(timezone.utc) + timedelta(minutes=10)
    for provided in [
        {"access_token": "t", "expires_at": soon},
        (jwt(exp=int(soon.timestamp())), None),
        (jwt(exp=int(soon.timestamp())), 3600),
    ]:
        session = planetkey.Session.from_token_provider(lambda provided=provided: provided)
        expires_at = session.authorize(URL).expires_at
        assert expires_at is not None
        assert abs((expires_at - soon).total_seconds()) < 60


@pytest.mark.parametrize(
    ("provided", "says"),
    [
        (None, "NoneType"),
        (7, "int"),
        ((SECRET,), "1 values"),
        ((SECRET, 1, 2), "3 values"),
        ((7, 3600), "a token that is int"),
        ((SECRET, SECRET), "str as expires_in"),
        ((SECRET, True), "bool as expires_in"),
        ({"token": SECRET}, "a token that is NoneType"),
        ({"access_token": SECRET, "expires_at": datetime.now()}, "time zone"),
        (("Bearer " + SECRET, 3600), "without `Bearer`"),
        (("", 3600), "empty"),
        ((SECRET + "\n", 3600), "bearer token"),
        ((SECRET + "\ud800", 3600), ""),
    ],
)
def test_what_it_may_not_return(provided: Any, says: str) -> None:  # noqa: ANN401
    session = planetkey.Session.from_token_provider(lambda: provided)
    with pytest.raises(planetkey.Error) as caught:
        session.headers(URL)
    assert isinstance(caught.value, (planetkey.MisconfiguredError, planetkey.UnavailableError)), (
        caught.value
    )
    assert says in caught.value.message
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("expired", [("t", 0), ("t", -5), {"access_token": "t", "expires_at": 5}])
def test_an_expired_token_is_an_error_and_no_storm(expired: Any) -> None:  # noqa: ANN401
    calls: list[None] = []

    def provide() -> Any:  # noqa: ANN401
        calls.append(None)
        return expired

    session = planetkey.Session.from_token_provider(provide)
    for _ in range(200):
        with pytest.raises(planetkey.UnavailableError, match="expired") as caught:
            session.access_token()
        assert caught.value.retryable
    assert len(calls) <= 3


def test_its_exceptions_are_unavailable_and_their_text_is_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "planetkey")

    def provide() -> tuple[str, float]:
        raise ConnectionError(SECRET)

    session = planetkey.Session.from_token_provider(provide)
    with pytest.raises(planetkey.UnavailableError) as caught:
        session.access_token()
    assert "raised ConnectionError" in caught.value.message
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text
    assert "test_provider.py" in caplog.text


def test_its_planetkey_errors_reach_the_caller() -> None:
    raised: list[planetkey.Error] = [
        planetkey.UnavailableError("the broker is busy", retry_after=600.0, http_status=503),
        planetkey.LoginRequiredError("log in at the broker", reason="expired"),
        planetkey.DeniedError("not for this worker", oauth_error="access_denied"),
        planetkey.TimeoutError("the broker is slow", retryable=True),
    ]
    for error in raised:

        def provide(error: planetkey.Error = error) -> tuple[str, float]:
            raise error

        session = planetkey.Session.from_token_provider(provide)
        with pytest.raises(type(error)) as caught:
            session.access_token()
        got = caught.value
        assert got is not error
        for name in ["message", "reason", "http_status", "oauth_error"]:
            assert getattr(got, name) == getattr(error, name)
        if error.retry_after:
            assert got.retry_after == error.retry_after


def test_a_session_behind_a_session(simulator: Simulator) -> None:
    """The natural broker: another session, whose tokens this one hands on."""
    inner = simulator.m2m()

    def provide() -> dict[str, Any]:
        authorization = inner.authorize(simulator.sentinel_hub_api + "/api/v1")
        return {
            "access_token": authorization.access_token,
            "expires_at": authorization.expires_at,
        }

    session = planetkey.Session.from_token_provider(
        provide, deployment=simulator.deployment, allow_insecure_loopback=True
    )
    url = simulator.sentinel_hub_api + "/api/v1/catalog"
    assert session.headers(url) == inner.headers(url)
    assert simulator.count("m2m.token") == 1


def test_its_own_session_cannot_be_waited_for() -> None:
    errors: list[str] = []

    def provide() -> tuple[str, float]:
        with pytest.raises(planetkey.UnavailableError) as caught:
            session.access_token()
        errors.append(caught.value.message)
        return "token-1", 3600

    session = planetkey.Session.from_token_provider(provide)
    assert session.access_token() == "token-1"
    assert "cannot wait for itself" in errors[0]


def test_a_401_is_told_and_repeated_once() -> None:
    broker = Broker()
    session = planetkey.Session.from_token_provider(broker)
    first = session.authorize(URL)
    repeat = session.after_response(first, 401, None)
    assert repeat is not None
    assert repeat.headers == {"Authorization": "Bearer token-2"}
    assert [request.rejected_token for request in broker.calls] == [None, "token-1"]
    assert 0 < broker.calls[0].timeout <= 30
    assert "token-1" not in repr(broker.calls[1])


def test_a_jwt_goes_to_hosts_of_its_issuer() -> None:
    def opened(**claims: object) -> planetkey.Session:
        token = jwt(**claims)
        return planetkey.Session.from_token_provider(lambda: (token, 3600))

    user = opened(iss="https://login.planet.com/")
    assert not user.authorize(PLANET).under_development
    machine = opened(iss="https://services.sentinel-hub.com/auth/realms/main")
    assert machine.authorize(PLANET).under_development
    other = opened(iss="https://issuer.example.org/")
    for call in [other.authorize, other.headers]:
        with pytest.raises(planetkey.HostRefusedError):
            call(PLANET)


def test_a_coroutine_is_awaited_in_a_loop_of_its_own() -> None:
    async def provide(request: planetkey.TokenRequest) -> tuple[str, float]:
        assert request.timeout > 0
        await asyncio.sleep(0)
        return "token-1", 3600

    session = planetkey.Session.from_token_provider(provide)
    assert session.access_token() == "token-1"

    async def use() -> None:
        session = planetkey.Session.from_token_provider(provide)
        headers = await asyncio.gather(*[session.headers_async(URL) for _ in range(8)])
        assert headers == [{"Authorization": "Bearer token-1"}] * 8

    asyncio.run(asyncio.wait_for(use(), 60))


def test_a_coroutine_that_hangs_ends_at_the_deadline() -> None:
    cancelled = Event()

    async def provide() -> tuple[str, float]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    session = planetkey.Session.from_token_provider(provide, timeout=0.05)
    with pytest.raises((planetkey.TimeoutError, planetkey.UnavailableError)):
        session.access_token()
    assert cancelled.wait(60)


def test_a_provider_that_hangs_costs_the_deadline_and_its_token_is_used_later() -> None:
    broker = Broker()
    broker.gate.clear()
    session = planetkey.Session.from_token_provider(broker)
    hasty = session.with_timeout(0.02)
    for _ in range(3):
        with pytest.raises(planetkey.TimeoutError):
            hasty.access_token()
    broker.gate.set()
    assert session.access_token() == "token-1"
    assert len(broker.calls) == 1


def test_the_event_loop_is_free_meanwhile() -> None:
    broker = Broker()
    broker.gate.clear()
    session = planetkey.Session.from_token_provider(broker)

    async def use() -> str:
        waiting = asyncio.create_task(session.access_token_async())
        while not broker.calls:
            await asyncio.sleep(0)
        broker.gate.set()
        return await waiting

    assert asyncio.run(asyncio.wait_for(use(), 60)) == "token-1"


def test_wrong_arguments() -> None:
    from_token_provider: Callable[..., planetkey.Session] = planetkey.Session.from_token_provider
    for wrong in [None, "token", ("token", 3600)]:
        with pytest.raises(TypeError, match="callable"):
            from_token_provider(wrong)
    broker = Broker()
    refused: list[dict[str, Any]] = [
        {"save": True},
        {"storage": SimpleNamespace(load=print, save=print)},
    ]
    for options in refused:
        with pytest.raises(planetkey.InvalidArgumentError):
            from_token_provider(broker, **options)
    with pytest.raises(TypeError):
        from_token_provider(broker, profile="mine")


def test_it_cannot_be_pickled() -> None:
    import pickle

    session = planetkey.Session.from_token_provider(lambda: ("token", 3600))
    with pytest.raises(planetkey.NotPicklableError):
        pickle.dumps(session)


def test_the_types_of_the_package() -> None:
    provider: TokenProvider = Broker()
    assert planetkey.TokenProvider is TokenProvider
    assert planetkey.Session.from_token_provider(provider).access_token() == "token-1"


def test_a_forked_child_calls_its_own_provider(simulator: Simulator) -> None:
    script = """
import os, sys, planetkey
def provide():
    return f"token-of-{os.getpid()}", 3600
session = planetkey.Session.from_token_provider(provide)
parents = session.access_token()
child = os.fork()
if child == 0:
    try:
        assert session.access_token() == parents
        session.refresh()
        assert session.access_token() == f"token-of-{os.getpid()}"
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(5)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    code, output, _ = finish(simulator.python(script))
    assert (code, output) == (0, "")


def test_a_provider_that_hangs_does_not_hold_the_end_of_the_program(simulator: Simulator) -> None:
    script = """
import threading, planetkey
called = threading.Event()
def provide():
    called.set()
    threading.Event().wait(3)
    return "token", 3600
session = planetkey.Session.from_token_provider(provide, timeout=0.01)
try:
    session.access_token()
except planetkey.TimeoutError:
    print("timeout")
assert called.wait(60)
"""
    assert finish(simulator.python(script)) == (0, "timeout\n", "")


def test_other_threads_run_while_it_is_called() -> None:
    broker = Broker()
    broker.gate.clear()
    session = planetkey.Session.from_token_provider(broker)
    opener = Thread(target=lambda: broker.gate.set())
    waiting = Together(1, session.access_token)
    opener.start()
    assert [outcome.value for outcome in waiting.join()] == ["token-1"]
    opener.join()
