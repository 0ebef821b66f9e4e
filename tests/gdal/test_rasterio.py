"""rasterio, whose wheel contains a GDAL with symbols that are not visible to others."""

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlencode

import planetkey
import planetkey.gdal
import pytest
import rasterio
from rasterio.errors import RasterioIOError

from reading import check, check_all, windows
from servers import Servers, write_netrc
from simulator import REPOSITORY, Simulator, clean_environment


def test_a_dataset_that_stays_open_outlives_ten_tokens(
    simulator: Simulator,
    servers: Servers,
    session: planetkey.Session,
    replace_token: Callable[[int], None],
) -> None:
    with (
        planetkey.gdal.install(session) as gdal,
        rasterio.open(f"{servers.api}/tiles/rasterio.tif") as dataset,
    ):
        for turn, window in enumerate(windows()):
            if 1 <= turn <= 10:
                replace_token(turn)
            check(dataset, window)
        assert gdal.last_error is None
    assert servers.refused() == []
    assert simulator.count("m2m.token") == 11
    assert len({tuple(request.authorization) for request in servers.seen("api")}) == 11


def test_i10_26_an_installation_lasts_without_its_object(
    servers: Servers, session: planetkey.Session
) -> None:
    planetkey.gdal.install(session)
    gc.collect()
    check_all(f"{servers.api}/tiles/rasterio.tif")
    assert servers.refused() == []
    # No object is left to uninstall it, so another session takes its place.
    with planetkey.gdal.install(session):
        check_all(f"{servers.api}/tiles/again.tif")
        with pytest.raises(planetkey.InvalidArgumentError, match=r"installed for .* already"):
            planetkey.gdal.install(session)
    with pytest.raises(RasterioIOError):
        rasterio.open(f"{servers.api}/tiles/third.tif")


def test_i10_26_a_name_with_the_url_as_a_parameter_is_refused_and_named(
    servers: Servers, session: planetkey.Session
) -> None:
    """As localtileserver writes it."""
    with planetkey.gdal.install(session) as gdal:
        for url in (
            f"{servers.api}/tiles/parameter.tif",
            f"{servers.api}/tiles/b.tif&url={servers.storage}/c.tif",
        ):
            name = urlencode({"url": url, "use_head": "no", "list_dir": "no"})
            with pytest.raises(RasterioIOError):
                rasterio.open(f"/vsicurl?{name}")
            assert isinstance(gdal.last_error, planetkey.UnsupportedError)
            assert "/vsicurl/https://" in gdal.last_error.message
            gdal.refresh()
        assert {tuple(request.authorization) for request in servers.requests} == {()}
        check_all(f"{servers.api}/tiles/parameter.tif")
        assert gdal.last_error is None


def test_i10_16_a_leftover_authorization_is_named(
    servers: Servers, session: planetkey.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "Authorization: Bearer leftover")
    with planetkey.gdal.install(session) as gdal:
        with pytest.raises(RasterioIOError):
            rasterio.open(f"{servers.api}/tiles/leftover.tif")
        assert isinstance(gdal.last_error, planetkey.MisconfiguredError)
        assert "GDAL_HTTP_HEADERS" in gdal.last_error.message
        assert {tuple(request.authorization) for request in servers.seen("api")} == {
            ("Bearer leftover",)
        }
        monkeypatch.delenv("GDAL_HTTP_HEADERS")
        gdal.refresh()
        check_all(f"{servers.api}/tiles/leftover.tif")
        assert gdal.last_error is None


