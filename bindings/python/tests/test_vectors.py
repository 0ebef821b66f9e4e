"""Runs the shared cases of tests/vectors. Its README documents their form."""

import json
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import planetkey
import pytest
from planet_simulator import Simulator
from simulator import REPOSITORY

DIRECTORY = REPOSITORY / "tests" / "vectors"
# How far an expiry may be from now plus its life: the time that a case takes, not a promise.
EXPIRY_TOLERANCE_S = 60
NO_SUITES = ("errors.json", "must_fail.json")
SUITES = [path for path in sorted(DIRECTORY.glob("*.json")) if path.name not in NO_SUITES]
CASES: list[dict[str, Any]] = [
    case for path in SUITES for case in json.loads(path.read_text())["cases"]
]
WRONG_CASES: list[dict[str, Any]] = json.loads((DIRECTORY / "must_fail.json").read_text())["cases"]
SOURCE_MEMBERS = (
    "kind",
    "source",
    "profile",
    "client_type",
    "client_id",
    "issuer",
    "initialized",
    "token_cached",
    "transport",
    "file",
    "store",
)
ERROR_MEMBERS = (
    "retryable",
    "reason",
    "oauth_error",
    "oauth_error_description",
    "http_status",
    "profile",
)


class Control:
    """The control API of the simulator, and the variables of the cases."""

    def __init__(self, simulator: Simulator, home: str) -> None:
        self._base = simulator.control
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        facts = self.call("/")
        self._variables = {
            name: facts[name]
            for name in ("planet_api", "sentinel_hub_api", "token_endpoint", "proxy")
        }
        self._variables |= {name: facts[name] for name in ("client_id", "client_secret")}
        self._variables |= {f"{name}_issuer": facts[name] for name in ("m2m", "tls", "generic")}
        self._variables |= {
            "deployment": str(simulator.deployment),
            "ca": str(simulator.ca),
            "home": home,
        }
        self._variables["long"] = 65_536 * "a"

    def call(self, path: str, body: object = None) -> Any:  # noqa: ANN401
        data = None if body is None else json.dumps(body).encode()
        with self._opener.open(
            urllib.request.Request(self._base + path, data=data), timeout=60
        ) as answer:
            return json.load(answer)

    def resolve(self, value: Any) -> Any:  # noqa: ANN401
        """Replaces ``${name}`` in every string; an unknown name is an error."""
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda match: self._variables[match[1]], value)
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if isinstance(value, dict):
            return {name: self.resolve(member) for name, member in value.items()}
        return value


