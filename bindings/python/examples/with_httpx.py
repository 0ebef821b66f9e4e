"""with_httpx.py URL: request it with `httpx` and the credential that its host accepts."""

import sys

import httpx
import planetkey

session = planetkey.Session.from_defaults()
with httpx.Client(auth=session) as client:
    print(client.get(sys.argv[1]).raise_for_status().text)
