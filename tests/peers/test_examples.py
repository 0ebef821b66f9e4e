"""The programs of bindings/python/examples. Real host names lead to the simulator."""

import subprocess
import sys
from pathlib import Path

import pytest

from loopback import authorizations
from simulator import REPOSITORY, Simulator

EXAMPLES = REPOSITORY / "bindings" / "python" / "examples"
PLANET = "https://api.planet.com/data/v1/item-types"
SENTINEL_HUB = "https://services.sentinel-hub.com/api/v1/catalog/1.0.0/collections"
STAC = "https://services.sentinel-hub.com/api/v1/catalog/1.0.0"

# The arguments, and the credentials that the responses name.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "with_requests.py": ([PLANET], ["api_key_basic"]),
    "with_httpx.py": ([SENTINEL_HUB], ["bearer"]),
    "with_httpx_async.py": ([PLANET, SENTINEL_HUB], ["api_key_basic", "bearer"]),
    "with_aiohttp.py": ([PLANET], ["api_key_basic"]),
    "with_fsspec.py": ([SENTINEL_HUB], ["bearer"]),
    "with_pystac_client.py": ([STAC], ["a-collection"]),
    "with_sentinelhub.py": ([SENTINEL_HUB], ["bearer"]),
    "with_planet_sdk.py": ([PLANET], ["api_key_basic"]),
}

CATALOG = {
    "type": "Catalog",
    "id": "catalog",
    "stac_version": "1.0.0",
    "description": "A catalog.",
    "conformsTo": [
        "https://api.stacspec.org/v1.0.0/core",
        "https://api.stacspec.org/v1.0.0/collections",
    ],
    "links": [{"rel": "data", "href": SENTINEL_HUB}],
}
COLLECTIONS = {
    "collections": [
        {
            "type": "Collection",
            "id": "a-collection",
            "stac_version": "1.0.0",
            "description": "A collection.",
            "license": "other",
            "extent": {
                "spatial": {"bbox": [[0, 0, 1, 1]]},
                "temporal": {"interval": [[None, None]]},
            },
            "links": [],
        }
    ],
    "links": [],
}


def test_every_example_is_run() -> None:
    # The others are run in tests/browser and tests/gdal.
    assert {file.name for file in EXAMPLES.glob("*.py")} == {
        *CASES,
        "log_in.py",
        "with_rasterio.py",
    }


@pytest.mark.parametrize("name", CASES)
def test_an_example(
    simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PL_API_KEY", simulator.api_key)
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    if name == "with_pystac_client.py":
        simulator.script("sentinel_hub_api", {"json": CATALOG}, {"json": COLLECTIONS})
    arguments, seen = CASES[name]
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    for words in seen:
        assert words in finished.stdout
    for target in ("planet_api", "sentinel_hub_api"):
        assert None not in authorizations(simulator, target)
