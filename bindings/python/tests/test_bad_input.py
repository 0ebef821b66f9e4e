"""Whatever is passed in, the answer is an exception: never a crash, and never a secret in the message."""

import sys
from collections.abc import Callable
from typing import Any

import planetkey
import pytest
from planetkey import Session

URL = "https://api.planet.com/data/v1"


def key() -> Any:  # noqa: ANN401
    """A session without a type, so that it can be misused."""
    return Session.from_api_key("PLAK0")


# Calls of one string argument, each with the parameter's name.
TEXT_CALLS: dict[str, Callable[[Any], object]] = {
    "from_profile": Session.from_profile,
    "from_api_key": Session.from_api_key,
    "from_api_key.transport": lambda text: Session.from_api_key("PLAK0", transport=text),
    "from_m2m.client_id": lambda text: Session.from_m2m(text, "secret"),
    "from_m2m.client_secret": lambda text: Session.from_m2m("client", text),
    "from_m2m.audience": lambda text: Session.from_m2m("client", "secret", audience=text),
    "from_m2m.scopes": lambda text: Session.from_m2m("client", "secret", scopes=[text]),
    "from_m2m.profile": lambda text: Session.from_m2m("client", "secret", profile=text),
    "from_client_config": Session.from_client_config,
    "storage_root": lambda text: Session.from_m2m("client", "secret", storage_root=text),
    "deployment": lambda text: Session.from_api_key("PLAK0", deployment=text),
    "allowed_hosts": lambda text: Session.from_api_key("PLAK0", allowed_hosts=[text]),
    "ca_file": lambda text: Session.from_m2m("client", "secret", ca_file=text),
    "proxy": lambda text: Session.from_m2m("client", "secret", proxy=text),
    "authorize": lambda text: key().authorize(text),
    "headers": lambda text: key().headers(text),
    "signed_url": lambda text: key().signed_url(text),
    "invalidate": lambda text: key().invalidate(text),
    "should_retry": lambda text: key().should_retry(text, 401),
    "should_retry.www_authenticate": lambda text: key().should_retry("token", 401, text),
    "strip_api_key": planetkey.strip_api_key,
    "redact_url": planetkey.redact_url,
}

# None leaves these out.
OPTIONAL = {
    "from_api_key.transport",
    "from_m2m.audience",
    "from_m2m.profile",
    "storage_root",
    "deployment",
    "ca_file",
    "proxy",
    "should_retry.www_authenticate",
}
# A path may be bytes, and these name a file that is not there.
PATHS = {"deployment", "ca_file"}


@pytest.mark.parametrize("name", TEXT_CALLS)
@pytest.mark.parametrize("wrong", [None, 1, 1.5, b"bytes", object(), ["list"]], ids=lambda wrong: type(wrong).__name__)
def test_wrong_types(name: str, wrong: object) -> None:
    expected: type[Exception] = TypeError
    if isinstance(wrong, bytes) and name == "storage_root":
        # A path may be bytes, and this one need not be there.
        assert TEXT_CALLS[name](wrong)
        return
    if isinstance(wrong, bytes) and name in PATHS:
        expected = planetkey.Error
    if wrong is None and name in OPTIONAL:
        if name == "should_retry.www_authenticate":
            # Left out, but there is no token to retry with.
            expected = planetkey.Unsupported
        else:
            assert TEXT_CALLS[name](None)
            return
    with pytest.raises(expected):
        TEXT_CALLS[name](wrong)


@pytest.mark.parametrize("name", TEXT_CALLS)
def test_lone_surrogates(name: str) -> None:
    with pytest.raises(planetkey.InvalidArgument, match="surrogate") as caught:
        TEXT_CALLS[name]("SECRET\ud800")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", TEXT_CALLS)
@pytest.mark.parametrize("text", ["\0", "PLAK\0KEY", "\r\n", "", "\u202e", "x" * 10_000_000], ids=ascii)
def test_odd_text_is_a_value_or_a_status(name: str, text: str) -> None:
    try:
        TEXT_CALLS[name](text)
    except planetkey.Error as error:
        assert not isinstance(error, planetkey.Internal)  # noqa: PT017
        assert len(str(error)) < 2000  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "wrong", ["", " ", "a:b", "key\n", "key\r\nX-Injected: 1", "key\0", "k" * 1_000_000, "key\x7f"], ids=ascii
)
def test_api_keys_that_are_none(wrong: str) -> None:
    with pytest.raises(planetkey.InvalidArgument) as caught:
        Session.from_api_key(wrong)
    assert "k" * 5 not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.planet.com/data",
        "/data",
        "ftp://api.planet.com/",
        "javascript:alert(1)",
        "https://",
        "https:///data",
        " https://api.planet.com/",
        "https://api.planet.com/" + "x" * 10_000_000,
    ],
    ids=lambda url: ascii(url[:40]),
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(planetkey.InvalidArgument):
        key().headers(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.planet.com/data",
        "https://api.planet.com.evil.example/data",
        "https://evil.example/api.planet.com",
        "https://user@api.planet.com/data",
        "https://api.planet.com@evil.example/data",
        "https://api.planet.com:443@evil.example/data",
        "https://api.planet.com\\@evil.example/data",
        "https://api.planet.com\\.evil.example/",
        "https://api.planet.com:8443/data",
        "https://api.planet.com:/data",
        "https://api.planet.com:0443/data",
        "https://api.planet.com./data",
        "https://api.planet.com%2eevil.example/",
        "https://api%2eplanet.com/",
        "https://api.planet.com%00.evil.example/",
        "https://api.planet.com\0.evil.example/",
        "https://api.planet.com\t.evil.example/",
        "https://api.planet.com\n/data",
        "https://api.planet.com /data",
        "https://\uff41pi.planet.com/",
        "https://api\u3002planet\u3002com/",
        "https://api.pl\u0430net.com/",
        "https://services.sentinel-hub.com/api",
        "http://127.0.0.1/",
        "http://localhost:8080/",
    ],
    ids=ascii,
)
def test_hosts_that_get_no_credential(url: str) -> None:
    session = key()
    for call in (session.headers, session.authorize, session.signed_url):
        with pytest.raises(planetkey.HostRefused):
            call(url)


