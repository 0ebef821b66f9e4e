"""Number 4: files of other programs, deployments, keys, certificates and secrets are checked.

A command that hangs is killed, and one that reads without an end runs out of address space.
"""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from places import HANGS_AFTER_S, Finished, Place, User, link, own, put
from sessions import access_token, as_the_sdk_writes, config_file
from simulator import Simulator, clean_environment

# Twice what the command needs; a gigabyte of /dev/zero does not fit.
ADDRESS_SPACE = ("prlimit", f"--as={1 << 30}")
# Far over every limit, and no space on the disk.
LARGE = 64 << 20


@dataclass
class Use:
    """A file that a command is given, and the command."""

    file: Path
    content: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""


def sentinelhub_config(place: Place, simulator: Simulator, home: Path, owner: User) -> Use:
    folder = home / ".config" / "sentinelhub"
    put(folder / "unused", "", owner)
    content = (
        "[default-profile]\n"
        f'sh_client_id = "{simulator.client_id}"\nsh_client_secret = "{simulator.client_secret}"\n'
        f'sh_token_url = "{simulator.issuer}/protocol/openid-connect/token"\n'
    )
    return Use(
        folder / "config.toml", content, ("print-access-token",), {"SH_PROFILE": "default-profile"}
    )


def deployment(place: Place, simulator: Simulator, home: Path, owner: User) -> Use:
    file = place.path / "deployment.json"
    client = {
        "PL_AUTH_CLIENT_ID": simulator.client_id,
        "PL_AUTH_CLIENT_SECRET": simulator.client_secret,
    }
    arguments = ("--deployment", str(file), "print-access-token")
    return Use(file, simulator.deployment.read_text(), arguments, client)


def private_key(place: Place, simulator: Simulator, home: Path, owner: User) -> Use:
    key, public = pair(place.path)
    simulator.register(
        client_id="with-key", public_key_pem=public, token_endpoint_auth_method="private_key_jwt"
    )
    file = place.path / "key.pem"
    config = {
        "client_type": "oidc_client_credentials_pubkey",
        "auth_server": simulator.issuer,
        "client_id": "with-key",
        "client_privkey_file": str(file),
    }
    put(config_file(home, "with-key"), as_the_sdk_writes(config), owner)
    return Use(file, key, ("--profile", "with-key", "print-access-token"))


def ca_file(place: Place, simulator: Simulator, home: Path, owner: User) -> Use:
    file = place.path / "ca.pem"
    client = {
        "PL_AUTH_CLIENT_ID": simulator.client_id,
        "PL_AUTH_CLIENT_SECRET": simulator.client_secret,
    }
    return Use(
        file, simulator.ca.read_text(), ("--ca-file", str(file), "print-access-token"), client
    )


def secret_file(place: Place, simulator: Simulator, home: Path, owner: User) -> Use:
    file = place.path / "secret"
    arguments = (
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        str(file),
        "print-access-token",
    )
    return Use(file, simulator.client_secret, arguments)


def api_key_file(place: Place, simulator: Simulator, home: Path, owner: User) -> Use:
    file = place.path / "api-key"
    return Use(file, simulator.api_key, ("--auth-api-key-file", str(file), "print-api-key"))


USES: dict[str, Callable[[Place, Simulator, Path, User], Use]] = {
    "config.toml": sentinelhub_config,
    "deployment": deployment,
    "private key": private_key,
    "CA file": ca_file,
    "secret file": secret_file,
    "API key file": api_key_file,
}


def pair(directory: Path) -> tuple[str, str]:
    """A private key of this test, and its public half."""

    def openssl(*arguments: str, given: str = "") -> str:
        finished = subprocess.run(
            ["openssl", *arguments], input=given, capture_output=True, text=True, check=True
        )
        return finished.stdout

    key = openssl("genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    return key, openssl("pkey", "-pubout", given=key)


@pytest.fixture(params=USES)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def prepare(place: Place, simulator: Simulator, user: User, kind: str) -> tuple[Path, Use]:
    home = place.directory("home", user)
    return home, USES[kind](place, simulator, home, user)


def run(place: Place, user: User, home: Path, use: Use) -> Finished:
    """The command, with an end to its memory."""
    switch = (
        ()
        if user.is_this
        else ("setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups")
    )
    return place.run(
        user,
        home,
        *use.arguments,
        more=use.environment,
        stdin=use.stdin,
        within=(*ADDRESS_SPACE, *switch),
    )


def check_refused(simulator: Simulator, finished: Finished, before: int) -> None:
    # INVALID_ARGUMENT is right for a file that the command line names.
    assert finished.code in (1, 2, 10), finished
    assert simulator.count("connections") == before, "something was sent"
    assert "panicked" not in finished.errors


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640], ids=oct)
def test_i9_04_an_own_file_is_read(
    place: Place, simulator: Simulator, user: User, kind: str, mode: int
) -> None:
    home, use = prepare(place, simulator, user, kind)
    put(use.file, use.content, user, mode)
    assert run(place, user, home, use).code == 0


