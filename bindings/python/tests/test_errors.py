"""Exceptions: one class for each status, all attributes, and pickling."""

import copy
import json
import pickle
from typing import Any

import planetkey
import pytest
from planet_simulator import Simulator
from planetkey import _native, errors
from simulator import REPOSITORY

CLASSES: list[type[planetkey.Error]] = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and planetkey.Error in value.__bases__
]

ATTRIBUTES = (
    "message",
    "reason",
    "oauth_error",
    "oauth_error_description",
    "http_status",
    "retry_after",
    "retryable",
    "profile",
)


def catalogue() -> list[dict[str, Any]]:
    document = json.loads(
        (REPOSITORY / "tests" / "vectors" / "errors.json").read_text(encoding="utf-8")
    )
    return [status for status in document["statuses"] if status["name"] != "OK"]


def test_every_status_of_the_taxonomy_has_its_class() -> None:
    expected = {status["number"]: status["name"] for status in catalogue()}
    assert {cls.number: cls.code for cls in CLASSES} == expected
    assert {number: cls.code for number, cls in _native.exception_classes().items()} == expected
    assert all(cls.number == number for number, cls in _native.exception_classes().items())


def test_every_class_is_exported_below_the_base() -> None:
    for cls in CLASSES:
        assert issubclass(cls, planetkey.Error)
        assert getattr(planetkey, cls.__name__) is cls
        assert cls.__name__.upper() == cls.code.replace("_", "") + "ERROR"
        assert cls.__name__ in errors.__all__
        assert cls.__name__ in planetkey.__all__


def test_builtin_bases_where_they_mean_the_same() -> None:
    assert issubclass(planetkey.InvalidArgumentError, ValueError)
    assert issubclass(planetkey.TimeoutError, TimeoutError)
    assert issubclass(planetkey.NotPicklableError, planetkey.UnsupportedError)
    assert issubclass(planetkey.NotPicklableError, TypeError)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: str(cls.code))
def test_attributes_survive_pickle_and_copy(cls: type[planetkey.Error]) -> None:
    error = cls(
        "what to do",
        reason="expired",
        oauth_error="invalid_grant",
        oauth_error_description="Session not active",
        http_status=400,
        retry_after=1.5,
        retryable=True,
        profile="planet-user",
    )
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301
        assert type(again) is cls
        assert str(again) == "what to do"
        assert [getattr(again, name) for name in ATTRIBUTES] == [
            getattr(error, name) for name in ATTRIBUTES
        ]
    assert vars(copy.copy(error)) == vars(error)


def test_an_error_response_is_complete(simulator: Simulator) -> None:
    simulator.script(
        "m2m.token",
        {
            "status": 401,
            "json": {
                "error": "invalid_client",
                "error_description": "Invalid client or Invalid client credentials",
            },
        },
    )
    with pytest.raises(planetkey.MisconfiguredError) as caught:
        simulator.m2m().access_token()
    error = caught.value
    assert error.code == "MISCONFIGURED"
    assert error.number == 2
    assert error.oauth_error == "invalid_client"
    assert error.oauth_error_description == "Invalid client or Invalid client credentials"
    assert error.http_status == 401
    assert error.retry_after is None
    assert not error.retryable
    assert error.message == str(error)
    assert simulator.client_secret not in repr(vars(error))


def test_unavailable_says_when_to_try_again(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"status": 503, "headers": {"Retry-After": "3600"}}, repeat=True)
    with pytest.raises(planetkey.UnavailableError) as caught:
        simulator.m2m().access_token()
    assert caught.value.http_status == 503
    assert caught.value.retryable
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 3600


def test_a_broken_response_is_a_protocol_error(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"token_response": {"set": {"token_type": "mac"}}}, repeat=True)
    with pytest.raises(planetkey.ProtocolError):
        simulator.m2m().access_token()


def test_the_deadline_is_a_timeout_error(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"fault": "stall"}, repeat=True)
    with pytest.raises(TimeoutError) as caught:
        simulator.m2m(timeout=0.2).access_token()
    assert isinstance(caught.value, planetkey.TimeoutError)
    assert caught.value.retryable


def test_the_deadline_of_another_handle(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"hold": "gate"})
    session = simulator.m2m()
    with pytest.raises(planetkey.TimeoutError):
        session.with_timeout(0.2).access_token()
    # The refresh went on, and a caller with a longer timeout gets its token.
    simulator.release("gate")
    assert session.access_token()
    assert simulator.count("m2m.token") == 1
