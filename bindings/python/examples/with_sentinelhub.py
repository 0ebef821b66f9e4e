"""with_sentinelhub.py URL: request it with a client of `sentinelhub`."""

import sys

import planetkey
import planetkey.sentinelhub
from sentinelhub import SentinelHubDownloadClient

session = planetkey.sentinelhub.Session(planetkey.Session.from_defaults())
# For every client of this process, also those of `SentinelHubRequest` and `SentinelHubCatalog`.
SentinelHubDownloadClient.cache_session(session, universal=True)
print(SentinelHubDownloadClient().get_json_dict(sys.argv[1], use_session=True))