@pytest.mark.parametrize(
    "url", ["https://api.planet.com/data", "https://API.Planet.COM/data", "https://api.planet.com:443/data"]
)
def test_hosts_in_their_literal_forms(url: str) -> None:
    assert key().headers(url)


@pytest.mark.parametrize("number", [-1, 2**63, 2**64, 2**100, -(2**100)])
def test_numbers_out_of_range(number: int) -> None:
    with pytest.raises(planetkey.InvalidArgument):
        key().should_retry("token", number)
    if number < 0 or number >= 2**64:
        with pytest.raises(planetkey.InvalidArgument):
            Session.from_api_key("PLAK0", timeout_ms=number)
        with pytest.raises(planetkey.InvalidArgument):
            key().with_timeout_ms(number)


def test_a_deadline_of_nothing() -> None:
    with pytest.raises(planetkey.InvalidArgument):
        Session.from_api_key("PLAK0", timeout_ms=0)


@pytest.mark.parametrize("wrong", ["30", 1.5, object()])
def test_numbers_of_wrong_types(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError):
        Session.from_api_key("PLAK0", timeout_ms=wrong)
    with pytest.raises(TypeError):
        key().with_timeout_ms(wrong)
    with pytest.raises(TypeError):
        key().should_retry("token", wrong)


@pytest.mark.parametrize("wrong", [1, "yes", object()])
def test_save_is_a_bool(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError):
        Session.from_api_key("PLAK0", save=wrong)


def test_settle_takes_milliseconds() -> None:
    assert planetkey.settle()
    assert planetkey.settle(0)
    with pytest.raises(planetkey.InvalidArgument):
        planetkey.settle(-1)
    wrong: Any = 1.5
    with pytest.raises(TypeError):
        planetkey.settle(wrong)


@pytest.mark.parametrize("constructor", [Session.from_defaults, lambda **o: Session.from_api_key("PLAK0", **o)])
def test_profile_is_for_clients_without_one(constructor: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError):
        constructor(profile="work")


def test_one_string_is_not_a_list_of_strings() -> None:
    with pytest.raises(TypeError, match="allowed_hosts"):
        Session.from_api_key("PLAK0", allowed_hosts="api.planet.com")
    with pytest.raises(TypeError, match="scopes"):
        Session.from_m2m("client", "secret", scopes="planet")


def test_an_iterable_that_fails() -> None:
    def broken() -> Any:  # noqa: ANN401
        yield "tiles.example.org"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Session.from_api_key("PLAK0", allowed_hosts=broken())


def test_a_path_that_is_not_utf_8() -> None:
    if sys.platform == "win32":
        pytest.skip("paths are Unicode there")
    with pytest.raises(planetkey.InvalidArgument, match="ca_file"):
        Session.from_api_key("PLAK0", ca_file="\udcff")


def test_mappings_that_are_no_json() -> None:
    circle: dict[str, object] = {}
    circle["circle"] = circle
    for wrong in (circle, {"scopes": float("nan")}):
        with pytest.raises(planetkey.InvalidArgument):
            Session.from_client_config(wrong)
        with pytest.raises(planetkey.InvalidArgument):
            Session.from_api_key("PLAK0", deployment=wrong)
    with pytest.raises(TypeError):
        Session.from_client_config({"client_secret": object()})


def test_offline_access_is_refused_before_any_request() -> None:
    with pytest.raises(planetkey.InvalidArgument, match="offline_access"):
        Session.from_m2m("client", "secret", scopes=["offline_access"])


def test_options_are_keyword_only() -> None:
    misused: Any = Session.from_api_key
    with pytest.raises(TypeError):
        misused("PLAK0", "header")
    with pytest.raises(TypeError):
        misused("PLAK0", timeout=1)
