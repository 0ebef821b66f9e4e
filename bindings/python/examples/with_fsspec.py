"""with_fsspec.py URL: read it as a file, as `xarray`, `zarr` and `pandas` do with `fsspec`."""

import sys

import fsspec
import planetkey
from planetkey.aiohttp import Middleware

middleware = Middleware(planetkey.Session.from_defaults())
files = fsspec.filesystem("https", client_kwargs={"middlewares": (middleware,), "trust_env": True})
print(files.cat_file(sys.argv[1]).decode())
