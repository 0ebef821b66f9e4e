"""Rasterio reads a raster that needs a credential: ``python read_raster.py https://api.planet.com/...``."""

import sys

import planetkey
import planetkey.gdal
import rasterio

session = planetkey.Session.from_defaults()
with planetkey.gdal.install(session), rasterio.open(sys.argv[1]) as dataset:
    print(f"{dataset.width} x {dataset.height} pixels")
