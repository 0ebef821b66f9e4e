"""The control API of the simulator that everything here runs inside."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def control(path, body=None):
    """Asks the control API: GET without a body."""
    data = None if body is None else json.dumps(body).encode()
    with _opener.open(urllib.request.Request(os.environ["PLANETKEY_SIMULATOR"] + path, data), timeout=30) as answer:
        return json.load(answer)


def count(target):
    return control("/counters").get(target, 0)


def session_of(refresh_token):
    """What the server knows about the session that this refresh token belongs or belonged to."""
    (session,) = control("/sessions?token=" + urllib.parse.quote(refresh_token))
    return session


def is_accepted(header):
    """Whether an API lets this header in: the one that takes the tokens of everybody here."""
    url = os.environ["PLANETKEY_SIMULATOR_SENTINEL_HUB_API"] + "/api/v1/catalog/1.0.0/"
    try:
        with _opener.open(urllib.request.Request(url, headers={"Authorization": header}), timeout=30):
            return True
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return False


def prepare_for_msal():
    """MSAL requires https, so its issuer is the TLS listener, and so is one unused endpoint."""
    issuer = os.environ["PLANETKEY_SIMULATOR_TLS"]
    control("/settings", {"accepted_issuers": [issuer]})
    steps = [{"metadata_response": {"set": {"authorization_endpoint": issuer + "/authorize"}}}]
    control("/script", {"target": "m2m.metadata", "steps": steps, "repeat": True})
