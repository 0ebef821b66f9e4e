"""Saved sessions in one directory, in the form of each library, and how each library opens its own.

`user` is a user session with a refresh token, `m2m` an M2M client. Every function that opens a
session returns a function that returns the value of the Authorization header: the library's usual
call, which checks the expiry and refreshes. Nothing is imported before it is needed, because
imports are measured too.
"""

import os

API = "https://api.planet.com/basemaps/v1/mosaics"
PLANETS_CLIENT = "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees"
GOOGLES_CLIENT, GOOGLES_SECRET = "bench-client", "bench-secret"


def planet_file(home, kind):
    """Where Planet's SDK and planetkey save the tokens."""
    profile = "planet-user" if kind == "user" else "planet-m2m-" + os.environ["PL_AUTH_CLIENT_ID"].lower()
    return f"{home}/.planet/{profile}/token.json"


def google_file(home):
    return f"{home}/google.json"


def write_planets(path, tokens):
    """As Planet's SDK writes them."""
    import json

    os.makedirs(os.path.dirname(path), mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(tokens, file, indent=2, sort_keys=True)


def write_googles(path, access_token, refresh_token, life_s):
    """As Google's quick starts write it: `Credentials.to_json()`."""
    from datetime import datetime, timedelta, timezone

    from google.oauth2.credentials import Credentials

    # google-auth compares naive times in UTC.
    expiry = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=life_s)
    endpoint = os.environ["PLANETKEY_SIMULATOR_USER"] + "oauth/token"
    credentials = Credentials(
        access_token, refresh_token, None, endpoint, GOOGLES_CLIENT, GOOGLES_SECRET, expiry=expiry
    )
    with open(path, "w", encoding="utf-8") as file:
        file.write(credentials.to_json())


def planetkey_user(home):
    import planetkey

    session = planetkey.Session.from_profile("planet-user", storage_root=home, allow_insecure_loopback=True)
    return lambda: session.headers(API)["Authorization"]


def planetkey_m2m(home):
    import planetkey

    session = planetkey.Session.from_m2m(
        os.environ["PL_AUTH_CLIENT_ID"],
        os.environ["PL_AUTH_CLIENT_SECRET"],
        storage_root=home,
        allow_insecure_loopback=True,
    )
    return lambda: session.headers(API)["Authorization"]


def _planet_auth(client, path):
    import pathlib

    import requests

    hook = client.default_request_authenticator(pathlib.Path(path))
    return lambda: hook(requests.Request("GET", API).prepare()).headers["Authorization"]


def planet_auth_user(home):
    import planet_auth

    config = planet_auth.DeviceCodeClientConfig(
        auth_server=os.environ["PLANETKEY_SIMULATOR_USER"],
        client_id=PLANETS_CLIENT,
        audiences=["https://api.planet.com/"],
        scopes=["planet", "offline_access"],
    )
    return _planet_auth(planet_auth.DeviceCodeAuthClient(config), planet_file(home, "user"))


def planet_auth_m2m(home):
    import planet_auth

    config = planet_auth.ClientCredentialsClientSecretClientConfig(
        auth_server=os.environ["PLANETKEY_SIMULATOR_M2M"],
        client_id=os.environ["PL_AUTH_CLIENT_ID"],
        client_secret=os.environ["PL_AUTH_CLIENT_SECRET"],
        audiences=["https://api.planet.com/"],
    )
    return _planet_auth(planet_auth.ClientCredentialsClientSecretAuthClient(config), planet_file(home, "m2m"))


def msal_m2m(home):
    """MSAL insists on https, and looks for metadata whenever an application object is made."""
    import msal
    import msal_extensions

    application = msal.ConfidentialClientApplication(
        os.environ["PL_AUTH_CLIENT_ID"],
        client_credential=os.environ["PL_AUTH_CLIENT_SECRET"],
        oidc_authority=os.environ["PLANETKEY_SIMULATOR_TLS"],
        verify=os.environ["PLANETKEY_SIMULATOR_CA"],
        token_cache=msal_extensions.PersistedTokenCache(msal_extensions.FilePersistence(f"{home}/msal.json")),
    )
    return lambda: "Bearer " + application.acquire_token_for_client(["scope"])["access_token"]


def google_auth_user(home):
    """As in Google's quick starts: the application reads the file, and writes it when refreshed."""
    import json

    from google.oauth2.credentials import Credentials

    path = google_file(home)
    with open(path, encoding="utf-8") as file:
        credentials = Credentials.from_authorized_user_info(json.load(file))
    transport = None
    if not credentials.valid:
        from google.auth.transport.requests import Request

        transport = Request()
        # What is read from a file is always refreshed at Google's own server.
        credentials._token_uri = os.environ["PLANETKEY_SIMULATOR_USER"] + "oauth/token"

    def header():
        headers = {}
        old = credentials.token
        credentials.before_request(transport, "GET", API, headers)
        if credentials.token != old:
            with open(path, "w", encoding="utf-8") as file:
                file.write(credentials.to_json())
        return headers["authorization"]

    return header


# How the tables call a library -> kind of session -> what opens it.
OPENERS = {
    "planetkey": {"user": planetkey_user, "m2m": planetkey_m2m},
    "planet-auth": {"user": planet_auth_user, "m2m": planet_auth_m2m},
    "google-auth": {"user": google_auth_user},
    "MSAL with extensions": {"m2m": msal_m2m},
}
