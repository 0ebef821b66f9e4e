"""Sessions of every constructor, used with a real HTTP client at the simulator's API servers."""

import base64
import json
import pickle
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Literal

import planetkey
import pytest
import requests
from planet_simulator import Simulator


def credential_seen(authorization: planetkey.Authorization) -> str:
    """How the API server says that the request was authenticated."""
    response = requests.get(authorization.url, headers=authorization.headers, timeout=30)
    response.raise_for_status()
    credential = response.json()["credential"]
    assert isinstance(credential, str)
    return credential


def test_one_default_session_serves_both_domains(defaults: Simulator) -> None:
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    assert session.is_initialized()
    planet = session.authorize(defaults.planet_api + "/data/v1/item-types")
    sentinel_hub = session.authorize(defaults.sentinel_hub_api + "/api/v1/catalog")
    assert credential_seen(planet) == "api_key_basic"
    assert credential_seen(sentinel_hub) == "bearer"
    assert planet.source != sentinel_hub.source
    assert (planet.credential, planet.transport, planet.expires_at) == ("api_key", "basic", None)
    assert (sentinel_hub.credential, sentinel_hub.transport) == ("access_token", "bearer")
    assert planet.access_token is None
    assert sentinel_hub.access_token == session.access_token()
    assert not sentinel_hub.under_development
    assert defaults.count("m2m.token") == 1
    carried = {
        host.host: (host.source_index, host.under_development) for host in session.status().hosts
    }
    assert carried == {
        defaults.planet_api.removeprefix("http://"): (1, False),
        defaults.sentinel_hub_api.removeprefix("http://"): (0, False),
    }


def test_an_environment_without_credentials() -> None:
    session = planetkey.Session.from_defaults()
    assert not session.is_initialized()
    with pytest.raises(planetkey.LoginRequiredError) as caught:
        session.headers("https://api.planet.com/data/v1")
    assert caught.value.reason == "never_logged_in"


@pytest.mark.parametrize(
    ("transport", "seen"),
    [("basic", "api_key_basic"), ("header", "api_key_header"), ("query", "api_key_query")],
)
def test_api_key_in_each_form(
    simulator: Simulator, transport: Literal["basic", "header", "query"], seen: str
) -> None:
    session = simulator.key(transport=transport)
    url = simulator.planet_api + "/data/v1"
    authorization = session.authorize(url)
    assert credential_seen(authorization) == seen
    assert authorization.transport == transport
    assert session.api_key() == simulator.api_key
    if transport == "query":
        assert authorization.headers == {}
        assert authorization.url == f"{url}?api_key={simulator.api_key}"
        with pytest.raises(planetkey.InvalidArgumentError):
            session.headers(url)
    else:
        assert authorization.url == url
        assert session.headers(url) == authorization.headers
        assert list(authorization.headers) == ["Authorization"]
    assert session.signed_url(url) == f"{url}?api_key={simulator.api_key}"


def test_basic_is_the_default_and_its_value_is_exact() -> None:
    session = planetkey.Session.from_api_key("PLAK0123456789")
    value = base64.b64encode(b"PLAK0123456789:").decode()
    assert session.headers("https://api.planet.com/data/v1") == {"Authorization": f"Basic {value}"}


def test_an_api_key_never_goes_to_sentinel_hub(simulator: Simulator) -> None:
    session = simulator.key()
    with pytest.raises(planetkey.HostRefusedError):
        session.headers(simulator.sentinel_hub_api + "/api/v1")
    with pytest.raises(planetkey.HostRefusedError):
        planetkey.Session.from_api_key("PLAK0").headers("https://services.sentinel-hub.com/api/v1")


def test_m2m_by_client_config(simulator: Simulator) -> None:
    config = {
        "client_type": "oidc_client_credentials_secret",
        "auth_server": simulator.issuer,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
        "scopes": [],
    }
    for form in (config, MappingProxyType(config), json.dumps(config)):
        session = planetkey.Session.from_client_config(
            form, deployment=simulator.deployment, allow_insecure_loopback=True
        )
        assert credential_seen(session.authorize(simulator.sentinel_hub_api + "/api")) == "bearer"


def test_scopes_and_audience_are_sent(simulator: Simulator) -> None:
    session = planetkey.Session.from_m2m(
        simulator.client_id,
        simulator.client_secret,
        scopes=("planet", "another"),
        audience="https://example.org/",
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
    )
    assert session.access_token()
    form = dict(simulator.requests("m2m.token")[0]["form"])
    assert form["scope"] == "planet another"
    assert form["audience"] == "https://example.org/"
    assert session.status().scopes == ("planet", "another")


def test_deployment_as_path_text_and_mapping(simulator: Simulator) -> None:
    written = simulator.deployment.read_text(encoding="utf-8")
    for deployment in (
        simulator.deployment,
        str(simulator.deployment),
        written,
        json.loads(written),
    ):
        session = planetkey.Session.from_api_key(
            simulator.api_key, deployment=deployment, allow_insecure_loopback=True
        )
        assert session.status().deployment == "planet-simulator"
        assert credential_seen(session.authorize(simulator.planet_api + "/data")) == "api_key_basic"


