"""A session instead of the one that `sentinelhub` opens itself."""

import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import planetkey
import planetkey.sentinelhub
import pytest
from sentinelhub import (
    DataCollection,
    SentinelHubCatalog,
    SentinelHubDownloadClient,
    SentinelHubSession,
    SHConfig,
)
from sentinelhub.download import SessionSharing, collect_shared_session
from sentinelhub.exceptions import DownloadFailedException

from loopback import Loopback


@pytest.fixture
def config(loopback: Loopback) -> Iterator[SHConfig]:
    """One without any credential."""
    SentinelHubDownloadClient.clear_cache()
    config = SHConfig(use_defaults=True)
    config.sh_base_url = loopback.simulator.sentinel_hub_api
    config.max_download_attempts = 1
    yield config
    SentinelHubDownloadClient.clear_cache()


def credential(url: str, config: SHConfig, session: SentinelHubSession | None = None) -> str:
    """How the API says that it was authenticated to by a client of `sentinelhub`."""
    client = SentinelHubDownloadClient(session=session, config=config)
    seen = client.get_json_dict(url, use_session=True)["credential"]
    assert isinstance(seen, str)
    return seen


def test_one_client(loopback: Loopback, config: SHConfig) -> None:
    session = planetkey.sentinelhub.Session(loopback.both(), config)
    assert credential(loopback.sentinel_hub, config, session) == "bearer"
    assert session.info()["azp"] == loopback.simulator.client_id
    assert loopback.token_requests == 1


def test_every_client(loopback: Loopback, config: SHConfig) -> None:
    session = planetkey.sentinelhub.Session(loopback.both(), config)
    SentinelHubDownloadClient.cache_session(session, universal=True)
    assert SentinelHubCatalog(config=config).get_collection("any")["credential"] == "bearer"
    assert credential(loopback.sentinel_hub, config) == "bearer"
    assert loopback.token_requests == 1


def test_it_opens_no_connection_until_it_is_needed(loopback: Loopback, config: SHConfig) -> None:
    """Without planetkey a session needs a token to begin with."""
    planetkey.sentinelhub.Session(loopback.both(), config)
    assert loopback.token_requests == 0


def test_the_token_is_always_the_current_one(loopback: Loopback, config: SHConfig) -> None:
    ours = loopback.both()
    session = planetkey.sentinelhub.Session(ours, config)
    before = session.session_headers
    ours.refresh()
    assert session.session_headers == ours.headers(loopback.sentinel_hub) != before


def test_a_revoked_token_is_refreshed_on_request(loopback: Loopback, config: SHConfig) -> None:
    """`sentinelhub` raises an exception for a 401, and does not refresh the token."""
    ours = loopback.both()
    session = planetkey.sentinelhub.Session(ours, config)
    assert credential(loopback.sentinel_hub, config, session) == "bearer"
    loopback.revoke()
    with pytest.raises(DownloadFailedException, match="401"):
        credential(loopback.sentinel_hub, config, session)
    ours.refresh()
    assert credential(loopback.sentinel_hub, config, session) == "bearer"
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 3)


def test_a_token_that_is_not_refreshed(loopback: Loopback, config: SHConfig) -> None:
    ours = loopback.both()
    token = planetkey.sentinelhub.token(ours, config.sh_base_url)
    expires_at = ours.authorize(config.sh_base_url).expires_at
    assert expires_at is not None
    assert token == {
        "access_token": ours.access_token(),
        "token_type": "Bearer",
        "expires_at": expires_at.timestamp(),
    }
    session = SentinelHubSession.from_token(token)
    assert credential(loopback.sentinel_hub, config, session) == "bearer"
    assert loopback.token_requests == 1


def test_it_is_shared_as_sentinelhub_shares_sessions(loopback: Loopback, config: SHConfig) -> None:
    session = planetkey.sentinelhub.Session(loopback.both(), config)
    with SessionSharing(session, memory_name=f"planetkey-{loopback.simulator.client_id}"):
        shared = collect_shared_session(memory_name=f"planetkey-{loopback.simulator.client_id}")
    assert shared.token["access_token"] == session.token["access_token"]


def test_i10_28_a_token_that_expires_soon_is_refreshed_once(
    loopback: Loopback, config: SHConfig
) -> None:
    """As `sentinelhub` does, `refresh_before_expiry` seconds before."""
    loopback.simulator.settings(token_lifetime=100)
    ours = loopback.both()
    assert ours.authorize(config.sh_base_url).access_token is not None
    loopback.simulator.settings(token_lifetime=3600)
    session = planetkey.sentinelhub.Session(ours, config)
    assert session.token["expires_at"] - time.time() > session.DEFAULT_SECONDS_BEFORE_EXPIRY
    assert loopback.token_requests == 2
    # There are no more requests to a server that issues no longer ones.
    loopback.simulator.settings(token_lifetime=100)
    ours.refresh()
    tokens = {session.token["access_token"] for _ in range(20)}
    assert len(tokens) == 1
    assert loopback.token_requests == 4


