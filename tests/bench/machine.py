"""One process on a machine of a cluster: machine.py LIBRARY.

It opens an M2M client as its environment says, with its saved token below HOME, says `ready`, and
when its input ends prints the header that it gets. Started by store.py.
"""

import os
import sys

LIBRARY = sys.argv[1]
HOME = os.environ["HOME"]


def planetkey():
    import planetkey

    session = planetkey.Session.from_defaults(allow_insecure_loopback=True, timeout=120)
    return lambda: session.headers(os.environ["API"])["Authorization"]


def planet_auth():
    import saved

    return saved.planet_auth_m2m(HOME)


def sentinelhub():
    import sentinelhub

    config = sentinelhub.SHConfig(use_defaults=True)
    config.sh_client_id = os.environ["PL_AUTH_CLIENT_ID"]
    config.sh_client_secret = os.environ["PL_AUTH_CLIENT_SECRET"]
    config.sh_token_url = os.environ["PLANETKEY_SIMULATOR_M2M"] + "/protocol/openid-connect/token"
    # It requests its token when it is made.
    return lambda: sentinelhub.SentinelHubSession(config).session_headers["Authorization"]


def msal():
    """With a cache in Redis, as MSAL's documentation makes one for web applications."""
    import msal
    import valkey

    redis = valkey.Valkey.from_url(os.environ["PLANETKEY_STORE"])

    class Cache(msal.SerializableTokenCache):
        def search(self, *arguments, **options):
            self.deserialize((redis.get("msal") or b"{}").decode())
            yield from super().search(*arguments, **options)

        def modify(self, *arguments, **options):
            self.deserialize((redis.get("msal") or b"{}").decode())
            super().modify(*arguments, **options)
            redis.set("msal", self.serialize())

        def add(self, event, **options):
            self.deserialize((redis.get("msal") or b"{}").decode())
            super().add(event, **options)
            redis.set("msal", self.serialize())

    application = msal.ConfidentialClientApplication(
        os.environ["PL_AUTH_CLIENT_ID"],
        client_credential=os.environ["PL_AUTH_CLIENT_SECRET"],
        oidc_authority=os.environ["PLANETKEY_SIMULATOR_TLS"],
        verify=os.environ["PLANETKEY_SIMULATOR_CA"],
        token_cache=Cache(),
    )
    return lambda: "Bearer " + application.acquire_token_for_client(["scope"])["access_token"]


OPENERS = {
    "planetkey": planetkey,
    "planetkey with a store": planetkey,
    "planet-auth": planet_auth,
    "sentinelhub": sentinelhub,
    "MSAL with a cache in Redis": msal,
}

header = OPENERS[LIBRARY]()
print("ready", flush=True)
sys.stdin.read()
print(header())
