"""C and C++ programs with Debian's GDAL, and the examples."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from servers import Servers, write_netrc
from simulator import REPOSITORY, Simulator, clean_environment

BINARIES = REPOSITORY / "build" / "gdal" / "bin"


def run(simulator: Simulator, home: Path, *command: object, deployment: Path | None = None) -> str:
    environment = clean_environment(home) | simulator.loopback_environment()
    environment |= {
        "PLANETKEY_SIMULATOR": simulator.control,
        "PLANETKEY_SIMULATOR_PLANET_API": simulator.planet_api,
        "PL_AUTH_CLIENT_ID": simulator.client_id,
        "PL_AUTH_CLIENT_SECRET": simulator.client_secret,
    }
    if deployment is not None:
        environment["PLANETKEY_DEPLOYMENT"] = str(deployment)
    ended = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    print(ended.stdout, ended.stderr)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("scope", ["paths", "every_host"])
def test_a_dataset_that_stays_open_outlives_ten_tokens_in_c(
    scope: str, simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    picture, fetched = f"{servers.api}/tiles/c.tif", f"{servers.api}/signed/c.tif"
    output = run(simulator, tmp_path, BINARIES / "tiles", picture, servers.host, scope, fetched)
    assert output.endswith(" passed, 0 failed\n")
    # The one that had no token, and the one after the end.
    assert [request.authorization for request in servers.refused()] == [[], []]
    assert len({tuple(request.authorization) for request in servers.seen("api")}) > 10
    # The one that was fetched.
    assert [request.authorization for request in servers.seen("storage")] == (
        [[]] if scope == "paths" else []
    )


def test_netrc_never_replaces_the_credential(
    simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    write_netrc(tmp_path)
    run(simulator, tmp_path, BINARIES / "threads", f"{servers.api}/tiles/netrc.tif", servers.host)
    assert servers.refused() == []
    assert all(request.authorization[0].startswith("Bearer ") for request in servers.seen("api"))


def test_threads_read_while_tokens_change_in_cpp(
    simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    output = run(
        simulator, tmp_path, BINARIES / "threads", f"{servers.api}/tiles/cpp.tif", servers.host
    )
    assert output.endswith(" passed, 0 failed\n")
    assert servers.refused() == []
    assert all(len(request.authorization) == 1 for request in servers.seen("api"))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([BINARIES / "example_c"], id="c"),
        pytest.param([BINARIES / "example_cpp"], id="cpp"),
        pytest.param(
            [sys.executable, REPOSITORY / "bindings/python/examples/with_rasterio.py"], id="python"
        ),
    ],
)
def test_examples(
    command: list[object], simulator: Simulator, servers: Servers, tmp_path: Path
) -> None:
    deployment = json.loads(simulator.deployment.read_text())
    deployment["resource_servers"].append(
        {"hosts": [servers.host], "user_token": "yes", "m2m_token": "yes", "api_key": "no"}
    )
    document = tmp_path / "deployment.json"
    document.write_text(json.dumps(deployment))
    output = run(
        simulator, tmp_path, *command, f"{servers.api}/tiles/example.tif", deployment=document
    )
    assert output == "512 x 512 pixels\n"
    assert servers.refused() == []
