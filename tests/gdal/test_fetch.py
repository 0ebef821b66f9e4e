"""Requests of GDAL by CPLHTTPFetch: web services, and the driver PLMosaic with its API keys."""

from pathlib import Path

import numpy as np
import planetkey
import planetkey.gdal
import pytest
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from reading import expected
from servers import Servers
from simulator import Simulator

# The driver wants a key; its own is not sent.
MOSAIC = "PLMosaic:mosaic=mine,api_key=dummy"


@pytest.fixture(autouse=True)
def _basemaps(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_URL", f"{servers.api}/mosaics")
    monkeypatch.setenv("PL_CACHE_PATH", str(tmp_path))


def test_plmosaic_reads_with_a_token(servers: Servers, session: planetkey.Session) -> None:
    window = Window(100, 200, 50, 60)
    with planetkey.gdal.install(session) as gdal, rasterio.open(MOSAIC) as dataset:
        assert dataset.count == 4
        assert np.array_equal(dataset.read(4, window=window), expected(window) + 3)
        assert gdal.last_error is None
    mosaic, quad = servers.seen("api")
    assert mosaic.authorization == quad.authorization == [f"Bearer {session.access_token()}"]
    assert quad.status == 302
    assert servers.seen("storage")
    assert servers.leaked() == []


@pytest.mark.parametrize("installed", ["without it", "without fetch"])
def test_plmosaic_by_itself_sends_its_key(
    installed: str, servers: Servers, session: planetkey.Session
) -> None:
    gdal = planetkey.gdal.install(session, fetch=False) if installed == "without fetch" else None
    with pytest.raises(RasterioIOError):
        rasterio.open(MOSAIC)
    if gdal is not None:
        gdal.uninstall()
    assert [request.authorization[0].split()[0] for request in servers.requests] == ["Basic"]


def test_after_the_uninstall_the_session_is_not_called(
    servers: Servers, session: planetkey.Session
) -> None:
    with planetkey.gdal.install(session), rasterio.open(MOSAIC):
        pass
    with pytest.raises(RasterioIOError):
        rasterio.open(MOSAIC)
    assert [request.authorization[0].split()[0] for request in servers.requests] == [
        "Bearer",
        "Basic",
    ]


def test_a_missing_credential_is_an_error(
    simulator: Simulator, servers: Servers, session: planetkey.Session
) -> None:
    simulator.script("m2m.token", {"status": 401, "json": {"error": "invalid_client"}}, repeat=True)
    with planetkey.gdal.install(session) as gdal:
        with pytest.raises(RasterioIOError):
            rasterio.open(MOSAIC)
        assert isinstance(gdal.last_error, planetkey.MisconfiguredError)
    assert not any(request.authorization[0].startswith("Bearer") for request in servers.requests)
