"""with_pystac_client.py URL: open a STAC API and list its collections."""

import sys

import planetkey
import pystac_client

session = planetkey.Session.from_defaults()
client = pystac_client.Client.open(sys.argv[1], request_modifier=session)
for collection in client.get_collections():
    print(collection.id)