def test_i10_28_sharing_does_not_spin(
    loopback: Loopback, config: SHConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.simulator.settings(token_lifetime=100)
    calls, has_waited = [], threading.Event()

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            has_waited.set()
            return super().wait(timeout)

    real = planetkey.sentinelhub.token

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(planetkey.sentinelhub, "token", counted)
    sharing = SessionSharing(
        planetkey.sentinelhub.Session(loopback.both(), config), memory_name="planetkey-spin"
    )
    sharing.thread._stop_event = Stop()
    with sharing:
        assert has_waited.wait(20)
        shared = collect_shared_session(memory_name="planetkey-spin")
    assert shared.token["expires_at"] > time.time()
    assert len(calls) < 10


def test_i10_28_from_token_gives_a_session_of_that_token(
    loopback: Loopback, config: SHConfig
) -> None:
    token = planetkey.sentinelhub.token(loopback.both(), config.sh_base_url)
    session = planetkey.sentinelhub.Session.from_token(token)
    assert session.token == token
    assert credential(loopback.sentinel_hub, config, session) == "bearer"


def test_it_can_be_pickled_if_its_session_can(loopback: Loopback, config: SHConfig) -> None:
    session = planetkey.sentinelhub.Session(loopback.both(), config)
    again = pickle.loads(pickle.dumps(session))  # noqa: S301
    assert credential(loopback.sentinel_hub, config, again) == "bearer"
    with pytest.raises(planetkey.NotPicklableError):
        pickle.dumps(planetkey.sentinelhub.Session(loopback.m2m(), config))


def test_an_api_key_never_goes_there(loopback: Loopback, config: SHConfig) -> None:
    with pytest.raises(planetkey.HostRefusedError):
        credential(
            loopback.sentinel_hub, config, planetkey.sentinelhub.Session(loopback.key(), config)
        )
    with pytest.raises(planetkey.UnsupportedError, match="sends tokens only"):
        planetkey.sentinelhub.token(loopback.key(), loopback.planet)
    assert loopback.requests("sentinel_hub_api") == 0


def test_a095_a_redirect_to_a_foreign_host_carries_nothing(
    loopback: Loopback, config: SHConfig
) -> None:
    session = planetkey.sentinelhub.Session(loopback.both(), config)
    with pytest.raises(DownloadFailedException, match="404"):
        credential(loopback.redirect(loopback.sentinel_hub, loopback.foreign), config, session)
    assert loopback.authorizations("as.other") == [None]


def test_netrc_never_replaces_the_credential(
    loopback: Loopback, config: SHConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loopback.write_netrc()
    session = planetkey.sentinelhub.Session(loopback.both(), config)
    with pytest.raises(
        planetkey.MisconfiguredError, match=r"netrc has an entry for 127\.0\.0\.1, .* set NETRC"
    ):
        credential(loopback.sentinel_hub, config, session)
    assert loopback.requests("sentinel_hub_api") == 0
    monkeypatch.setenv("NETRC", str(tmp_path / "another"))
    assert credential(loopback.sentinel_hub, config, session) == "bearer"


def test_netrc_replaces_it_in_no_other_region(loopback: Loopback, config: SHConfig) -> None:
    """Where a collection lies that its `service_url` leads to."""
    simulator, netrc = loopback.simulator, loopback.home / ".netrc"
    ours = planetkey.Session.from_m2m(
        simulator.client_id, simulator.client_secret, deployment="planet"
    )
    config.sh_base_url = "https://services.sentinel-hub.com"
    session = planetkey.sentinelhub.Session(ours, config)
    netrc.write_text("machine services-uswest2.sentinel-hub.com login another password else\n")
    region = DataCollection.LANDSAT_OT_L1.service_url
    with pytest.raises(
        planetkey.MisconfiguredError, match="netrc has an entry for services-uswest2"
    ):
        credential(f"{region}/api/v1/catalog", config, session)
    assert loopback.requests("proxy") == 0
    # What others send to the Planet API.
    netrc.write_text("machine api.planet.com login another password else\n")
    assert credential(f"{config.sh_base_url}/api/v1/catalog", config, session) == "bearer"


def test_its_configuration_file_is_read(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `sentinelhub` itself has saved, and `SH_PROFILE` as it takes it."""
    simulator = loopback.simulator
    for name in ("PL_API_KEY", "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    default, other = SHConfig(use_defaults=True), SHConfig(use_defaults=True)
    default.sh_client_id, default.sh_client_secret = simulator.client_id, simulator.client_secret
    default.save()
    other.sh_client_id, other.sh_client_secret = simulator.client_id, "another"
    other.save("other")
    session = loopback.both()
    assert session.status().source == "sentinelhub config.toml: default-profile"
    assert session.headers(loopback.sentinel_hub)["Authorization"].startswith("Bearer ")
    monkeypatch.setenv("SH_PROFILE", "other")
    with pytest.raises(planetkey.MisconfiguredError) as caught:
        loopback.both().refresh()
    assert caught.value.oauth_error == "invalid_client"
    assert SHConfig().sh_client_secret == "another"