def test_i9_04_a_file_of_root_is_read(
    place: Place, simulator: Simulator, ordinary: User, root: User, kind: str
) -> None:
    """As of a secret that a container gets."""
    home, use = prepare(place, simulator, ordinary, kind)
    put(use.file, use.content, root, 0o444)
    assert run(place, ordinary, home, use).code == 0


def test_i9_04_a_volume_of_kubernetes_is_read(
    place: Place, simulator: Simulator, ordinary: User, root: User, kind: str
) -> None:
    """Links of root lead through a directory link of root.

    The volume is sticky, and all may write in it.
    """
    home, use = prepare(place, simulator, ordinary, kind)
    volume = use.file.parent
    if volume == place.path:
        volume.chmod(0o1777)
    put(volume / "..2026_01_01" / "file", use.content, root, 0o644)
    (volume / "..2026_01_01").chmod(0o755)
    link(volume / "..data", "..2026_01_01", root)
    link(use.file, "..data/file", root)
    assert run(place, ordinary, home, use).code == 0


def test_i9_04_a_file_of_another_user_is_refused(
    place: Place, simulator: Simulator, ordinary: User, other: User, kind: str
) -> None:
    home, use = prepare(place, simulator, ordinary, kind)
    put(use.file, use.content, other, 0o644)
    before = simulator.count("connections")
    check_refused(simulator, run(place, ordinary, home, use), before)


def test_i9_04_a_link_of_another_user_is_refused(
    place: Place, simulator: Simulator, ordinary: User, other: User, kind: str
) -> None:
    home, use = prepare(place, simulator, ordinary, kind)
    file = put(place.directory("elsewhere", ordinary) / "file", use.content, ordinary)
    link(use.file, file, other)
    before = simulator.count("connections")
    check_refused(simulator, run(place, ordinary, home, use), before)


def test_i9_04_a_file_that_others_may_write_is_refused(
    place: Place, simulator: Simulator, user: User, kind: str
) -> None:
    home, use = prepare(place, simulator, user, kind)
    put(use.file, use.content, user, 0o666)
    before = simulator.count("connections")
    finished = run(place, user, home, use)
    check_refused(simulator, finished, before)
    assert use.file.name in finished.errors
    assert "chmod" in finished.errors


def test_i9_04_a_fifo_does_not_hang(
    place: Place, simulator: Simulator, user: User, kind: str
) -> None:
    home, use = prepare(place, simulator, user, kind)
    os.mkfifo(use.file, 0o600)
    own(use.file, user)
    before = simulator.count("connections")
    check_refused(simulator, run(place, user, home, use), before)


def test_i9_04_an_endless_device_does_not_fill_the_memory(
    place: Place, simulator: Simulator, root: User, ordinary: User, kind: str
) -> None:
    home, use = prepare(place, simulator, ordinary, kind)
    os.mknod(use.file, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    before = simulator.count("connections")
    check_refused(simulator, run(place, ordinary, home, use), before)
    assert stat.S_ISCHR(use.file.stat().st_mode)


def test_i9_04_a_file_over_the_limit_is_refused(
    place: Place, simulator: Simulator, user: User, kind: str
) -> None:
    home, use = prepare(place, simulator, user, kind)
    put(use.file, use.content, user)
    os.truncate(use.file, LARGE)
    before = simulator.count("connections")
    check_refused(simulator, run(place, user, home, use), before)


FROM_DEFAULTS = """
import planetkey
try:
    planetkey.Session.from_defaults(save=False).status()
    print("opened")
except planetkey.Error as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    "name", ["config.toml", "deployment", "SSL_CERT_FILE", ".planet.json", "auth_client.json"]
)
def test_i9_04_from_defaults_in_python_returns_if_a_file_is_a_fifo(
    place: Place, simulator: Simulator, name: str
) -> None:
    me = User(os.geteuid(), os.getegid())
    home = place.directory("home", me)
    environment = {**clean_environment(home), **place.environment}
    fifo = place.path / "fifo"
    if name == "config.toml":
        put(home / ".config" / "sentinelhub" / "unused", "", me)
        fifo = home / ".config" / "sentinelhub" / "config.toml"
    elif name == "deployment":
        environment["PLANETKEY_DEPLOYMENT"] = str(fifo)
    elif name == "SSL_CERT_FILE":
        environment["SSL_CERT_FILE"] = str(fifo)
    elif name == ".planet.json":
        fifo = home / ".planet.json"
    else:
        put(home / ".planet.json", '{"auth_profile": "mine"}', me)
        put(config_file(home, "mine").with_name("unused"), "", me)
        fifo = config_file(home, "mine")
    os.mkfifo(fifo, 0o600)
    finished = subprocess.run(
        [sys.executable, "-c", FROM_DEFAULTS],
        env=environment,
        cwd=place.path,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )
    assert finished.returncode == 0, finished
    assert finished.stdout.strip(), finished


def test_i9_04_a_secret_of_a_pipe_on_standard_input_is_read(
    place: Place, simulator: Simulator, user: User
) -> None:
    """`-` stays a stream: what a password manager writes."""
    home = place.directory("home", user)
    arguments = (
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        "-",
        "print-access-token",
    )
    access_token(place.run(user, home, *arguments, stdin=simulator.client_secret))
