"""with_requests.py URL: request it with `requests` and the credential that its host accepts."""

import sys

import planetkey
import requests

session = planetkey.Session.from_defaults()
with requests.Session() as client:
    client.auth = session
    response = client.get(sys.argv[1], timeout=30)
    response.raise_for_status()
    print(response.text)
