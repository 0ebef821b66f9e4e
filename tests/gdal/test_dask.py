"""rasterio in the workers of Dask, with the session of the scheduler."""

import time
from collections.abc import Iterator

import distributed
import planetkey
import planetkey.dask
import pytest

from dask_secrets import check_memory, environments, plugins, recorded_frames
from reading import check_all, read_part
from servers import Servers
from simulator import Simulator

WORKERS = 8
TASKS = 1000
# Short enough to wait for its end. The API accepts the token for longer: on a busy machine a
# request may arrive a while after it got its header.
SHORT = {"token_response": {"expires_in": 120, "set": {"expires_in": 6}}}
PATIENCE_S = 60


@pytest.fixture
def client(simulator: Simulator) -> Iterator[distributed.Client]:
    """A client of two workers in processes of their own."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_workers_read_with_one_token(
    client: distributed.Client, simulator: Simulator, servers: Servers, session: planetkey.Session
) -> None:
    urls = [f"{servers.api}/tiles/{number}.tif" for number in range(20)]
    options = {"hosts": [servers.host]}
    # What a second installation replaces is uninstalled in GDAL too.
    planetkey.dask.install(client, session, gdal=True)
    with planetkey.dask.install(client, session, gdal=options):
        client.gather(client.map(check_all, urls, pure=False))
        assert servers.refused() == []
        assert simulator.count("m2m.token") == 1
    failed = client.submit(check_all, f"{servers.api}/tiles/after.tif", pure=False)
    assert "401" in str(failed.exception())


def wait_until_over(simulator: Simulator, session: planetkey.Session, number: int) -> None:
    """Waits until the token of this number has expired, or was replaced before."""
    deadline = time.monotonic() + PATIENCE_S
    while simulator.count("m2m.token") == number and session.status().sources[0].token_cached:
        assert time.monotonic() < deadline, "the token did not expire"
        time.sleep(0.05)


# Eight processes import Dask and rasterio, which takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_a_thousand_tasks_across_two_expiries_cost_two_requests_after_the_first(
    simulator: Simulator, servers: Servers, session: planetkey.Session
) -> None:
    secret = simulator.client_secret.encode()
    simulator.script("m2m.token", SHORT, SHORT)
    urls = [f"{servers.api}/tiles/{number}.tif" for number in range(TASKS)]
    processes: set[int] = set()
    tokens: set[bytes] = set()
    with (
        recorded_frames() as frames,
        distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
        planetkey.dask.install(client, session, gdal={"hosts": [servers.host]}),
    ):
        for part in range(3):
            # The second part starts after the end of the first token, the third after the second.
            wait_until_over(simulator, session, part)
            read = client.map(read_part, urls[part::3], pure=False)
            processes |= set(client.gather(read))
            tokens.add(str(session.access_token()).encode())
        check_memory(processes, str(session.access_token()).encode(), secret)
        sent = b"\n".join(frames)
        for place in (*plugins(client), environments(client), sent):
            assert place
            assert secret not in place
        assert all(token in sent for token in tokens)
    assert len(processes) == WORKERS
    assert servers.refused() == []
    assert len({str(request.authorization) for request in servers.seen("api")}) == 3
    assert simulator.count("m2m.token") == 3
