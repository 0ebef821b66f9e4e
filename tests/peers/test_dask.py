"""A session in the scheduler of Dask, whose workers get access tokens."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import planetkey
import planetkey.dask
import pytest
from distributed.deploy.subprocess import SubprocessCluster

import dask_tasks
from dask_secrets import check_memory, environments, plugins, recorded_frames
from loopback import Loopback
from simulator import FOREIGN_VARIABLES, Simulator

# They share a cluster.
pytestmark = pytest.mark.xdist_group("dask")

WORKERS = 2
PATIENCE_S = 200
# The API accepts the token for longer: on a busy machine a request may arrive a while after it got
# its header.
SHORT = {"token_response": {"expires_in": 120, "set": {"expires_in": 6}}}


@pytest.fixture(scope="module")
def processes() -> Iterator[distributed.Client]:
    """A client of workers in processes with nannies, over TLS. No variable holds a secret."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in FOREIGN_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        with (
            # A cluster gives up workers that take longer than 15 seconds to start again.
            dask.config.set({"distributed.deploy.lost-worker-timeout": PATIENCE_S}),
            distributed.LocalCluster(
                n_workers=WORKERS, threads_per_worker=4, dashboard_address=":0", security=True
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture
def threads() -> Iterator[distributed.Client]:
    """A client of two workers in this process."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=4, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def planet(simulator: Simulator, home: Path) -> Loopback:
    """The simulator, without credentials in the environment."""
    return Loopback(simulator, home)


def m2m(planet: Loopback) -> planetkey.Session:
    simulator = planet.simulator
    return planetkey.Session.from_m2m(
        simulator.client_id,
        simulator.client_secret,
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
    )


def read(client: distributed.Client, url: str, count: int = 60) -> list[tuple[int, str, str]]:
    results = client.gather(client.map(dask_tasks.read, [url] * count, pure=False))
    assert {credential for _, credential, _ in results} == {"bearer"}
    return list(results)


def remember(client: distributed.Client, url: str) -> None:
    """Calls the task on every worker."""
    workers: Any = client.scheduler_info(n_workers=-1)["workers"]
    calls = [
        client.submit(dask_tasks.remember, url, workers=[worker], pure=False) for worker in workers
    ]
    client.gather(calls)


def test_processes_send_one_request_for_each_expiry(
    processes: distributed.Client, planet: Loopback
) -> None:
    planet.simulator.script("m2m.token", SHORT, SHORT)
    tokens: set[str] = set()
    with planetkey.dask.install(processes, m2m(planet)):
        assert planet.token_requests == 0
        first = read(processes, planet.sentinel_hub)
        assert len({process for process, _, _ in first}) == WORKERS
        assert planet.token_requests == 1
        # Until everyone has the third token, which lasts for an hour.
        while planet.token_requests < 3 or len(tokens) > 1:
            tokens = {token for _, _, token in read(processes, planet.sentinel_hub)}
    assert planet.token_requests == 3


def test_a_refused_token_is_replaced_once(processes: distributed.Client, planet: Loopback) -> None:
    with planetkey.dask.install(processes, m2m(planet)):
        before = {token for _, _, token in read(processes, planet.sentinel_hub)}
        planet.revoke()
        after = {token for _, _, token in read(processes, planet.sentinel_hub, 200)}
    assert len(before) == len(after) == 1
    assert before != after
    assert planet.token_requests == 2


def test_workers_hold_no_secret(processes: distributed.Client, planet: Loopback) -> None:
    """Not in what is sent to them, in their environment, or anywhere in their memory."""
    secret = planet.simulator.client_secret.encode()
    with recorded_frames() as frames, planetkey.dask.install(processes, m2m(planet)):
        found = read(processes, planet.sentinel_hub)
        token = found[0][2].encode()
        plugin, worker_plugin = plugins(processes)
        sent = b"\n".join(frames)
        for place in (plugin, worker_plugin, environments(processes), sent):
            assert place
            assert secret not in place
        # Tokens are sent, but not with the plugins.
        assert token in sent
        assert token not in worker_plugin
        check_memory({process for process, _, _ in found}, token, secret)


# Six processes import Dask one after the other, which takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_restarted_and_new_workers_have_the_session(
    processes: distributed.Client, planet: Loopback
) -> None:
    cluster: Any = processes.cluster
    with planetkey.dask.install(processes, m2m(planet)):
        before = {process for process, _, _ in read(processes, planet.sentinel_hub)}
        processes.restart()
        processes.wait_for_workers(WORKERS, timeout=PATIENCE_S)
        after = {process for process, _, _ in read(processes, planet.sentinel_hub)}
        assert not before & after
        cluster.adapt(minimum=WORKERS + 1, maximum=WORKERS + 1)
        processes.wait_for_workers(WORKERS + 1, timeout=PATIENCE_S)
        answers: Any = processes.run(dask_tasks.read, planet.sentinel_hub)
        assert len({process for process, _, _ in answers.values()}) == WORKERS + 1
    assert planet.token_requests == 1


def test_workers_in_threads_share_a_session(threads: distributed.Client, planet: Loopback) -> None:
    session = m2m(planet)
    dask_tasks.seen.clear()
    with planetkey.dask.install(threads, session):
        remember(threads, planet.sentinel_hub)
        read(threads, planet.sentinel_hub)
    (token,) = {session.access_token() for session in (session, *dask_tasks.seen)}
    assert token
    assert dask_tasks.seen[0] is dask_tasks.seen[1]
    assert planet.token_requests == 1


def test_the_hosts_are_those_of_the_session(threads: distributed.Client, planet: Loopback) -> None:
    urls = [planet.planet, planet.sentinel_hub, planet.foreign, "https://api.planet.com/"]
    session = m2m(planet)
    expected = [session.authorize_if_served(url) is not None for url in urls]
    with planetkey.dask.install(threads, session):
        assert threads.submit(dask_tasks.may_go_to, urls).result() == expected
    assert expected[1]
    assert not expected[3]


def test_a_second_installation_replaces_the_first(
    threads: distributed.Client, planet: Loopback, recwarn: pytest.WarningsRecorder
) -> None:
    first, second = m2m(planet), m2m(planet)
    one = planetkey.dask.install(threads, first)
    two = planetkey.dask.install(threads, second)
    second.refresh()
    again = planetkey.dask.install(threads, second)
    # Neither is installed any more, so both do nothing.
    one.uninstall()
    two.uninstall()
    assert read(threads, planet.sentinel_hub)[0][2] == second.access_token()
    assert not [warning for warning in recwarn if "plugin" in str(warning.message)]
    again.uninstall()
    again.uninstall()


def test_after_the_end_no_token_can_be_had(threads: distributed.Client, planet: Loopback) -> None:
    dask_tasks.seen.clear()
    with planetkey.dask.install(threads, m2m(planet)):
        remember(threads, planet.sentinel_hub)
    with pytest.raises(planetkey.MisconfiguredError, match="install"):
        threads.submit(dask_tasks.remember, planet.sentinel_hub, pure=False).result()
    session = dask_tasks.seen[0]
    session.invalidate(session.access_token())
    with pytest.raises(planetkey.UnavailableError, match="no session is installed"):
        session.headers(planet.sentinel_hub)
    with pytest.raises(planetkey.MisconfiguredError, match="no worker of a Dask cluster"):
        planetkey.dask.session()


def test_without_a_scheduler_it_is_unavailable(
    planet: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planetkey.dask, "_CONNECT_SECONDS", 0.2)
    dask_tasks.seen.clear()
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        planetkey.dask.install(client, m2m(planet))
        remember(client, planet.sentinel_hub)
    (session,) = dask_tasks.seen
    # A valid token is used.
    assert session.headers(planet.sentinel_hub)
    session.invalidate(session.access_token())
    with pytest.raises(planetkey.UnavailableError, match="Dask scheduler at inproc://") as caught:
        session.headers(planet.sentinel_hub)
    assert caught.value.retryable


def test_an_error_of_the_session_reaches_the_task(
    threads: distributed.Client, planet: Loopback
) -> None:
    simulator = planet.simulator
    wrong = planetkey.Session.from_m2m(
        simulator.client_id,
        "wrong-secret",
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
    )
    with (
        planetkey.dask.install(threads, wrong),
        pytest.raises(planetkey.MisconfiguredError) as caught,
    ):
        threads.submit(dask_tasks.remember, planet.sentinel_hub).result()
    assert caught.value.oauth_error == "invalid_client"


def test_what_cannot_be_installed(threads: distributed.Client, planet: Loopback) -> None:
    key = planetkey.Session.from_api_key(
        planet.simulator.api_key,
        deployment=planet.simulator.deployment,
        allow_insecure_loopback=True,
    )
    with pytest.raises(planetkey.UnsupportedError, match="API keys do not go to the workers"):
        planetkey.dask.install(threads, key)
    # There is no GDAL beside these tests; tests/gdal has one.
    with pytest.raises(planetkey.UnsupportedError, match="GDAL"):
        planetkey.dask.install(threads, m2m(planet), gdal=True)
    install: Any = planetkey.dask.install
    with pytest.raises(TypeError, match="not str"):
        install(threads, "planet-user")
    with pytest.raises(planetkey.MisconfiguredError):
        threads.submit(dask_tasks.remember, planet.sentinel_hub, pure=False).result()
    assert planet.token_requests == 0


def test_an_asynchronous_client(planet: Loopback) -> None:
    async def run() -> None:
        async with (
            distributed.LocalCluster(
                n_workers=1, processes=False, dashboard_address=":0", asynchronous=True
            ) as cluster,
            distributed.Client(cluster, asynchronous=True) as client,
        ):
            session = m2m(planet)
            async with await planetkey.dask.install_async(client, session):
                header = await client.submit(dask_tasks.read_async, planet.sentinel_hub)
            headers = await session.headers_async(planet.sentinel_hub)
            assert header == headers["Authorization"]

    asyncio.run(run())
    assert planet.token_requests == 1


@pytest.mark.timeout(600)
def test_a_scheduler_elsewhere_opens_the_session_itself(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets no secret from the client, and uses its own environment."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    # Its programs are those of this Python.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    with (
        SubprocessCluster(n_workers=1, scheduler_kwargs={"dashboard": False}) as cluster,
        distributed.Client(cluster) as client,
    ):
        with pytest.raises(planetkey.NotPicklableError, match="credentials in the call"):
            planetkey.dask.install(client, loopback.m2m())
        with planetkey.dask.install(client, loopback.both()):
            assert len(read(client, loopback.sentinel_hub)) == 60
    assert loopback.token_requests == 1


def test_without_distributed_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "planetkey.dask")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'planetkey\[dask\]'"):
        import planetkey.dask  # noqa: F401
