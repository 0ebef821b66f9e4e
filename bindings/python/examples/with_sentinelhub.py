"""with_sentinelhub.py URL: asks for it with a client of `sentinelhub`, which needs no credential of its own."""

import sys

import planetkey
import planetkey.sentinelhub
from sentinelhub import SentinelHubDownloadClient

session = planetkey.sentinelhub.Session(planetkey.Session.from_defaults())
# For every client of this process, those inside of `SentinelHubRequest` and `SentinelHubCatalog` too.
SentinelHubDownloadClient.cache_session(session, universal=True)
print(SentinelHubDownloadClient().get_json_dict(sys.argv[1], use_session=True))