def test_threads_read_while_tokens_change(
    simulator: Simulator, servers: Servers, session: planetkey.Session
) -> None:
    done = Event()
    failures: list[BaseException] = []

    def read(reader: int) -> None:
        turn = 0
        try:
            while turn < 2 or not done.is_set():
                # Each has a name of its own, or GDAL would have it in memory.
                check_all(f"{servers.api}/tiles/{reader}-{turn}.tif")
                turn += 1
        except BaseException as error:
            failures.append(error)

    with planetkey.gdal.install(session, hosts=[servers.host]):
        threads = [Thread(target=read, args=(reader,), daemon=True) for reader in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                session.refresh()
        finally:
            done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert servers.refused() == []
    assert simulator.count("m2m.token") >= 10
    assert all(len(request.authorization) == 1 for request in servers.seen("api"))


def test_the_name_in_an_event_loop(servers: Servers, session: planetkey.Session) -> None:
    url = f"{servers.api}/tiles/async.tif"
    with planetkey.gdal.install(session, header="at_open") as gdal:
        assert asyncio.run(gdal.path_async(url)) == gdal.path(url)
        check_all(asyncio.run(gdal.path_async(url)))
        with pytest.raises(planetkey.HostRefusedError):
            asyncio.run(gdal.path_async("https://api.planet.com/"))
    with pytest.raises(planetkey.InvalidArgumentError, match="install the session again"):
        asyncio.run(gdal.path_async(url))


def test_at_open_uses_the_token_of_the_opening(
    servers: Servers, session: planetkey.Session, replace_token: Callable[[int], None]
) -> None:
    first, second, *_ = windows()
    with planetkey.gdal.install(session, header="at_open", hosts=[servers.host]) as gdal:
        with rasterio.open(gdal.path(f"{servers.api}/tiles/at-open.tif")) as dataset:
            check(dataset, first)
            replace_token(1)
            with pytest.raises(RasterioIOError):
                check(dataset, second)
        # The name brings the next token.
        check_all(gdal.path(f"{servers.api}/tiles/at-open-2.tif"))
        replace_token(2)
        gdal.refresh()
        check_all(f"{servers.api}/tiles/at-open-3.tif")
    # One token was sent after its end, and nothing without one.
    assert len({tuple(request.authorization) for request in servers.refused()}) == 1
    assert all(request.authorization for request in servers.requests)


def test_a_refresh_after_a_login_makes_gdal_reread(
    simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    session = planetkey.Session.from_profile(
        "planet-user",
        storage_root=tmp_path,
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
        allowed_hosts=[servers.host],
    )
    name = f"{servers.api}/tiles/login.tif"
    with planetkey.gdal.install(session) as gdal:
        with pytest.raises(planetkey.LoginRequiredError):
            gdal.path(name)
        with pytest.raises(RasterioIOError):
            rasterio.open(name)
        assert isinstance(gdal.last_error, planetkey.LoginRequiredError)
        assert gdal.last_error.reason == "never_logged_in"
        assert [request.authorization for request in servers.requests] == [[]]

        file = tmp_path / ".planet/planet-user/token.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(simulator.seed()))
        # GDAL remembers that the file was refused, and does not ask.
        count = len(servers.requests)
        while not session.is_initialized():
            pass
        with pytest.raises(RasterioIOError):
            rasterio.open(name)
        assert len(servers.requests) == count
        gdal.refresh()
        assert gdal.last_error is None
        check_all(name)


def test_other_hosts_get_nothing(servers: Servers, session: planetkey.Session) -> None:
    with planetkey.gdal.install(session, hosts=[servers.host]) as gdal:
        check_all(f"{servers.storage}/open.tif")
        port = servers.host.partition(":")[2]
        with pytest.raises(RasterioIOError):
            rasterio.open(f"http://localhost:{port}/tiles/other-name.tif")
        for url in (
            f"{servers.storage}/open.tif",
            f"http://localhost:{port}/tiles/x.tif",
            "https://api.planet.com/",
        ):
            with pytest.raises(planetkey.HostRefusedError):
                gdal.path(url)
        check_all(f"{servers.api}/tiles/this.tif")
    assert all(not request.authorization for request in servers.seen("storage"))
    assert [request.authorization for request in servers.refused()] == [[]]


@pytest.mark.parametrize("header", ["live", "at_open"])
def test_netrc_never_replaces_the_credential(
    header: str, servers: Servers, session: planetkey.Session, tmp_path: Path
) -> None:
    write_netrc(tmp_path)
    # Without planetkey, GDAL uses it.
    with pytest.raises(RasterioIOError):
        rasterio.open(f"{servers.api}/tiles/bare-{header}.tif")
    (bare,) = {request.authorization[0][:6] for request in servers.refused()}
    assert bare == "Basic "
    with planetkey.gdal.install(session, header=header, hosts=[servers.host]) as gdal:
        check_all(gdal.path(f"{servers.api}/tiles/netrc-{header}.tif"))
    token = session.access_token()
    served = [request.authorization for request in servers.seen("api") if request.status < 400]
    assert served
    assert all(authorization == [f"Bearer {token}"] for authorization in served)


def test_every_host_gets_the_header_of_the_one_that_is_named(
    servers: Servers, session: planetkey.Session
) -> None:
    with pytest.raises(planetkey.InvalidArgumentError, match="one host"):
        planetkey.gdal.install(session, scope="every_host")
    with pytest.raises(planetkey.InvalidArgumentError, match="live"):
        planetkey.gdal.install(session, scope="every_host", header="at_open", hosts=[servers.host])
    with planetkey.gdal.install(session, scope="every_host", hosts=[servers.host]):
        check_all(f"{servers.storage}/every.tif")
    assert {len(request.authorization) for request in servers.seen("storage")} == {1}
    with rasterio.open(f"{servers.storage}/after.tif"):
        assert servers.requests[-1].authorization == []


def test_an_uninstalled_session_sends_nothing(servers: Servers, session: planetkey.Session) -> None:
    name = f"{servers.api}/tiles/trace.tif"
    gdal = planetkey.gdal.install(session)
    assert repr(gdal).startswith("<planetkey.gdal.Gdal for http")
    with pytest.raises(planetkey.InvalidArgumentError, match="already"):
        planetkey.gdal.install(session, hosts=[servers.host])
    with rasterio.open(name) as dataset:
        gdal.uninstall()
        gdal.uninstall()
        with pytest.raises(RasterioIOError):
            dataset.read(1)
    with pytest.raises(RasterioIOError):
        rasterio.open(f"{servers.api}/tiles/trace-2.tif")
    assert servers.requests[-1].authorization == []
    assert "uninstalled" in repr(gdal)
    for call in (gdal.refresh, lambda: gdal.path(name), lambda: gdal.last_error):
        with pytest.raises(planetkey.InvalidArgumentError, match="install the session again"):
            call()
    with rasterio.Env() as environment:
        assert (
            not {"CPL_VSIL_CURL_USE_S3_REDIRECT", "CPL_VSIL_CURL_USE_HEAD"}
            & environment.options.keys()
        )
    # And can be done again.
    with planetkey.gdal.install(session, hosts=[servers.host]):
        check_all(name)


def test_a_key_in_the_url_and_invalid_hosts(
    simulator: Simulator, session: planetkey.Session
) -> None:
    key = planetkey.Session.from_api_key(
        simulator.api_key,
        transport="query",
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
    )
    with pytest.raises(planetkey.InvalidArgumentError, match="sent in the URL"):
        planetkey.gdal.install(key)
    with pytest.raises(planetkey.InvalidArgumentError, match="exact host names"):
        planetkey.gdal.install(session, hosts=["https://api.planet.com"])
    with pytest.raises(planetkey.InvalidArgumentError, match="empty"):
        planetkey.gdal.install(session, hosts=[])
    with pytest.raises(planetkey.HostRefusedError):
        planetkey.gdal.install(session, hosts=["evil.example"])
    for wrong in ({"scope": "all"}, {"header": "late"}):
        with pytest.raises(planetkey.InvalidArgumentError):
            planetkey.gdal.install(session, **wrong)


def test_without_gdal_the_error_says_what_to_import() -> None:
    script = (
        "import planetkey, planetkey.gdal\n"
        "try: planetkey.gdal.install(planetkey.Session.from_api_key('key'))\n"
        "except planetkey.UnsupportedError as error: print(error)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert "import rasterio or osgeo" in output


def run(
    script: str, simulator: Simulator, home: Path, *options: str
) -> "subprocess.CompletedProcess[str]":
    """A program in a process of its own, to its end."""
    environment = clean_environment(home) | simulator.loopback_environment()
    command = [sys.executable, *options, "-c", script]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_gdal_of_the_process_gets_the_credential(
    simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    """pyogrio's wheel contains another GDAL. A refresh installs the session there too."""
    script = f"""
import ctypes, re
import planetkey, planetkey.gdal
import rasterio

session = planetkey.Session.from_m2m(
    {simulator.client_id!r},
    {simulator.client_secret!r},
    allowed_hosts=[{servers.host!r}],
    allow_insecure_loopback=True,
)
gdal = planetkey.gdal.install(session)
import pyogrio
assert pyogrio.__gdal_version__ > (3, 11) and rasterio.__gdal_version__ < "3.11"
gdal.refresh()
print(pyogrio.read_info("/vsicurl/{servers.api}/places/places.json")["features"])
print(rasterio.open("{servers.api}/tiles/both.tif").width)
for library in sorted(set(re.findall("/.*/libgdal.*", open("/proc/self/maps").read()))):
    library = ctypes.CDLL(library)
    library.VSIFOpenL.restype = ctypes.c_void_p
    library.VSIFSeekL.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int]
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    library.VSIFReadL.argtypes = [ctypes.c_char_p, size, size, pointer]
    file = library.VSIFOpenL(b"/vsicurl/{servers.api}/get-only/redirected.tif", b"rb")
    library.VSIFSeekL(file, 500000, 0)
    print(library.VSIFReadL(ctypes.create_string_buffer(100), 1, 100, file))
    library.VSIFCloseL(ctypes.c_void_p(file))
gdal.uninstall()
try:
    pyogrio.read_info("/vsicurl/{servers.api}/places/after.json")
except pyogrio.errors.DataSourceError:
    print("refused")
"""
    ended = run(script, simulator, tmp_path, "-W", "ignore")
    assert ended.stdout.split() == ["1", "512", "100", "100", "refused"], ended.stderr
    assert {
        len(request.authorization) for request in servers.seen("api") if request.status != 401
    } == {1}
    assert servers.seen("storage")
    assert servers.leaked() == []
    assert all(not request.authorization for request in servers.refused())


def test_a_thread_of_gdal_that_holds_the_gil_does_not_block_a_refresh(
    simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    """Wheels make some calls of GDAL with the GIL held, and this storage needs it."""
    script = f"""
import ctypes, re
import planetkey, planetkey.gdal
import rasterio

class Storage:
    kept = None
    def load(self):
        return self.kept
    def save(self, text):
        self.kept = text

storage = Storage()
session = planetkey.Session.from_m2m(
    {simulator.client_id!r},
    {simulator.client_secret!r},
    allowed_hosts=[{servers.host!r}],
    allow_insecure_loopback=True,
    storage=storage,
    timeout=20,
)
(library,) = set(re.findall("/.*/libgdal.*", open("/proc/self/maps").read()))
holding = ctypes.PyDLL(library)
holding.VSIFOpenL.restype = ctypes.c_void_p
with planetkey.gdal.install(session) as gdal:
    file = holding.VSIFOpenL(b"/vsicurl/{servers.api}/tiles/gil.tif", b"rb")
    assert file and gdal.last_error is None, gdal.last_error
    holding.VSIFCloseL(ctypes.c_void_p(file))
assert storage.kept
"""
    ended = run(script, simulator, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert simulator.count("m2m.token") == 1
    assert servers.refused() == []


@pytest.mark.parametrize("outcome", ["a token", "an error"])
def test_a_thread_of_gdal_without_the_gil_does_not_ask_for_it(
    outcome: str, simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    """The holder of the GIL may wait for that thread, which writes a log record."""
    if outcome == "an error":
        simulator.script(
            "m2m.token", {"status": 401, "json": {"error": "invalid_client"}}, repeat=True
        )
    script = f"""
import ctypes, logging, re
import planetkey, planetkey.gdal
import rasterio

logging.basicConfig(level=logging.WARNING)
session = planetkey.Session.from_m2m(
    {simulator.client_id!r},
    {simulator.client_secret!r},
    allowed_hosts=[{servers.host!r}],
    allow_insecure_loopback=True,
    save=False,
)
(library,) = set(re.findall("/.*/libgdal.*", open("/proc/self/maps").read()))
holding = ctypes.PyDLL({str(REPOSITORY / "build/gdal/bin/thread.so")!r})
holding.open_in_thread.restype = ctypes.c_void_p
gdal_itself = ctypes.CDLL(library)
with planetkey.gdal.install(session) as gdal:
    file = holding.open_in_thread(gdal_itself.VSIFOpenL, b"/vsicurl/{servers.api}/tiles/thread.tif")
    if file:
        gdal_itself.VSIFCloseL(ctypes.c_void_p(file))
    print(gdal.last_error and gdal.last_error.code)
"""
    ended = run(script, simulator, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert simulator.count("m2m.token") == 1
    if outcome == "a token":
        assert ended.stdout == "None\n"
        assert {request.authorization[0].split()[0] for request in servers.seen("api")} == {
            "Bearer"
        }
    else:
        assert ended.stdout == "MISCONFIGURED\n"
        assert (
            "ERROR:planetkey:a request of GDAL carries no credential: MISCONFIGURED" in ended.stderr
        )


def test_an_uninstall_does_not_wait_for_a_token(
    simulator: Simulator, servers: Servers, session: planetkey.Session
) -> None:
    simulator.script("m2m.token", {"hold": "token"})
    gdal = planetkey.gdal.install(session, hosts=[servers.host])
    outcomes: list[object] = []

    def path() -> None:
        try:
            outcomes.append(gdal.path(f"{servers.api}/tiles/late.tif"))
        except planetkey.Error as error:
            outcomes.append(error)

    waiting = Thread(target=path, daemon=True)
    waiting.start()
    simulator.wait_held("token")
    gdal.uninstall()
    with planetkey.gdal.install(session, hosts=[servers.host]):
        simulator.release("token")
        waiting.join(30)
        check_all(f"{servers.api}/tiles/after.tif")
    # It may have been over before the name was made.
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], str | planetkey.InvalidArgumentError)
