"""Redirects to signed URLs of a storage, which must not get the token. GDAL itself sends it."""

from collections.abc import Callable
from pathlib import Path

import planetkey
import planetkey.gdal
import pytest
import rasterio
from rasterio.errors import RasterioIOError

from range_server import TILES
from reading import check, check_all, windows
from servers import Servers

# The second one is signed for GET only, as downloads are: GDAL's HEAD is refused there.
KINDS = ["signed", "get-only"]


@pytest.mark.parametrize("kind", KINDS)
def test_gdal_by_itself_sends_a_header_file_to_the_storage(
    kind: str, servers: Servers, session: planetkey.Session, tmp_path: Path
) -> None:
    """If this fails, GDAL has changed, and the other tests here prove nothing."""
    file = tmp_path / "header"
    file.write_text(f"Authorization: Bearer {session.access_token()}\r\n")
    with rasterio.Env(GDAL_HTTP_HEADER_FILE=str(file)):
        check_all(f"{servers.api}/{kind}/by-itself.tif")
    assert servers.leaked()


@pytest.mark.parametrize("kind", KINDS)
def test_live_follows_each_redirect_and_does_not_forward_the_token(
    kind: str, servers: Servers, session: planetkey.Session, replace_token: Callable[[int], None]
) -> None:
    name = f"{servers.api}/{kind}/live.tif"
    with planetkey.gdal.install(session, hosts=[servers.host]), rasterio.open(name) as dataset:
        for turn, window in enumerate(windows()):
            if 1 <= turn <= 10:
                replace_token(turn)
            check(dataset, window)
    assert servers.leaked() == []
    assert servers.refused() == []
    # The price: each request goes to the API first.
    assert len(servers.seen("api")) == len(servers.seen("storage")) > TILES


@pytest.mark.parametrize("kind", KINDS)
def test_at_open_goes_to_the_storage_directly_and_keeps_the_token(
    kind: str, servers: Servers, session: planetkey.Session, replace_token: Callable[[int], None]
) -> None:
    name = f"{servers.api}/{kind}/at-open.tif"
    with (
        planetkey.gdal.install(session, header="at_open", hosts=[servers.host]) as gdal,
        rasterio.open(gdal.path(name)) as dataset,
    ):
        for turn, window in enumerate(windows()):
            if turn == 1:
                # The signature outlives the token.
                replace_token(turn)
            check(dataset, window)
    assert servers.leaked() == []
    assert len(servers.seen("api")) == 1
    assert len(servers.seen("storage")) > TILES


HANDS_ON = "CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT"


@pytest.mark.parametrize(
    "option", ["CPL_VSIL_CURL_USE_S3_REDIRECT", "CPL_VSIL_CURL_USE_HEAD", HANDS_ON]
)
def test_a_thread_that_enables_redirected_headers_gets_no_credential(
    option: str, servers: Servers, session: planetkey.Session
) -> None:
    with planetkey.gdal.install(session, hosts=[servers.host]) as gdal:
        with rasterio.Env(**{option: "YES"}), pytest.raises(RasterioIOError):
            rasterio.open(f"{servers.api}/signed/on.tif")
        assert isinstance(gdal.last_error, planetkey.HostRefusedError)
        assert option in gdal.last_error.message
        gdal.refresh()
        check_all(f"{servers.api}/signed/on.tif")
    assert servers.leaked() == []
    assert [request.authorization for request in servers.refused()] == [[]]


@pytest.mark.parametrize("header", ["live", "at_open"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_token_is_not_forwarded_although_the_process_forwards_headers(
    kind: str,
    header: str,
    servers: Servers,
    session: planetkey.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(HANDS_ON, "YES")
    with planetkey.gdal.install(session, header=header, hosts=[servers.host]) as gdal:
        check_all(gdal.path(f"{servers.api}/{kind}/handed-{header}.tif"))
    assert servers.seen("storage")
    assert servers.leaked() == []
