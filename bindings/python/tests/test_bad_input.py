"""Bad input raises an exception: it never crashes, and the message contains no secret."""

import inspect
import math
import sys
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any

import planetkey
import pytest
from planetkey import Session

URL = "https://api.planet.com/data/v1"


def key() -> Any:  # noqa: ANN401
    """A session without a type, so that it can be misused."""
    return Session.from_api_key("PLAK0")


def after_response(http_status: Any, www_authenticate: Any = None) -> object:  # noqa: ANN401
    session = key()
    return session.after_response(session.authorize(URL), http_status, www_authenticate)


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
    "authorize_if_served": lambda text: key().authorize_if_served(text),
    "after_response.www_authenticate": lambda text: after_response(401, text),
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
    "after_response.www_authenticate",
}
# A path may be bytes, and these files do not exist.
PATHS = {"deployment", "ca_file"}


@pytest.mark.parametrize("name", TEXT_CALLS)
@pytest.mark.parametrize(
    "wrong", [None, 1, 1.5, b"bytes", object(), ["list"]], ids=lambda wrong: type(wrong).__name__
)
def test_wrong_types(name: str, wrong: object) -> None:
    expected: type[Exception] = TypeError
    if isinstance(wrong, bytes) and name == "storage_root":
        # A path may be bytes, and this one need not exist.
        assert TEXT_CALLS[name](wrong)
        return
    if isinstance(wrong, bytes) and name in PATHS:
        expected = planetkey.Error
    if wrong is None and name in OPTIONAL:
        given = TEXT_CALLS[name](None)
        # The response is final, because there is no other key.
        assert given is None if name == "after_response.www_authenticate" else given
        return
    with pytest.raises(expected):
        TEXT_CALLS[name](wrong)


@pytest.mark.parametrize("name", TEXT_CALLS)
def test_lone_surrogates(name: str) -> None:
    with pytest.raises(planetkey.InvalidArgumentError, match="surrogate") as caught:
        TEXT_CALLS[name]("SECRET\ud800")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", TEXT_CALLS)
@pytest.mark.parametrize(
    "text", ["\0", "PLAK\0KEY", "\r\n", "", "\u202e", "x" * 10_000_000], ids=ascii
)
def test_odd_text_is_a_value_or_a_status(name: str, text: str) -> None:
    try:
        TEXT_CALLS[name](text)
    except planetkey.Error as error:
        assert not isinstance(error, planetkey.InternalError)  # noqa: PT017
        assert len(str(error)) < 2000  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "a:b", "key\n", "key\r\nX-Injected: 1", "key\0", "k" * 1_000_000, "key\x7f"],
    ids=ascii,
)
def test_api_keys_that_are_invalid(wrong: str) -> None:
    with pytest.raises(planetkey.InvalidArgumentError) as caught:
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
def test_urls_that_are_invalid(url: str) -> None:
    with pytest.raises(planetkey.InvalidArgumentError):
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
        with pytest.raises(planetkey.HostRefusedError):
            call(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.planet.com/data",
        "https://API.Planet.COM/data",
        "https://api.planet.com:443/data",
    ],
)
def test_hosts_in_their_literal_forms(url: str) -> None:
    assert key().headers(url)


@pytest.mark.parametrize("number", [-1, 2**63, 2**64, 2**100, -(2**100)])
def test_numbers_out_of_range(number: int) -> None:
    with pytest.raises(planetkey.InvalidArgumentError):
        after_response(number)
    if number < 0 or number >= 2**64:
        with pytest.raises(planetkey.InvalidArgumentError):
            Session.from_api_key("PLAK0", timeout=number)
        with pytest.raises(planetkey.InvalidArgumentError):
            key().with_timeout(number)


@pytest.mark.parametrize("zero", [0, 0.0, timedelta()])
def test_a_timeout_of_zero(zero: float | timedelta) -> None:
    with pytest.raises(planetkey.InvalidArgumentError):
        Session.from_api_key("PLAK0", timeout=zero)


