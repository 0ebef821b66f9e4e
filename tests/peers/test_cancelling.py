"""A task that waits for a token is cancelled: its thread ends, and so can the program.

The token never arrives and the deadline is ten minutes away, so only the cancellation ends it.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import httpx
import planetkey
import pytest

from loopback import Loopback

WAITING = """
import asyncio, signal, sys
import planetkey
signal.signal(signal.SIGINT, signal.default_int_handler)
session = planetkey.Session.from_m2m(*sys.argv[1:3], allow_insecure_loopback=True, timeout=600)
url = sys.argv[3]
"""
HTTPX = """
import httpx
async def ask():
    async with httpx.AsyncClient(auth=session) as client:
        await client.get(url)
"""
AIOHTTP = """
import aiohttp, planetkey.aiohttp
async def ask():
    middlewares = (planetkey.aiohttp.Middleware(session),)
    async with aiohttp.ClientSession(middlewares=middlewares) as client:
        await client.get(url)
"""
PLANET = """
import planet, planetkey.planet
async def ask():
    async with planetkey.planet.Session(session) as sdk:
        await sdk.request("GET", url)
"""
# After a 401, the task waits for a token too.
REFUSED = """
session.access_token()
print("refused", flush=True)
sys.stdin.readline()
"""
CANCELLED = """
async def main():
    task = asyncio.create_task(ask())
    await asyncio.to_thread(sys.stdin.readline)
    task.cancel()
    await asyncio.wait((task,))
    print(task.cancelled(), flush=True)
asyncio.run(main())
print("ended", flush=True)
"""
INTERRUPTED = """
try:
    asyncio.run(ask())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
INTERRUPTED_ON_TRIO = INTERRUPTED.replace("asyncio.run(ask())", "import trio; trio.run(ask)")
# Its loop runs on another thread.
FSSPEC = """
import fsspec, planetkey.aiohttp
options = {"middlewares": (planetkey.aiohttp.Middleware(session),)}
files = fsspec.filesystem("https", client_kwargs=options)
try:
    files.cat_file(url)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
# Called after the adapters were told of the end. The interrupts of the others are polled while it
# waits.
ENDING = """
import concurrent.futures.thread, threading
def end():
    try:
        session.with_timeout(0.5).access_token()
    except planetkey.TimeoutError:
        print("ending", flush=True)
threading._register_atexit(end)
"""
IN_A_THREAD = """
threading.Thread(target=lambda: print(asyncio.run(ask()))).start()
sys.stdin.readline()
"""
# A loop without the cleanup of `asyncio.run`.
LEFT = """
import httpx
async def main():
    async with httpx.AsyncClient(auth=session) as client:
        print((await client.get(url)).status_code, flush=True)
        await asyncio.Event().wait()
try:
    asyncio.new_event_loop().run_until_complete(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
LEFT_WAITING = INTERRUPTED.replace("asyncio.run", "asyncio.new_event_loop().run_until_complete")

clients = pytest.mark.parametrize(
    "client", [HTTPX, AIOHTTP, PLANET], ids=["httpx", "aiohttp", "planet"]
)


@contextmanager
def program(loopback: Loopback, *parts: str) -> Iterator["subprocess.Popen[str]"]:
    """A program made of these parts."""
    simulator = loopback.simulator
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "".join(parts),
            simulator.client_id,
            simulator.client_secret,
            loopback.sentinel_hub,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]", told: str | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of a process, which ends long before the deadline."""
    output, errors = process.communicate(told, timeout=60)
    return process.returncode, output, errors


@clients
def test_a_cancelled_task_leaves_no_thread(loopback: Loopback, client: str) -> None:
    loopback.simulator.script("m2m.token", {"hold": "never"})
    with program(loopback, WAITING, client, CANCELLED) as process:
        loopback.simulator.wait_held("never")
        assert ended(process, "cancel\n") == (0, "True\nended\n", "")


@clients
def test_a_cancelled_task_leaves_no_thread_after_a_401(loopback: Loopback, client: str) -> None:
    with program(loopback, WAITING, client, REFUSED, CANCELLED) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "refused\n"
        loopback.revoke()
        loopback.simulator.script("m2m.token", {"hold": "never"})
        process.stdin.write("go on\n")
        process.stdin.flush()
        loopback.simulator.wait_held("never")
        assert ended(process, "cancel\n") == (0, "True\nended\n", "")


