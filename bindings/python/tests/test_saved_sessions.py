"""Sessions on disk: shared with other processes, logged out, or not saved."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import planetkey
import pytest
import requests
from planet_simulator import (
    USER_PROFILE,
    Simulator,
    Together,
    finish,
    line,
    sdk_text,
    tell,
    token_file,
)

T = TypeVar("T")


def until(look: Callable[[], T]) -> T:
    """Waits for a change of another process, which is seen within a second.

    pytest's timeout ends the wait for one that is not.
    """
    while not (seen := look()):
        pass
    return seen


def asked_to_log_in(call: Callable[[], object]) -> planetkey.LoginRequiredError:
    with pytest.raises(planetkey.LoginRequiredError) as caught:
        call()
    return caught.value


def everything_below(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*"))


def test_one_token_serves_all_sessions(simulator: Simulator) -> None:
    first = simulator.m2m()
    assert first.status().file == str(token_file(simulator.m2m_profile))
    assert everything_below(Path.home()) == [], "opening a session writes nothing"
    token = first.access_token()
    second = simulator.m2m()
    assert second.access_token() == token
    assert second.status().expires_at == first.status().expires_at
    assert simulator.count("m2m.token") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_file_is_private_and_as_the_sdk_writes_it(simulator: Simulator) -> None:
    token = simulator.m2m().access_token()
    file = token_file(simulator.m2m_profile)
    text = file.read_text(encoding="utf-8")
    members = json.loads(text)
    assert text == sdk_text(members)
    assert members["access_token"] == token
    assert members["_exp"] == members["_iat"] + members["expires_in"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    for other in everything_below(Path.home()):
        if other.is_file():
            assert stat.S_IMODE(other.stat().st_mode) == 0o600, other
            assert simulator.client_secret not in other.read_text(encoding="utf-8")


def test_another_process_finds_the_token(simulator: Simulator) -> None:
    token = simulator.m2m().access_token()
    script = "import planetkey; print(planetkey.Session.from_defaults().access_token())"
    assert finish(simulator.python(script)) == (0, token + "\n", "")
    assert simulator.count("m2m.token") == 1


def test_a_refresh_of_another_process_is_adopted(simulator: Simulator) -> None:
    session = simulator.m2m()
    before = session.access_token()
    script = """