def test_allowed_hosts_take_any_iterable() -> None:
    for hosts in (
        ["tiles.example.org"],
        ("tiles.example.org",),
        {"tiles.example.org"},
        iter(["tiles.example.org"]),
    ):
        session = planetkey.Session.from_api_key("PLAK0", allowed_hosts=hosts)
        assert session.headers("https://tiles.example.org/1/2/3.png")
    with pytest.raises(planetkey.HostRefusedError):
        planetkey.Session.from_api_key("PLAK0").headers("https://tiles.example.org/1/2/3.png")


def test_the_ca_file_decides_which_servers_are_trusted(simulator: Simulator) -> None:
    def session(**options: str) -> planetkey.Session:
        return planetkey.Session.from_client_config(
            {
                "client_type": "oidc_client_credentials_secret",
                "auth_server": simulator.tls_issuer,
                "client_id": simulator.client_id,
                "client_secret": simulator.client_secret,
            },
            deployment=simulator.deployment,
            # With a token on disk there would be no request that shows what it trusts.
            save=False,
            **options,  # type: ignore[arg-type]
        )

    assert session(ca_file=str(simulator.ca)).access_token()
    with pytest.raises(planetkey.MisconfiguredError) as caught:
        session().access_token()
    assert caught.value.reason == "tls"


def test_the_token_is_one_object_until_it_is_refreshed(simulator: Simulator) -> None:
    session = simulator.m2m()
    url = simulator.sentinel_hub_api + "/api"
    first = session.access_token()
    assert session.access_token() is first
    assert session.headers(url) == {"Authorization": f"Bearer {first}"}
    assert session.headers(url)["Authorization"] is session.headers(url)["Authorization"]
    session.refresh()
    second = session.access_token()
    assert second != first
    assert session.headers(url) == {"Authorization": f"Bearer {second}"}
    assert simulator.count("m2m.token") == 2


def test_a_cached_authorization_needs_no_wait(simulator: Simulator) -> None:
    session, key = simulator.m2m(), simulator.key()
    url = simulator.sentinel_hub_api + "/api"
    assert session.authorize_cached(url) is None
    assert simulator.count("m2m.token") == 0
    token = session.access_token()
    authorization = session.authorize_cached(url)
    assert authorization is not None
    assert authorization.access_token == token
    cached = key.authorize_cached(simulator.planet_api + "/data")
    assert cached is not None
    assert credential_seen(cached) == "api_key_basic"
    with pytest.raises(planetkey.HostRefusedError):
        key.authorize_cached(url)


def test_headers_of_two_sources_are_not_mixed_up(defaults: Simulator) -> None:
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    planet, sentinel_hub = defaults.planet_api + "/data", defaults.sentinel_hub_api + "/api"
    for _ in range(3):
        assert session.headers(planet)["Authorization"].startswith("Basic ")
        assert session.headers(sentinel_hub)["Authorization"].startswith("Bearer ")


def test_the_caller_may_change_the_headers(simulator: Simulator) -> None:
    session = simulator.key()
    url = simulator.planet_api + "/data"
    session.headers(url)["Authorization"] = "changed"
    authorization = session.authorize(url)
    authorization.headers.clear()
    assert session.headers(url) == authorization.headers
    assert authorization.headers["Authorization"].startswith("Basic ")


def test_a_revoked_token_is_refreshed_once(simulator: Simulator) -> None:
    session = simulator.m2m()
    url = simulator.sentinel_hub_api + "/api"
    authorization = session.authorize(url)
    simulator.revoke(all=True)
    response = requests.get(url, headers=authorization.headers, timeout=30)
    assert response.status_code == 401
    challenge = response.headers["WWW-Authenticate"]
    repeat = session.after_response(authorization, response.status_code, challenge)
    assert repeat is not None
    assert credential_seen(repeat) == "bearer"
    # Another thread that gets the same 401 later finds the new token.
    later = session.after_response(authorization, response.status_code, challenge)
    assert later is not None
    assert later.headers == repeat.headers == session.headers(url)
    assert simulator.count("m2m.token") == 2


def test_which_responses_are_final(simulator: Simulator) -> None:
    session, key = simulator.m2m(), simulator.key()
    url = simulator.sentinel_hub_api + "/api"
    authorization = session.authorize(url)
    insufficient = 'Bearer error="insufficient_scope"'
    for http_status, challenge in (
        (200, None),
        (403, insufficient),
        (401, insufficient),
        (500, None),
    ):
        assert session.after_response(authorization, http_status, challenge) is None
    # The only key was refused, and there is no other.
    for transport in ("basic", "header", "query"):
        key = simulator.key(transport=transport)
        assert key.after_response(key.authorize(simulator.planet_api + "/data"), 401) is None
    assert session.access_token() == authorization.access_token
    assert simulator.count("m2m.token") == 1


def test_a_refresh_that_fails_after_a_response(simulator: Simulator) -> None:
    session = simulator.m2m()
    authorization = session.authorize(simulator.sentinel_hub_api + "/api")
    simulator.script("m2m.token", {"status": 401, "json": {"error": "invalid_client"}})
    with pytest.raises(planetkey.MisconfiguredError):
        session.after_response(authorization, 401, None)


