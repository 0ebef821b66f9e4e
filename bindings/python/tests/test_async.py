"""The twins for event loops: they give the same, never block the loop, and can be cancelled."""

import asyncio
import inspect
import signal
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import planetkey
import pytest
from planet_simulator import Simulator, finish, tell, token_file

T = TypeVar("T")

OPENID = ["planet", "offline_access", "openid", "profile", "email"]
BROWSER_CLIENT: dict[str, Any] = {
    "client_type": "oidc_auth_code",
    "client_id": "desktop",
    "redirect_uri": "http://127.0.0.1/callback",
    "scopes": OPENID,
}

#: Calls that do not block, so that they have no twin.
IMMEDIATE = {
    "api_key",
    "auth_flow",
    "async_auth_flow",
    "authorize_cached",
    "cancel",
    "from_api_key",
    "from_client_config",
    "from_defaults",
    "from_m2m",
    "from_profile",
    "from_token_provider",
    "invalidate",
    "is_initialized",
    "qr_code",
    "requires_request_body",
    "requires_response_body",
    "signed_url",
    "status",
    "sync_auth_flow",
    "with_timeout",
}


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it, within a minute."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def desktop(simulator: Simulator, **options: Any) -> planetkey.Session:  # noqa: ANN401
    simulator.register(
        client_id="desktop",
        public=True,
        server="user",
        redirect_uris=["http://127.0.0.1/callback"],
    )
    return planetkey.Session.from_client_config(
        BROWSER_CLIENT, deployment=simulator.deployment, allow_insecure_loopback=True, **options
    )


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def test_every_call_that_may_block_has_an_async_one() -> None:
    for cls in (planetkey.Session, planetkey.DeviceLogin, planetkey.BrowserLogin):
        for name, member in vars(cls).items():
            if name.startswith("_") or name.endswith("_async") or not callable(member):
                continue
            assert (f"{name}_async" in vars(cls)) is (name not in IMMEDIATE), name
            if f"{name}_async" in vars(cls):
                twin = vars(cls)[f"{name}_async"]
                assert inspect.signature(member) == inspect.signature(twin)
                assert "event loop" in (inspect.getdoc(twin) or "")
    assert inspect.signature(planetkey.settle) == inspect.signature(planetkey.settle_async)


def test_the_async_calls_of_an_m2m_session(simulator: Simulator) -> None:
    async def main() -> None:
        session = simulator.m2m()
        url = simulator.sentinel_hub_api + "/api"
        headers = await session.headers_async(url)
        assert headers == session.headers(url)
        authorization = await session.authorize_async(url)
        assert authorization.headers == headers
        token = await session.access_token_async()
        assert headers == {"Authorization": f"Bearer {token}"}
        assert token is session.access_token()
        await session.refresh_async()
        assert await session.access_token_async() != token
        assert (await session.logout_async()).removed
        assert not (await session.logout_async(revoke=False)).removed
        assert await planetkey.settle_async()
        assert await planetkey.settle_async(timeout=1)

    run(main())
    assert simulator.count("m2m.token") == 2


def test_the_async_calls_of_a_user_session(simulator: Simulator) -> None:
    simulator.settings(device_interval=1)
    session = simulator.user()
    threads_of_prompt: list[threading.Thread] = []

    def prompt(prompt: planetkey.Prompt) -> None:
        threads_of_prompt.append(threading.current_thread())
        assert prompt.user_code is not None
        simulator.log_in(user_code=prompt.user_code, username="ada")

    async def main() -> None:
        result = await session.login_async(prompt=prompt, open_browser=False, scopes=OPENID)
        assert (result.prompted, result.subject) == (True, "user|ada")
        assert (await session.userinfo_async())["email"] == "ada@example.com"
        assert (await session.id_token_claims_async())["sub"] == "user|ada"
        assert (await session.introspect_async())["active"] is True
        assert not (await session.login_async()).prompted

    run(main())
    assert threads_of_prompt != [threading.main_thread()]


def test_errors_are_raised_when_the_coroutine_is_awaited(simulator: Simulator) -> None:
    async def main() -> None:
        key = simulator.key()
        refused = [
            key.headers_async(simulator.sentinel_hub_api),
            key.authorize_async(simulator.sentinel_hub_api),
        ]
        for call in refused:
            with pytest.raises(planetkey.HostRefusedError):
                await call
        with pytest.raises(planetkey.UnsupportedError):
            await key.access_token_async()
        with pytest.raises(planetkey.InvalidArgumentError):
            await simulator.key(transport="query").headers_async(simulator.planet_api + "/data")
        with pytest.raises(TypeError, match=r"login\(\) got an unexpected keyword argument"):
            await key.login_async(timeout_ms=1)  # type: ignore[call-arg]
        with pytest.raises(planetkey.InvalidArgumentError, match="timeout"):
            await planetkey.settle_async(-1)

    run(main())