@pytest.mark.parametrize(
    "parts",
    [
        (HTTPX, INTERRUPTED),
        (HTTPX, INTERRUPTED_ON_TRIO),
        (AIOHTTP, INTERRUPTED),
        (PLANET, INTERRUPTED),
    ],
    ids=["httpx", "httpx on trio", "aiohttp", "planet"],
)
def test_ctrl_c_ends_the_program(loopback: Loopback, parts: tuple[str, str]) -> None:
    loopback.simulator.script("m2m.token", {"hold": "never"})
    with program(loopback, WAITING, *parts) as process:
        loopback.simulator.wait_held("never")
        process.send_signal(signal.SIGINT)
        assert ended(process) == (0, "interrupted\n", "")


def test_ctrl_c_ends_a_program_with_an_idle_thread(loopback: Loopback) -> None:
    with program(loopback, WAITING, LEFT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "200\n"
        process.send_signal(signal.SIGINT)
        assert ended(process)[:2] == (0, "interrupted\n")


@pytest.mark.parametrize(
    "parts",
    [(FSSPEC,), (HTTPX, LEFT_WAITING), (AIOHTTP, LEFT_WAITING)],
    ids=["fsspec", "httpx", "aiohttp"],
)
def test_ctrl_c_ends_a_program_whose_tasks_are_not_cancelled(
    loopback: Loopback, parts: tuple[str, ...]
) -> None:
    loopback.simulator.script("m2m.token", {"hold": "never"})
    with program(loopback, WAITING, *parts) as process:
        loopback.simulator.wait_held("never")
        process.send_signal(signal.SIGINT)
        assert ended(process)[:2] == (0, "interrupted\n")


@pytest.mark.parametrize("client", [HTTPX, AIOHTTP], ids=["httpx", "aiohttp"])
def test_a_thread_that_the_program_waits_for_gets_its_token(
    loopback: Loopback, client: str
) -> None:
    loopback.simulator.script("m2m.token", {"hold": "token"})
    with program(loopback, WAITING, ENDING, client, IN_A_THREAD) as process:
        loopback.simulator.wait_held("token")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("end\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ending\n"
        loopback.simulator.release("token")
        assert ended(process) == (0, "None\n", "")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_calls_on_each_event_loop(loopback: Loopback, backend: str) -> None:
    simulator = loopback.simulator
    simulator.script("m2m.token", {"hold": "token"})
    session = loopback.m2m().with_timeout(600)
    found: list[str] = []

    async def keep() -> None:
        found.append(await session.access_token_async())

    async def main() -> None:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(session.headers_async, loopback.sentinel_hub)
                group.start_soon(session.refresh_async)
                await anyio.to_thread.run_sync(simulator.wait_held, "token")
                group.cancel_scope.cancel()
            async with anyio.create_task_group() as group:
                group.start_soon(keep)
                # The loop is not blocked while the twin waits.
                await anyio.sleep(0)
                assert not found
                simulator.release("token")

    anyio.run(main, backend=backend)
    assert found == [session.access_token()]
    assert loopback.token_requests == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_block_of_a_login_cancels_it_on_each_event_loop(
    loopback: Loopback, backend: str
) -> None:
    session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True)

    async def main() -> None:
        with anyio.fail_after(60):
            with anyio.CancelScope() as scope:
                async with await session.start_device_login_async() as login:
                    scope.cancel()
                    await anyio.sleep_forever()
            with pytest.raises(planetkey.CancelledError):
                await login.wait_async()

    anyio.run(main, backend=backend)


def test_the_thread_ends_on_trio(loopback: Loopback) -> None:
    """The end of a program does not wait for threads of trio, but others may need them."""
    loopback.simulator.script("m2m.token", {"hold": "never"})
    session = loopback.m2m().with_timeout(600)

    async def main() -> None:
        # There is room for one thread, besides that of the test.
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        own = anyio.CapacityLimiter(1)
        async with httpx.AsyncClient(auth=session) as client, anyio.create_task_group() as group:
            group.start_soon(client.get, loopback.sentinel_hub)
            await anyio.to_thread.run_sync(loopback.simulator.wait_held, "never", limiter=own)
            group.cancel_scope.cancel()
        with anyio.fail_after(20):
            await anyio.to_thread.run_sync(int)

    anyio.run(main, backend="trio")
    # The refresh goes on in the background. It must not send a request in a later test.
    loopback.simulator.release("never")
    assert session.access_token()