def test_only_hosts_of_the_session_are_served(defaults: Simulator) -> None:
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    planet = session.authorize_if_served(defaults.planet_api + "/data/v1")
    assert planet is not None
    assert credential_seen(planet) == "api_key_basic"
    sentinel_hub = session.authorize_if_served(defaults.sentinel_hub_api + "/api")
    assert sentinel_hub is not None
    assert credential_seen(sentinel_hub) == "bearer"
    for url in ("https://example.org/", "http://api.planet.com/", "https://user@api.planet.com/"):
        assert session.authorize_if_served(url) is None
    for wrong in ("", "not a url", "/data"):
        with pytest.raises(planetkey.InvalidArgumentError):
            session.authorize_if_served(wrong)


def test_a_host_that_is_served_needs_a_login(simulator: Simulator) -> None:
    with pytest.raises(planetkey.LoginRequiredError):
        simulator.user().authorize_if_served(simulator.planet_api + "/data")


def test_invalidate(simulator: Simulator) -> None:
    session = simulator.m2m()
    first = session.access_token()
    assert session.invalidate(first) is True
    assert session.access_token() != first
    assert simulator.count("m2m.token") == 2
    assert session.invalidate(first) is False
    assert simulator.count("m2m.token") == 2


def test_expires_at_is_aware(simulator: Simulator) -> None:
    before = datetime.now(timezone.utc)
    authorization = simulator.m2m().authorize(simulator.sentinel_hub_api + "/api")
    assert authorization.expires_at is not None
    assert authorization.expires_at.tzinfo is timezone.utc
    life = authorization.expires_at - before
    assert timedelta(minutes=50) < life < timedelta(minutes=70)


def test_m2m_at_the_planet_api_is_flagged(simulator: Simulator) -> None:
    authorization = simulator.m2m().authorize(simulator.planet_api + "/data")
    assert authorization.under_development
    assert credential_seen(authorization) == "bearer"


def test_status_holds_everything_but_secrets(defaults: Simulator) -> None:
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    status = session.status()
    assert defaults.count("m2m.token") == 0
    assert status.deployment == "planet-simulator"
    assert status.initialized
    assert [source.kind for source in status.sources] == ["access_token", "api_key"]
    token, key = status.sources
    assert (status.kind, status.source, status.profile) == (token.kind, token.source, token.profile)
    assert (status.issuer, status.scopes, status.expires_at) == (
        token.issuer,
        token.scopes,
        token.expires_at,
    )
    assert token.issuer == defaults.issuer
    assert token.client_id == defaults.client_id
    assert not token.token_cached
    assert token.expires_at is None
    assert key.transport == "basic"
    assert key.client_id is None
    assert key.initialized
    assert defaults.planet_api.removeprefix("http://") in key.hosts
    session.access_token()
    token = session.status().sources[0]
    assert token.token_cached
    assert token.expires_at is not None
    document = session.status().to_dict()
    shown = (
        json.dumps(document)
        + repr(session)
        + repr(session.status())
        + repr(session.status().sources)
    )
    assert "PL_API_KEY" in shown
    for secret in (defaults.api_key, defaults.client_secret, session.access_token()):
        assert secret not in shown


def test_repr_of_an_authorization_shows_no_secret(simulator: Simulator) -> None:
    shown = repr(simulator.key(transport="query").authorize(simulator.planet_api + "/data?a=b"))
    assert simulator.api_key not in shown
    assert "a=b" in shown
    shown = repr(simulator.m2m().authorize(simulator.sentinel_hub_api + "/api"))
    assert "Bearer" not in shown


def test_an_authorization_is_not_pickled(simulator: Simulator) -> None:
    with pytest.raises(TypeError, match="credential"):
        pickle.dumps(simulator.key().authorize(simulator.planet_api + "/data"))


def test_classes_are_final_and_frozen(simulator: Simulator) -> None:
    session = simulator.key()
    with pytest.raises(TypeError):
        planetkey.Session()
    with pytest.raises(TypeError):
        type("Subclass", (planetkey.Session,), {})
    with pytest.raises(AttributeError):
        session.status = None  # type: ignore[assignment,method-assign]
    for cls in (
        planetkey.Session,
        planetkey.Authorization,
        planetkey.HostStatus,
        planetkey.SessionStatus,
        planetkey.SourceStatus,
    ):
        assert cls.__module__ == "planetkey"


def test_url_helpers() -> None:
    url = "https://tiles0.planet.com/basemaps/v1/{z}/{x}/{y}.png?a=b&api_key=PLAK0#here"
    assert (
        planetkey.strip_api_key(url)
        == "https://tiles0.planet.com/basemaps/v1/{z}/{x}/{y}.png?a=b#here"
    )
    assert "PLAK0" not in planetkey.redact_url(url)
    signed = planetkey.Session.from_api_key("PLAK0").signed_url(planetkey.strip_api_key(url))
    assert planetkey.strip_api_key(signed) == planetkey.strip_api_key(url)
    assert "{z}/{x}/{y}" in signed
