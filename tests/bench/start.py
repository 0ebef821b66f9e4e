"""From process start to one header on standard output, with planetkey or one of its peers.

Each imports only what it needs. Arguments: the library, and the credential: `api_key` or `m2m` from
the environment, or `saved-user` or `saved-m2m`, which saved.py opens in the home directory.
"""

import os
import sys

LIBRARY, CREDENTIAL = sys.argv[1:]
HOME = os.environ["HOME"]
API = "https://api.planet.com/basemaps/v1/mosaics"


def planetkey():
    import planetkey

    # The environment holds the one credential that is asked for.
    return planetkey.Session.from_defaults(allow_insecure_loopback=True).headers(API)


def planet_auth():
    import planet_auth
    import requests

    if CREDENTIAL == "api_key":
        config = planet_auth.StaticApiKeyAuthClientConfig(
            api_key=os.environ["PL_API_KEY"], bearer_token_prefix="api-key"
        )
        client = planet_auth.StaticApiKeyAuthClient(config)
        hook = client.default_request_authenticator(client.login())
    else:
        config = planet_auth.ClientCredentialsClientSecretClientConfig(
            auth_server=os.environ["PLANETKEY_SIMULATOR_M2M"],
            client_id=os.environ["PL_AUTH_CLIENT_ID"],
            client_secret=os.environ["PL_AUTH_CLIENT_SECRET"],
            audiences=["https://api.planet.com/"],
        )
        client = planet_auth.ClientCredentialsClientSecretAuthClient(config)
        # As Planet's SDK does it, which keeps the token by default.
        credential = client.login()
        credential.set_path(f"{HOME}/token.json")
        credential.save()
        hook = client.default_request_authenticator(credential)
    return hook(requests.Request("GET", API).prepare()).headers


def sentinelhub():
    import sentinelhub

    config = sentinelhub.SHConfig(use_defaults=True)
    config.sh_client_id = os.environ["PL_AUTH_CLIENT_ID"]
    config.sh_client_secret = os.environ["PL_AUTH_CLIENT_SECRET"]
    config.sh_token_url = os.environ["PLANETKEY_SIMULATOR_M2M"] + "/protocol/openid-connect/token"
    return sentinelhub.SentinelHubSession(config).session_headers


if CREDENTIAL.startswith("saved-"):
    import saved

    header = saved.OPENERS[LIBRARY][CREDENTIAL.removeprefix("saved-")](HOME)()
else:
    headers = {"planetkey": planetkey, "planet-auth": planet_auth, "sentinelhub": sentinelhub}[LIBRARY]()
    header = headers["Authorization"]
print("Authorization:", header, flush=True)
