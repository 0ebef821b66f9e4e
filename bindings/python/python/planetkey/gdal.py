"""A session for GDAL in this process: that of rasterio, osgeo, pyogrio, fiona and others.

    import planetkey
    import planetkey.gdal
    import rasterio

    session = planetkey.Session.from_defaults()
    with planetkey.gdal.install(session):
        with rasterio.open("https://api.planet.com/...") as dataset:
            ...

What is then opened at one of the session's hosts carries its credential, in all threads and without
a ``rasterio.Env``. GDAL asks the session before each request, so a dataset can stay open for longer
than a token is valid.
"""

from __future__ import annotations

from planetkey._native import Gdal
from planetkey._native import gdal_install as install

__all__ = ["Gdal", "install"]
