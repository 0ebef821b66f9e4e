"""A wrong type is a TypeError that names the parameter and what it takes, in all functions."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import planetkey
import planetkey.gdal
import pytest
from planet_simulator import Simulator

BROWSER_CLIENT = {
    "client_type": "oidc_auth_code",
    "client_id": "desktop",
    "redirect_uri": "http://127.0.0.1/callback",
    "scopes": ["planet", "offline_access"],
}


# `httpx` calls these.
NOT_FOR_USERS = {"async_auth_flow", "auth_flow", "sync_auth_flow"}


class Wrong:
    """What no parameter takes."""


def raised(call: Callable[..., object], positional: list[object], named: dict[str, object]) -> str:
    """The message of the TypeError of a call, or of the coroutine that it returns."""

    async def awaited(result: Any) -> object:  # noqa: ANN401
        return await result

    try:
        result = call(*positional, **named)
        if inspect.isawaitable(result):
            asyncio.run(awaited(result))
    except TypeError as error:
        return str(error)
    return "no TypeError"


def public_functions(simulator: Simulator) -> Iterator[tuple[str, Callable[..., object]]]:
    """The public functions, and the methods of one object of each class."""
    simulator.register(
        client_id="desktop", public=True, server="user", redirect_uris=["http://127.0.0.1/callback"]
    )
    key = simulator.key()
    desktop = planetkey.Session.from_client_config(
        BROWSER_CLIENT, deployment=simulator.deployment, allow_insecure_loopback=True
    )
    with simulator.user().start_device_login() as device, desktop.start_browser_login() as browser:
        objects = [
            key,
            key.authorize(simulator.planet_api + "/data"),
            device,
            device.prompt,
            browser,
            key.status(),
            key.status().sources[0],
            key.status().hosts[0],
        ]
        for module in (planetkey, planetkey.gdal):
            for name in module.__all__:
                if inspect.isroutine(getattr(module, name)):
                    yield name, getattr(module, name)
        for owner in objects:
            for name in dir(owner):
                if name.startswith("_") or name in NOT_FOR_USERS:
                    continue
                if callable(getattr(owner, name)):
                    yield f"{type(owner).__name__}.{name}", getattr(owner, name)


def test_a_wrong_type_names_the_parameter(simulator: Simulator) -> None:
    url = simulator.planet_api + "/data"
    valid = {
        "access_token": "token",
        "authorization": simulator.key().authorize(url),
        "callback_url": "http://127.0.0.1/callback?code=1",
        "client_id": "client",
        "client_secret": "secret",
        "config": BROWSER_CLIENT,
        "http_status": 401,
        "key": "PLAK0",
        "name": "planet-user",
        "provider": lambda: ("token", 60.0),
        "session": simulator.key(),
        "timeout": 1,
        "url": url,
    }
    checked = set()
    for function, call in public_functions(simulator):
        parameters = inspect.signature(call).parameters
        for wrong in parameters:
            arguments = {
                name: Wrong() if name == wrong else valid[name]
                for name, parameter in parameters.items()
                if name == wrong or parameter.default is inspect.Parameter.empty
            }
            positional = [
                arguments.pop(name)
                for name, parameter in parameters.items()
                if name in arguments
                and parameter.kind is not inspect.Parameter.KEYWORD_ONLY
                and parameter.default is inspect.Parameter.empty
            ]
            message = raised(call, positional, arguments)
            where = f"{function}, {wrong}: {message}"
            if wrong == "storage":
                assert message.startswith("storage has no method load"), where
            else:
                assert message.startswith(f"{wrong} must be "), where
                assert message.endswith(", not Wrong"), where
            checked.add((function, wrong))
    # The functions are found by their signatures: those of a few classes must be among them.
    assert {
        ("Session.from_m2m", "scopes"),
        ("Session.login", "prompt"),
        ("Session.after_response_async", "http_status"),
        ("DeviceLogin.wait_async", "timeout"),
        ("BrowserLogin.complete", "callback_url"),
        ("Prompt.qr_code", "ascii"),
        ("install", "fetch"),
        ("redact_url", "url"),
    } <= checked


@pytest.mark.parametrize("member", [{1, 2}, object()], ids=lambda it: type(it).__name__)
def test_a_member_that_json_does_not_have(member: object) -> None:
    with pytest.raises(TypeError, match="config must hold values of JSON only"):
        planetkey.Session.from_client_config({"scopes": member})


def test_an_item_of_a_wrong_type() -> None:
    with pytest.raises(TypeError, match="each item of scopes must be a string, not int"):
        planetkey.Session.from_m2m("client", "secret", scopes=[1])  # type: ignore[list-item]