def with_every_timeout(call: Callable[[Callable[[Any], object]], None]) -> None:
    """Checks everything that takes a timeout, without a server."""
    call(lambda timeout: Session.from_api_key("PLAK0", timeout=timeout))
    call(lambda timeout: Session.from_defaults(timeout=timeout))
    call(lambda timeout: key().with_timeout(timeout))
    call(lambda timeout: key().login(timeout=timeout))
    call(lambda timeout: Session.from_profile("planet-user").start_device_login(timeout=timeout))
    call(lambda timeout: Session.from_profile("planet-user").start_browser_login(timeout=timeout))
    call(lambda timeout: planetkey.settle(timeout))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (math.nan, "timeout must be a number of seconds, not NaN"),
        (-1, "timeout must not be negative: -1"),
        (-0.5, "timeout must not be negative: -0.5"),
        (timedelta(seconds=-1), "timeout must not be negative: -1"),
        (math.inf, "timeout is too large"),
        (1e300, "timeout is too large"),
        (2**64, "timeout is too large"),
        (10**400, "timeout is too large"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_timeouts_that_are_invalid(wrong: Any, says: str) -> None:  # noqa: ANN401
    def check(call: Callable[[Any], object]) -> None:
        with pytest.raises(planetkey.InvalidArgumentError) as caught:
            call(wrong)
        assert caught.value.message == says

    with_every_timeout(check)


@pytest.mark.parametrize("wrong", [True, "30", b"30", object(), [1]], ids=repr)
def test_timeouts_of_wrong_types(wrong: Any) -> None:  # noqa: ANN401
    name = type(wrong).__name__

    def check(call: Callable[[Any], object]) -> None:
        with pytest.raises(TypeError) as caught:
            call(wrong)
        expected = f"timeout must be a number of seconds or a datetime.timedelta, not {name}"
        assert str(caught.value) == expected

    with_every_timeout(check)


@pytest.mark.parametrize(
    "timeout", [30, 30.0, 0.001, 0.0001, timedelta(seconds=30), timedelta(hours=24), Fraction(1, 3)]
)
def test_timeouts_in_seconds(timeout: Any) -> None:  # noqa: ANN401
    assert Session.from_api_key("PLAK0", timeout=timeout).api_key() == "PLAK0"
    assert key().with_timeout(timeout)
    assert planetkey.settle(timeout)


def test_a_timeout_of_more_than_a_day() -> None:
    with pytest.raises(planetkey.InvalidArgumentError, match="day"):
        Session.from_api_key("PLAK0", timeout=timedelta(hours=24, seconds=1))


@pytest.mark.parametrize("wrong", ["30", 1.5, object()])
def test_numbers_of_wrong_types(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError):
        after_response(wrong)
    with pytest.raises(TypeError):
        key().after_response(wrong, 401)


@pytest.mark.parametrize("wrong", [1, "yes", object()])
def test_save_is_a_bool(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError):
        Session.from_api_key("PLAK0", save=wrong)


def test_settle_takes_seconds() -> None:
    assert planetkey.settle()
    assert planetkey.settle(0)
    assert planetkey.settle(timeout=0.5)
    assert inspect.signature(planetkey.settle).parameters["timeout"].default == 5.0


@pytest.mark.parametrize(
    "call",
    [
        lambda **o: Session.from_defaults(**o),
        lambda **o: Session.from_profile("planet-user", **o),
        lambda **o: Session.from_api_key("PLAK0", **o),
        lambda **o: Session.from_m2m("client", "secret", **o),
        lambda **o: Session.from_client_config({}, **o),
        lambda **o: key().login(**o),
        lambda **o: key().start_device_login(**o),
        lambda **o: key().start_browser_login(**o),
    ],
)
def test_an_unknown_option_is_named(call: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=r"\(\) got an unexpected keyword argument 'timeout_ms'"):
        call(timeout_ms=1)


@pytest.mark.parametrize(
    "constructor", [Session.from_defaults, lambda **o: Session.from_api_key("PLAK0", **o)]
)
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
    with pytest.raises(planetkey.InvalidArgumentError, match="ca_file"):
        Session.from_api_key("PLAK0", ca_file="\udcff")


def test_mappings_that_are_no_json() -> None:
    circle: dict[str, object] = {}
    circle["circle"] = circle
    for wrong in (circle, {"scopes": float("nan")}):
        with pytest.raises(planetkey.InvalidArgumentError):
            Session.from_client_config(wrong)
        with pytest.raises(planetkey.InvalidArgumentError):
            Session.from_api_key("PLAK0", deployment=wrong)
    with pytest.raises(TypeError):
        Session.from_client_config({"client_secret": object()})


def test_offline_access_is_refused_before_any_request() -> None:
    with pytest.raises(planetkey.InvalidArgumentError, match="offline_access"):
        Session.from_m2m("client", "secret", scopes=["offline_access"])


def test_options_are_keyword_only() -> None:
    misused: Any = Session.from_api_key
    with pytest.raises(TypeError):
        misused("PLAK0", "header")
    with pytest.raises(TypeError):
        misused("PLAK0", timeout_ms=1)
