"""The programs of the manual that save a session, with a real key ring and a real `pass`.

The key ring is GNOME Keyring on a bus of its own, and pass has a key of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import planetkey
import pytest

from simulator import Simulator, clean_environment, simulator_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "secret-store.md"
COMMAND = simulator_binary().with_name("planetkey")
NEEDED = {
    "secret-tool": ("secret-tool", "gnome-keyring-daemon", "dbus-daemon"),
    "pass": ("pass", "gpg"),
}


def missing(store: str) -> list[str]:
    """The programs that are not installed here."""
    found = [name for name in NEEDED[store] if shutil.which(name) is None]
    assert not found or os.environ.get("PLANETKEY_DEMAND_ALL") != "1", f"no {found}"
    return found


@pytest.fixture
def key_ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A bus with an unlocked key ring, whose files are in the test's home directory."""
    if missing("secret-tool"):
        pytest.skip("the Debian packages libsecret-tools and gnome-keyring are not installed")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bus.stdout is not None
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.stdout.readline().strip())
    ring = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert ring.stdin is not None
    ring.stdin.write(b"password")
    ring.stdin.close()
    # It is on the bus when it answers.
    probe = ["secret-tool", "store", "--label=probe", "planetkey", "probe"]
    while subprocess.run(probe, input=b"x", capture_output=True, check=False).returncode != 0:
        assert ring.poll() is None, "the key ring ended"
    yield
    for process in (ring, bus):
        process.kill()
        process.wait()


@pytest.fixture
def password_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, home: Path
) -> Iterator[None]:
    """A password store with a key without a passphrase."""
    if missing("pass"):
        pytest.skip("the Debian packages pass and gnupg are not installed")
    # The path of the agent's socket must be short.
    directory = tmp_path_factory.mktemp("gpg")
    directory.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(directory))
    monkeypatch.setenv("PASSWORD_STORE_DIR", str(home / ".password-store"))
    who = "planetkey@example.com"
    generate = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", who]
    for command in ([*generate, "default", "default", "never"], ["pass", "init", who]):
        subprocess.run(command, check=True, capture_output=True)
    yield
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False, capture_output=True)


def install(home: Path, simulator: Simulator, program: str) -> None:
    """The program of the page on PATH, and the profile `work` that names it."""
    block = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
    scripts = dict(block.findall(PAGE.read_text(encoding="utf-8")))
    directory = home / "bin"
    directory.mkdir(exist_ok=True)
    (directory / program).write_text(scripts[program], encoding="utf-8")
    (directory / program).chmod(0o755)
    profile = home / ".planet" / "work"
    profile.mkdir(parents=True, mode=0o700)
    config = {
        "client_type": "oidc_device_code",
        "auth_server": simulator.user_issuer,
        "client_id": "cli-test",
        "audiences": ["https://api.planet.com/"],
        "scopes": ["planet", "offline_access"],
        "storage_command": [program, "work"],
    }
    simulator.register(
        client_id="cli-test",
        public=True,
        server="user",
        grant_types=["refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    )
    simulator.settings(device_interval=1)
    (profile / "auth_client.json").write_text(json.dumps(config), encoding="utf-8")


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(home) | {
        name: os.environ[name] for name in ("PATH", "PLANETKEY_DEPLOYMENT", "HOME")
    }
    environment["PLANETKEY_ALLOW_INSECURE_LOOPBACK"] = "1"
    return subprocess.run(
        [COMMAND, *arguments, "--auth-profile", "work"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def secrets_on_disk(home: Path, texts: set[str]) -> list[Path]:
    files = [path for path in home.rglob("*") if path.is_file() and not path.is_socket()]
    return [path for path in files if any(text.encode() in path.read_bytes() for text in texts)]


def use(home: Path, simulator: Simulator, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login in Python, the same session in the command, a refresh, and a logout."""
    install(home, simulator, program)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", str(simulator.deployment))

    def session() -> planetkey.Session:
        return planetkey.Session.from_profile("work", allow_insecure_loopback=True)

    def prompt(shown: Any) -> None:
        simulator.log_in(user_code=shown.user_code, username="ada", allow=True)

    with pytest.raises(planetkey.LoginRequiredError):
        session().access_token()
    result = session().login(method="device", open_browser=False, prompt=prompt)
    assert (result.file, result.store) == (None, f"storage_command {program}")

    one = session()
    token = one.access_token()
    shown = command(home, "print-access-token")
    assert (shown.returncode, shown.stdout.strip()) == (0, token), shown.stderr
    one.refresh()
    newer = one.access_token()
    assert newer != token
    shown = command(home, "print-access-token")
    assert shown.stdout.strip() == newer, shown.stderr
    assert f"storage_command {program}, holds session" in command(home, "status").stdout
    assert simulator.count("user.reuse") == 0
    assert secrets_on_disk(home, {token, newer}) == []

    left = command(home, "logout")
    assert left.returncode == 0, left.stderr
    with pytest.raises(planetkey.LoginRequiredError):
        session().access_token()


@pytest.mark.usefixtures("key_ring")
def test_a_session_in_the_key_ring(
    home: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(home, simulator, "planetkey-secret-tool", monkeypatch)


@pytest.mark.usefixtures("password_store")
def test_a_session_in_the_password_store(
    home: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(home, simulator, "planetkey-pass", monkeypatch)


def test_a_key_ring_that_cannot_be_reached_is_named(
    home: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing("secret-tool"):
        pytest.skip("the Debian package libsecret-tools is not installed")
    install(home, simulator, "planetkey-secret-tool")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={home}/nowhere")
    session = planetkey.Session.from_profile(
        "work", deployment=simulator.deployment, allow_insecure_loopback=True
    )
    with pytest.raises(planetkey.StorageError, match="secret-tool: "):
        session.access_token()
    assert not (home / ".planet" / "work" / "token.json").exists()