import planetkey
session = planetkey.Session.from_defaults()
session.refresh()
print(session.access_token())
"""
    code, output, errors = finish(simulator.python(script))
    assert (code, errors) == (0, "")
    until(lambda: session.access_token() != before)
    assert session.access_token() == output.strip()
    assert simulator.count("m2m.token") == 2


def test_save_false_writes_nothing(simulator: Simulator) -> None:
    saved = simulator.m2m().access_token()
    found = everything_below(Path.home())
    session = simulator.m2m(save=False)
    assert session.status().file is None
    assert session.access_token() != saved, "it does not even read"
    assert session.logout().removed is True
    assert everything_below(Path.home()) == found
    assert simulator.m2m().access_token() == saved
    assert simulator.count("m2m.token") == 2


def test_profile_names_the_directory(simulator: Simulator) -> None:
    session = simulator.m2m(profile="Work")
    session.access_token()
    file = token_file("work")
    assert file.exists()
    assert session.status().sources[0].file == str(file)
    config = {
        "client_type": "oidc_client_credentials_secret",
        "auth_server": simulator.issuer,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
    }
    other = planetkey.Session.from_client_config(
        config, profile="other", deployment=simulator.deployment, allow_insecure_loopback=True
    )
    other.access_token()
    assert other.status().file == str(token_file("other"))
    assert not token_file(simulator.m2m_profile).exists()
    assert simulator.count("m2m.token") == 2
    for wrong in ("..", "a/b", "", ".hidden"):
        with pytest.raises(planetkey.InvalidArgumentError):
            simulator.m2m(profile=wrong)


def test_storage_root_replaces_the_home_directory(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    file = token_file(simulator.m2m_profile, root)
    token = simulator.m2m(storage_root=root).access_token()
    assert simulator.m2m(storage_root=str(root)).access_token() == token
    monkeypatch.setenv("PLANETKEY_STORAGE_ROOT", str(root))
    session = simulator.m2m()
    assert session.access_token() == token
    assert session.status().file == str(file)
    assert json.loads(file.read_text(encoding="utf-8"))["access_token"] == token
    assert everything_below(Path.home()) == []
    assert simulator.count("m2m.token") == 1


def test_a_read_only_directory_leaves_a_session_in_memory(
    simulator: Simulator, tmp_path: Path
) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("a file where a directory should be")
    session = simulator.m2m(storage_root=occupied / "root")
    token = session.access_token()
    assert session.access_token() == token
    assert simulator.count("m2m.token") == 1
    (note,) = session.status().notes
    assert "this process only" in note
    assert str(occupied) in note
    assert token not in note
    assert occupied.read_text() == "a file where a directory should be"


def test_logout_is_noticed_by_another_session(simulator: Simulator) -> None:
    simulator.saved_login()
    here, there = simulator.user(), simulator.user()
    token = here.access_token()
    assert there.access_token() == token
    assert here.logout().removed is True
    assert not token_file(USER_PROFILE).exists()
    assert asked_to_log_in(here.access_token).reason == "logged_out"

    def refused() -> planetkey.LoginRequiredError | None:
        try:
            there.access_token()
        except planetkey.LoginRequiredError as error:
            return error
        return None

    error = until(refused)
    assert error is not None
    assert error.reason == "logged_out"
    assert not here.is_initialized()
    assert not there.is_initialized()
    assert here.logout().removed is False
    assert simulator.count("user.token") == 0


def test_an_m2m_client_gets_a_new_token_after_logout(simulator: Simulator) -> None:
    session = simulator.m2m()
    token = session.access_token()
    assert session.logout().removed is True
    assert not token_file(simulator.m2m_profile).exists()
    assert session.is_initialized()
    assert session.access_token() != token
    assert simulator.count("m2m.token") == 2


def test_an_api_key_is_not_logged_out() -> None:
    session = planetkey.Session.from_api_key("PLAK0")
    with pytest.raises(planetkey.UnsupportedError):
        session.logout()
    assert session.status().file is None
    assert session.status().sources[0].file is None


def test_a_users_session_serves_both_domains_without_a_request(simulator: Simulator) -> None:
    answer = simulator.saved_login()
    session = simulator.user()
    for url in (simulator.planet_api + "/data/v1", simulator.sentinel_hub_api + "/api/v1"):
        assert session.headers(url) == {"Authorization": f"Bearer {answer['access_token']}"}
        assert not session.authorize(url).under_development
        reply = requests.get(url, headers=session.headers(url), timeout=30)
        assert reply.json()["authenticated_as"] == "simulator-user"
    source = session.status().sources[0]
    assert (source.profile, source.initialized, source.token_cached) == (USER_PROFILE, True, True)
    assert source.file == str(token_file(USER_PROFILE))
    assert source.scopes == ("planet", "offline_access")
    assert simulator.count("user.token") == 0


def test_the_default_session_finds_the_user_session(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", str(simulator.deployment))
    assert not planetkey.Session.from_defaults(allow_insecure_loopback=True).is_initialized()
    answer = simulator.saved_login()
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    assert session.is_initialized()
    assert session.access_token() == answer["access_token"]


def test_an_expired_token_is_rotated_and_saved(simulator: Simulator) -> None:
    answer = simulator.saved_login(age=4000)
    session, other = simulator.user(), simulator.user()
    assert session.is_initialized()
    refreshed = session.access_token()
    saved = json.loads(token_file(USER_PROFILE).read_text(encoding="utf-8"))
    assert saved["access_token"] == refreshed != answer["access_token"]
    assert saved["refresh_token"] != answer["refresh_token"]
    assert other.access_token() == refreshed
    family = simulator.session_of(answer["refresh_token"])
    assert family["refresh_token"] == saved["refresh_token"]
    assert (family["active"], family["rotations"], family["reuse"]) == (True, 1, 0)
    assert simulator.count("user.token") == 1


def test_one_rotation_for_all_threads_and_sessions(simulator: Simulator) -> None:
    answer = simulator.saved_login(age=4000)
    sessions = [simulator.user() for _ in range(4)]
    simulator.script("user.token", {"hold": "gate"})
    callers = [Together(8, session.access_token) for session in sessions]
    simulator.wait_held("gate")
    simulator.release("gate")
    tokens = {outcome.value for caller in callers for outcome in caller.join()}
    assert tokens == {sessions[0].access_token()}
    family = simulator.session_of(answer["refresh_token"])
    assert (family["active"], family["rotations"], family["reuse"]) == (True, 1, 0)
    assert simulator.count("user.token") == 1


def test_no_user_has_logged_in(simulator: Simulator) -> None:
    session = simulator.user()
    assert not session.is_initialized()
    error = asked_to_log_in(lambda: session.headers(simulator.planet_api + "/data"))
    assert (error.reason, error.profile) == ("never_logged_in", USER_PROFILE)
    # A user logs in now. The session need not be opened again.
    answer = simulator.saved_login()
    until(session.is_initialized)
    assert session.access_token() == answer["access_token"]


def test_expired_without_a_refresh_token(simulator: Simulator) -> None:
    answer = simulator.saved_login(age=4000, scope="planet")
    assert "refresh_token" not in answer
    session = simulator.user()
    assert not session.is_initialized()
    error = asked_to_log_in(session.access_token)
    assert (error.reason, error.profile) == ("expired", USER_PROFILE)
    assert simulator.count("user.token") == 0


def test_a_revoked_token_causes_one_request(simulator: Simulator) -> None:
    answer = simulator.saved_login(age=4000)
    simulator.revoke(refresh_token=answer["refresh_token"])
    session = simulator.user()
    error = asked_to_log_in(session.access_token)
    assert (error.reason, error.oauth_error, error.profile) == (
        "revoked",
        "invalid_grant",
        USER_PROFILE,
    )
    # Neither this session nor another one sends the revoked refresh token again.
    for again in (session, simulator.user()):
        assert asked_to_log_in(again.access_token).reason == "revoked"
    assert simulator.count("user.token") == 1
    answer = simulator.saved_login()
    until(lambda: session.status().sources[0].token_cached)
    assert session.access_token() == answer["access_token"]


def test_a_corrupt_file_is_renamed(simulator: Simulator) -> None:
    simulator.saved_login()
    file = token_file(USER_PROFILE)
    file.write_text('{"access_token": "SECRET', encoding="utf-8")
    error = asked_to_log_in(simulator.user().access_token)
    assert (error.reason, error.profile) == ("corrupt", USER_PROFILE)
    assert str(file) in error.message
    assert "SECRET" not in error.message
    assert not file.exists()
    (renamed,) = [
        path for path in file.parent.iterdir() if "SECRET" in path.read_text(encoding="utf-8")
    ]
    assert renamed.name.startswith("token.json.")


def test_a_logout_waits_for_a_refresh_in_progress(simulator: Simulator) -> None:
    """Afterwards there is no file, and no token is handed out."""
    simulator.saved_login(age=4000)
    session = simulator.user()
    simulator.script("user.token", {"hold": "gate"})
    refresh = Together(1, session.access_token)
    simulator.wait_held("gate")
    logout = Together(1, session.logout)
    assert logout.finished == 0
    simulator.release("gate")
    assert refresh.join()[0].error is None
    (out,) = logout.join()
    assert out.value is not None
    assert out.value.removed is True
    assert not token_file(USER_PROFILE).exists()
    assert asked_to_log_in(session.access_token).reason == "logged_out"


def test_the_storage_root_of_a_child(simulator: Simulator, tmp_path: Path) -> None:
    answer = simulator.saved_login(tmp_path / "root")
    script = """
import sys, planetkey
root = sys.stdin.readline().strip()
session = planetkey.Session.from_profile(
    "planet-user", storage_root=root, allow_insecure_loopback=True)
print(session.access_token(), session.status().file)
"""
    process = simulator.python(script)
    tell(process, os.fspath(tmp_path / "root"))
    assert (
        line(process) == f"{answer['access_token']} {token_file(USER_PROFILE, tmp_path / 'root')}"
    )
    assert finish(process) == (0, "", "")
