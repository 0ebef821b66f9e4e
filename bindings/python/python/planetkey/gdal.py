"""GDAL in this process: rasterio, osgeo, pyogrio, fiona and whatever else brings one.

    import planetkey
    import planetkey.gdal
    import rasterio

    session = planetkey.Session.from_defaults()
    with planetkey.gdal.install(session), rasterio.open("https://api.planet.com/...") as dataset:
        ...

From then on what is opened at one of the session's hosts carries its credential, in all threads and without a
``rasterio.Env``. GDAL asks the session before each request, so a dataset that stays open outlives its tokens.
"""

from __future__ import annotations

from planetkey._native import Gdal
from planetkey._native import gdal_install as install

__all__ = ["Gdal", "install"]