def test_a_cached_token_needs_no_thread(simulator: Simulator) -> None:
    session = simulator.m2m()
    session.access_token()
    url = simulator.sentinel_hub_api + "/api"

    def step(coroutine: Coroutine[Any, Any, Any]) -> None:
        with pytest.raises(StopIteration):
            coroutine.send(None)

    # Each finishes with its first step, without an event loop.
    step(session.headers_async(url))
    step(session.authorize_async(url))
    step(session.access_token_async())


def test_the_async_calls_after_a_response(simulator: Simulator) -> None:
    async def main() -> None:
        session = simulator.m2m()
        url = simulator.sentinel_hub_api + "/api"
        assert await session.authorize_if_served_async("https://example.org/") is None
        with pytest.raises(planetkey.InvalidArgumentError):
            await session.authorize_if_served_async("not a url")
        assert simulator.count("m2m.token") == 0
        authorization = await session.authorize_if_served_async(url)
        assert authorization is not None
        assert await session.after_response_async(authorization, 200) is None
        assert await session.after_response_async(authorization, 403, "Bearer") is None
        repeats = await asyncio.gather(
            *(session.after_response_async(authorization, 401, "Bearer") for _ in range(5))
        )
        assert {repeat.access_token for repeat in repeats if repeat} == {session.access_token()}
        assert all(repeats)
        assert session.access_token() != authorization.access_token

    run(main())
    assert simulator.count("m2m.token") == 2


async def after_401(session: planetkey.Session, url: str) -> object:
    """Waits for a new token after a 401. The first one is of a call that did not wait."""
    authorization = await session.authorize_async(url)
    return await session.after_response_async(authorization, 401, None)


BLOCKING: list[tuple[str, str, Callable[[planetkey.Session, str], Awaitable[object]]]] = [
    ("m2m", "m2m.token", lambda session, _: session.access_token_async()),
    ("m2m", "m2m.token", lambda session, url: session.headers_async(url)),
    ("m2m", "m2m.token", lambda session, url: session.authorize_async(url)),
    ("m2m", "m2m.token", lambda session, url: session.authorize_if_served_async(url)),
    ("m2m", "m2m.token", lambda session, _: session.refresh_async()),
    ("user", "user.token", lambda session, _: session.refresh_async()),
    ("user", "user.userinfo", lambda session, _: session.userinfo_async()),
    ("user", "user.jwks", lambda session, _: session.id_token_claims_async()),
    ("user", "user.introspect", lambda session, _: session.introspect_async()),
    ("user", "user.revoke", lambda session, _: session.logout_async()),
    ("user", "user.device", lambda session, _: session.start_device_login_async()),
    ("user", "user.metadata", lambda session, _: session.start_browser_login_async()),
]


@pytest.mark.parametrize(
    ("kind", "target", "call"),
    BLOCKING,
    ids=[
        "access_token",
        "headers",
        "authorize",
        "authorize_if_served",
        "refresh",
        "refresh_of_a_user",
        "userinfo",
        "id_token_claims",
        "introspect",
        "logout",
        "start_device_login",
        "start_browser_login",
    ],
)
def test_cancelling_the_task_cancels_the_call(
    simulator: Simulator,
    kind: str,
    target: str,
    call: Callable[[planetkey.Session, str], Awaitable[object]],
) -> None:
    simulator.saved_login(subject="user|ada", scope=" ".join(OPENID))
    simulator.script(target, {"hold": "never"})
    if target == "user.metadata":
        session = desktop(simulator, timeout=600)
    else:
        session = getattr(simulator, kind)(timeout=600)
    before = threads()

    async def main() -> None:
        task = asyncio.ensure_future(call(session, simulator.sentinel_hub_api + "/api"))
        # The loop is free while the call waits for the server.
        await asyncio.to_thread(simulator.wait_held, "never")
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # The end of the loop joins its threads. The timeout is ten minutes away.
    run(main())
    simulator.release("never")
    assert {thread for thread in threads() if not thread.daemon} <= before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("target", "call"),
    [
        ("user.userinfo", "userinfo()"),
        ("user.jwks", "id_token_claims()"),
        ("user.introspect", "introspect()"),
        ("user.revoke", "logout()"),
        ("user.userinfo", "userinfo_async()"),
    ],
)
def test_ctrl_c_cancels_userinfo_and_introspection(
    simulator: Simulator, target: str, call: str
) -> None:
    simulator.saved_login(subject="user|ada", scope=" ".join(OPENID))
    simulator.script(target, {"hold": "never"})
    script = f"""
import asyncio, signal, sys, planetkey
signal.signal(signal.SIGINT, signal.default_int_handler)
session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True, timeout=600)
async def main():
    await session.{call}
try:
    {"asyncio.run(main())" if "async" in call else "session." + call}
    sys.exit("not interrupted")
except KeyboardInterrupt:
    print("interrupted")
"""
    process = simulator.python(script)
    simulator.wait_held("never")
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "interrupted\n", "")