@pytest.fixture(scope="module")
def tally(pytestconfig: pytest.Config) -> Iterator[dict[str, bool]]:
    """Which cases were executed, and whether they passed; reported at the end."""
    tally: dict[str, bool] = {}
    yield tally
    report = os.environ.get("PLANETKEY_VECTORS_REPORT")
    if report:
        Path(report).write_text("".join(f"{case_id}\n" for case_id in tally))
    passed = sum(tally.values())
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"{passed} passed, {len(tally) - passed} failed")


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(
    case: dict[str, Any],
    simulator: Simulator,
    tally: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tally[case["id"]] = False
    run(case, simulator, monkeypatch)
    tally[case["id"]] = True


@pytest.mark.parametrize("case", WRONG_CASES, ids=[case["id"] for case in WRONG_CASES])
def test_wrong_case(
    case: dict[str, Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner that accepts everything would prove nothing."""
    with pytest.raises((AssertionError, planetkey.Error, pytest.fail.Exception)):
        run(case, simulator, monkeypatch)


def run(case: dict[str, Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(os.environ["HOME"])
    control = Control(simulator, str(home))
    case = control.resolve(case)
    if "settings" in case:
        control.call("/settings", case["settings"])
    for client in case.get("clients", []):
        control.call("/clients", client)
    for script in case.get("script", []):
        control.call("/script", script)
    for path, content in case.get("files", {}).items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            content if isinstance(content, str) else json.dumps(content),
            encoding="utf-8",
            newline="",
        )
    for seed in case.get("seed", []):
        # A session of the user's server, as its token file.
        file = home / seed["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            json.dumps(control.call("/sessions", seed["session"]) | seed.get("set", {})),
            encoding="utf-8",
        )
    for name in ("XDG_CONFIG_HOME", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in case.get("environment", {}).items():
        monkeypatch.setenv(name, value)
    session: planetkey.Session | planetkey.Error | None = None
    if "session" in case:
        try:
            session = open_session(case["session"])
        except planetkey.Error as error:
            session = error
    authorized: list[planetkey.Authorization] = []
    for step in case.get("before", []):
        check(control, session, step["call"], step["expect"], authorized)
    check(control, session, case["call"], case["expect"], authorized)


def open_session(session: dict[str, Any]) -> planetkey.Session:
    options = dict(session.get("options", {}))
    unknown = set(options) - {
        "save",
        "timeout_ms",
        "storage_root",
        "deployment",
        "allowed_hosts",
        "allow_insecure_loopback",
        "ca_file",
        "proxy",
        "store",
    }
    assert not unknown, f"unknown options {unknown}"
    if (timeout_ms := options.pop("timeout_ms", None)) is not None:
        options["timeout"] = timeout_ms / 1000
    given = {
        name: session[name]
        for name in ("transport", "scopes", "audience", "profile")
        if name in session
    }
    match session["from"]:
        case "defaults":
            return planetkey.Session.from_defaults(**options)
        case "profile":
            return planetkey.Session.from_profile(session["name"], **options)
        case "api_key":
            return planetkey.Session.from_api_key(session["api_key"], **given, **options)
        case "m2m":
            return planetkey.Session.from_m2m(
                session["client_id"], session["client_secret"], **given, **options
            )
        case "client_config":
            config = session["json"] if "json" in session else session["config"]
            return planetkey.Session.from_client_config(config, **given, **options)
        case other:
            pytest.fail(f"unknown session {other}")


def check(
    control: Control,
    session: planetkey.Session | planetkey.Error | None,
    call: dict[str, Any],
    expect: dict[str, Any],
    authorized: list[planetkey.Authorization],
) -> None:
    outcome: dict[str, Any] | planetkey.Error
    try:
        outcome = perform(control, session, call, authorized)
    except planetkey.Error as error:
        outcome = error
    if "error" not in expect and isinstance(outcome, planetkey.Error):
        raise outcome
    for member, wanted in expect.items():
        match member:
            case "requests":
                counters = control.call("/counters")
                assert {target: counters.get(target, 0) for target in wanted} == wanted
            case "token_request":
                assert control.call("/requests?target=m2m.token")[-1]["form"] == wanted
            case "files":
                for path, content in wanted.items():
                    check_file(Path(os.environ["HOME"]) / path, content)
            case "error":
                assert isinstance(outcome, planetkey.Error), f"no error but {outcome}"
                check_error(wanted, outcome)
            case _ if isinstance(outcome, planetkey.Error):
                pass
            case "expires_in_s":
                assert outcome["expires_at"] is not None
                assert abs(outcome["expires_at"] - time.time() - wanted) <= EXPIRY_TOLERANCE_S
            case "status":
                check_subset(wanted, outcome["status"])
            case _:
                assert member in outcome, f"unknown expectation {member}"
                assert (type(outcome[member]), outcome[member]) == (type(wanted), wanted)


def authorization(made: planetkey.Authorization) -> dict[str, Any]:
    names = ("headers", "url", "credential", "transport", "source", "under_development")
    expires_at = None if made.expires_at is None else int(made.expires_at.timestamp())
    return {name: getattr(made, name) for name in names} | {"expires_at": expires_at}


def perform(
    control: Control,
    session: planetkey.Session | planetkey.Error | None,
    call: dict[str, Any],
    authorized: list[planetkey.Authorization],
) -> dict[str, Any]:
    """Makes a call. Authorizations are added to `authorized`, for a later `after_response`."""
    match call["op"]:
        case "strip_api_key":
            return {"value": planetkey.strip_api_key(call["url"])}
        case "redact_url":
            return {"value": planetkey.redact_url(call["url"])}
        case "release":
            control.call("/release", {"hold": call["hold"]})
            return {}
        case "open" if isinstance(session, planetkey.Error):
            raise session
        case "open" if session is not None:
            return {}
    # Only `open` may find that a session cannot be opened.
    assert isinstance(session, planetkey.Session), f"{call['op']} needs a session, not {session!r}"
    if "timeout_ms" in call:
        session = session.with_timeout(call["timeout_ms"] / 1000)
    match call["op"]:
        case "authorize":
            authorized.append(session.authorize(call["url"]))
            return authorization(authorized[-1])
        case "authorize_if_served":
            made = session.authorize_if_served(call["url"])
            if made is None:
                return {"served": False}
            authorized.append(made)
            return authorization(made)
        case "after_response":
            repeat = session.after_response(
                authorized[-1], call["http_status"], call["www_authenticate"]
            )
            return {"repeat": False} if repeat is None else authorization(repeat)
        case "headers":
            return {"headers": session.headers(call["url"])}
        case "signed_url":
            return {"value": session.signed_url(call["url"])}
        case "access_token":
            return {"value": session.access_token()}
        case "api_key":
            return {"value": session.api_key()}
        case "invalidate":
            return {"value": session.invalidate(call["access_token"])}
        case "refresh":
            session.refresh()
            return {}
        case "logout":
            return {"value": session.logout().removed}
        case "status":
            return {"status": status(session.status())}
        case "is_initialized":
            return {"value": session.is_initialized()}
        case other:
            pytest.fail(f"unknown op {other}")


def status(status: planetkey.SessionStatus) -> dict[str, Any]:
    """The status in the form of the cases."""
    sources = [
        {name: getattr(source, name) for name in SOURCE_MEMBERS}
        | {
            "scopes": list(source.scopes),
            "hosts": list(source.hosts),
            "expires_at": None if source.expires_at is None else int(source.expires_at.timestamp()),
        }
        for source in status.sources
    ]
    return {
        "initialized": status.initialized,
        "deployment": status.deployment,
        "notes": list(status.notes),
        "sources": sources,
    }


def check_subset(wanted: Any, actual: Any) -> None:  # noqa: ANN401
    """Members that are not named may be anything. Lists must have the same length."""
    if isinstance(wanted, dict):
        for name, member in wanted.items():
            assert name in actual, f"no member {name}"
            check_subset(member, actual[name])
    elif isinstance(wanted, list):
        assert len(actual) == len(wanted)
        for wanted_item, item in zip(wanted, actual, strict=True):
            check_subset(wanted_item, item)
    else:
        assert (type(actual), actual) == (type(wanted), wanted)


def check_file(path: Path, wanted: Any) -> None:  # noqa: ANN401
    """None means no such file; a string exactly that text; a dict JSON with these members."""
    if wanted is None:
        assert not path.exists()
        return
    assert path.is_file()
    if isinstance(wanted, str):
        assert path.read_text(encoding="utf-8") == wanted
    else:
        check_subset(wanted, json.loads(path.read_text(encoding="utf-8")))


def check_error(wanted: dict[str, Any], error: planetkey.Error) -> None:
    """The error must not have attributes that the expectation does not name, except the message."""
    retry_after = error.retry_after
    actual = {name: getattr(error, name) for name in ERROR_MEMBERS} | {
        "status": error.code,
        "retry_after_ms": None if retry_after is None else round(retry_after * 1000),
    }
    unknown = set(wanted) - set(actual) - {"message_contains", "message_lacks"}
    assert not unknown, f"unknown expectations {unknown}"
    for name, value in actual.items():
        expected = wanted.get(name)
        if isinstance(expected, list):
            least, most = expected
            assert isinstance(value, int)
            assert least <= value <= most
        else:
            assert (name, value) == (name, expected), error
    assert error.message
    assert len(error.message.splitlines()) == 1
    for part in wanted.get("message_contains", []):
        assert part in error.message
    for part in wanted.get("message_lacks", []):
        assert part not in error.message
