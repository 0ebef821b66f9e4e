"""The command from login to logout."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clients import API, Profile
from server import HERE, Server
from simulator import command


def test_in_the_browser(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(server, home, audience=False)
    browser = home / "browser"
    user = server.user()
    line = shlex.join([sys.executable, str(HERE / "browser.py"), user.name, user.password])
    browser.write_text(f'#!/bin/sh\nexec {line} "$1"\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(browser))

    told = json.loads(profile.run("login", "--browser", "--json"))
    assert told["file"] == str(profile.file)
    assert profile.run("header", API) == f"Authorization: Bearer {profile.saved()['access_token']}"
    userinfo = json.loads(profile.run("userinfo", "--json"))
    assert (userinfo["sub"], userinfo["name"]) == (told["subject"], "A User")

    refresh_token = profile.saved()["refresh_token"]
    assert server.is_active(refresh_token)
    profile.run("logout")
    assert not profile.file.exists()
    assert not server.is_active(refresh_token)


@pytest.mark.shows("a088")
def test_on_another_device(server: Server, home: Path) -> None:
    profile = Profile(server, home, client_id="device")
    program = subprocess.Popen(
        [command(), "login", "--device", "--no-open-browser"],
        env=profile.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr is not None
    said = ""
    try:
        while "enter the code" not in said:
            line = program.stderr.readline()
            assert line, said
            said += line
        # A user on another device types the short address and the code.
        address, code = (
            re.findall(r"http://\S+", said)[-1],
            re.findall(r"\b[A-Z]{4}-[A-Z]{4}\b", said)[-1],
        )
        assert code not in address
        assert server.user().go_through(address, user_code=code).status == 200
        said += program.stderr.read()
        assert program.wait(60) == 0, said
    finally:
        program.kill()
        program.stderr.close()
    assert "logged in as" in said
    assert server.is_active(profile.saved()["access_token"])
