"""Nanoseconds for a header from a cached valid token: planetkey and its peers in Python.

Started by report.py, which sets the simulator's address and the token in the environment. Each peer
does through its usual hook what it does for every request, which includes checking the expiry. All
must return the same header.
"""

import json
import os
import statistics
import time
import timeit
from datetime import datetime, timedelta, timezone

import authlib.integrations.requests_client
import google.oauth2.credentials
import msal
import oauthlib.oauth2
import planet_auth
import planetkey
import requests
import requests_oauth2client
import requests_oauthlib
import sentinelhub

TOKEN = os.environ["BENCH_TOKEN"]
ISSUER = os.environ["PLANETKEY_SIMULATOR_M2M"]
CLIENT_ID = os.environ["PL_AUTH_CLIENT_ID"]
CLIENT_SECRET = os.environ["PL_AUTH_CLIENT_SECRET"]
EXPECTED = f"Bearer {TOKEN}"
LIFE = 86400
API = "https://api.planet.com/basemaps/v1/mosaics"
TILE = "https://tiles.planet.com/basemaps/v1/planet-tiles/global_monthly_2024_01_mosaic/gmap/12/654/1583.png"
BATCH_SECONDS = 0.002
BATCHES = 150


def measure(name, call, header):
    """`header` takes the header value from what the call gives: all of them must agree."""
    assert header(call()) == EXPECTED, f"{name} gives another header"
    timer = timeit.Timer(call)
    once = min(timer.repeat(5, 10)) / 10
    number = max(1, int(BATCH_SECONDS / once))
    means = [seconds / number * 1e9 for seconds in timer.repeat(BATCHES, number)]
    print(f"{name}\t{min(means):.1f}\t{statistics.median(means):.1f}", flush=True)


def token_response():
    return {"access_token": TOKEN, "token_type": "Bearer", "expires_in": LIFE, "expires_at": time.time() + LIFE}


def prepared():
    return requests.Request("GET", API).prepare()


def of_request(request):
    return request.headers["Authorization"]


def of_headers(headers):
    return headers["Authorization"]


def floor():
    expires_at = time.time() + LIFE

    def header():
        if time.time() < expires_at - 60:
            return "Bearer " + TOKEN
        raise RuntimeError

    measure("floor: compare time, build string", header, str)


def planetkey_itself():
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    session.refresh()
    request = prepared()

    def into_request():
        request.headers["Authorization"] = session.headers(API)["Authorization"]
        return request

    measure("planetkey access_token()", session.access_token, lambda token: "Bearer " + token)
    measure("planetkey headers(url)", lambda: session.headers(API), of_headers)
    measure("planetkey headers(tile url)", lambda: session.headers(TILE), of_headers)
    measure("planetkey authorize(url).headers", lambda: session.authorize(API).headers, of_headers)
    measure("planetkey headers(url) into a requests request", into_request, of_request)


def planet_auth_hook():
    config = planet_auth.ClientCredentialsClientSecretClientConfig(
        auth_server=ISSUER, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    client = planet_auth.ClientCredentialsClientSecretAuthClient(config)
    hook = client.default_request_authenticator(planet_auth.FileBackedOidcCredential(data=token_response()))
    request = prepared()
    measure("planet-auth request hook", lambda: hook(request), of_request)


def sentinelhub_session():
    config = sentinelhub.SHConfig(use_defaults=True)
    config.sh_client_id, config.sh_client_secret = CLIENT_ID, CLIENT_SECRET
    session = sentinelhub.SentinelHubSession(config, _token=token_response())
    measure("sentinelhub session_headers", lambda: session.session_headers, of_headers)


def authlib_session():
    session = authlib.integrations.requests_client.OAuth2Session(
        CLIENT_ID, CLIENT_SECRET, token_endpoint="https://as.example/token", token=token_response()
    )
    request = prepared()
    measure("authlib token_auth(req)", lambda: session.token_auth(request), of_request)


def oauthlib_clients():
    client = oauthlib.oauth2.BackendApplicationClient(CLIENT_ID, token=token_response())
    measure("oauthlib Client.add_token", lambda: client.add_token(API, headers={}), lambda added: of_headers(added[1]))
    hook = requests_oauthlib.OAuth2(CLIENT_ID, client)
    request = prepared()
    measure("requests-oauthlib OAuth2(req)", lambda: hook(request), of_request)


def requests_oauth2client_hook():
    client = requests_oauth2client.OAuth2Client(
        "https://as.example/token", client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    token = requests_oauth2client.BearerToken(TOKEN, expires_in=LIFE)
    hook = requests_oauth2client.OAuth2ClientCredentialsAuth(client, token=token)
    request = prepared()
    measure("requests_oauth2client auth(req)", lambda: hook(request), of_request)


def google_credentials():
    # google-auth compares naive times in UTC.
    expiry = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=LIFE)
    credentials = google.oauth2.credentials.Credentials(TOKEN, expiry=expiry)

    def before_request():
        headers = {}
        credentials.before_request(None, "GET", API, headers)
        return headers

    measure("google-auth before_request", before_request, lambda headers: headers["authorization"])


class CannedHttp:
    """The HTTP client that MSAL is given: metadata and token without a server."""

    class Response:
        status_code = 200

        def __init__(self, document):
            self.headers = {"Content-Type": "application/json"}
            self.text = json.dumps(document)

        def raise_for_status(self):
            pass

    def get(self, url, **_):
        issuer = "https://as.example/realm"
        metadata = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "device_authorization_endpoint": f"{issuer}/device",
        }
        return self.Response(metadata)

    def post(self, url, **_):
        return self.Response({"access_token": TOKEN, "token_type": "Bearer", "expires_in": LIFE})

    def close(self):
        pass


def msal_application():
    application = msal.ConfidentialClientApplication(
        CLIENT_ID, client_credential=CLIENT_SECRET, oidc_authority="https://as.example/realm", http_client=CannedHttp()
    )
    measure(
        "msal acquire_token_for_client, memory",
        lambda: application.acquire_token_for_client(["scope"]),
        lambda answer: "Bearer " + answer["access_token"],
    )


floor()
planetkey_itself()
planet_auth_hook()
sentinelhub_session()
authlib_session()
oauthlib_clients()
requests_oauth2client_hook()
google_credentials()
msal_application()
