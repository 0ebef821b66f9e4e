"""One session with an API key and an M2M client: each API gets the credential that it takes."""

import os

import planetkey
import requests


def print_row(api: str, credential: str, result: str) -> None:
    print(f"{'Python':8} {api:26} {credential:22} {result}")


def request(authorization: planetkey.Authorization) -> int:
    return requests.get(authorization.url, headers=authorization.headers, timeout=30).status_code


def call(session: planetkey.Session, api: str, url: str) -> None:
    authorization = session.authorize(url)
    print_row(api, f"{authorization.credential} ({authorization.transport})", str(request(authorization)))


def refuse(session: planetkey.Session, api: str, url: str) -> None:
    """An API key alone must get no authorization for this URL. If so, it is sent and counted."""
    try:
        request(session.authorize(url))
    except planetkey.Error as error:
        print_row(api, "api_key alone", error.code)
    else:
        print_row(api, "api_key alone", "OK")


planet_api = os.environ["PLANETKEY_SIMULATOR_PLANET_API"] + "/basemaps/v1/mosaics"
sentinel_hub_api = os.environ["PLANETKEY_SIMULATOR_SENTINEL_HUB_API"] + "/api/v1/catalog/1.0.0/"
api_key = os.environ["PL_API_KEY"]

session = planetkey.Session.from_defaults()
call(session, "planet api", planet_api)
call(session, "sentinel hub api", sentinel_hub_api)

refuse(
    planetkey.Session.from_api_key(api_key, allow_insecure_loopback=True),
    "sentinel hub api",
    sentinel_hub_api,
)
refuse(
    planetkey.Session.from_api_key(api_key, deployment="planet"),
    "services.sentinel-hub.com",
    "https://services.sentinel-hub.com/api/v1/catalog/1.0.0/",
)