def get(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as response:
        status: int = response.status
        return status


def test_a_device_login_in_an_event_loop(simulator: Simulator) -> None:
    simulator.settings(device_interval=1)

    async def main() -> None:
        async with await simulator.user().start_device_login_async() as login:
            with pytest.raises(planetkey.TimeoutError):
                await login.wait_async(timeout=0)
            assert await login.poll_async() is None
            assert 0 < login.poll_interval <= 1
            assert login.expires_in > 60
            simulator.log_in(user_code=login.user_code)
            result = await login.wait_async()
            assert result.subject == "simulator-user"
        # A login that has finished cannot be cancelled.
        assert (await login.wait_async()).subject == "simulator-user"
        assert (await login.poll_async()) is not None

    run(main())
    assert token_file("planet-user").exists()


def test_a_browser_login_in_an_event_loop(simulator: Simulator) -> None:
    async def main() -> None:
        async with await desktop(simulator).start_browser_login_async() as login:
            waiting = asyncio.create_task(login.wait_async())
            location = simulator.log_in(authorization_url=login.authorization_url)["location"]
            assert await asyncio.to_thread(get, location) == 200
            assert (await waiting).subject == "simulator-user"

    run(main())


def test_a_browser_login_is_completed_in_an_event_loop(simulator: Simulator) -> None:
    async def main() -> None:
        async with await desktop(simulator).start_browser_login_async() as login:
            assert await login.poll_async() is None
            location = simulator.log_in(authorization_url=login.authorization_url)["location"]
            with pytest.raises(planetkey.InvalidArgumentError):
                await login.complete_async("nonsense")
            assert (await login.complete_async(location)).subject == "simulator-user"

    run(main())


def test_cancelling_a_task_that_waits_cancels_the_login(simulator: Simulator) -> None:
    async def main() -> None:
        for login in (
            await simulator.user().start_device_login_async(),
            await desktop(simulator).start_browser_login_async(),
        ):
            waiting = asyncio.create_task(login.wait_async())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(planetkey.CancelledError):
                await login.wait_async()

    run(main())


@pytest.mark.parametrize("kind", ["device", "browser"])
def test_the_block_of_a_login_cancels_it(simulator: Simulator, kind: str) -> None:
    def start() -> planetkey.DeviceLogin | planetkey.BrowserLogin:
        if kind == "device":
            return simulator.user().start_device_login()
        return desktop(simulator).start_browser_login()

    with start() as login:
        assert login.poll() is None
    with pytest.raises(planetkey.CancelledError):
        login.poll()

    with pytest.raises(LookupError), start() as login:
        raise LookupError
    with pytest.raises(planetkey.CancelledError):
        login.wait()

    async def main() -> None:
        with pytest.raises(LookupError):
            async with start() as login:
                raise LookupError
        with pytest.raises(planetkey.CancelledError):
            await login.wait_async()

        entered = asyncio.Event()
        logins = []

        async def block() -> None:
            async with start() as login:
                logins.append(login)
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(block())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(planetkey.CancelledError):
            await logins[0].wait_async()

    run(main())


def test_a_program_ends_while_an_async_call_waits(simulator: Simulator) -> None:
    """As with `fsspec`, whose loop runs on a daemon thread that nothing stops."""
    simulator.script("m2m.token", {"hold": "never"})
    script = """
import asyncio, sys, threading, planetkey
session = planetkey.Session.from_defaults(timeout=600)
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(session.access_token_async(), loop)
sys.stdin.readline()
"""
    process = simulator.python(script)
    simulator.wait_held("never")
    tell(process, "end")
    code, _, _ = finish(process)
    assert code == 0
