"""rasterio in the workers of Dask, with the session of the scheduler."""

from collections.abc import Iterator

import distributed
import planetkey
import planetkey.dask
import pytest

from reading import check_all
from servers import Servers
from simulator import Simulator


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
