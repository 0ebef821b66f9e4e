"""with_rasterio.py URL: opens it with `rasterio` and the credential that its host takes."""

import sys

import planetkey
import planetkey.gdal
import rasterio

session = planetkey.Session.from_defaults()
with planetkey.gdal.install(session), rasterio.open(sys.argv[1]) as dataset:
    print(f"{dataset.width} x {dataset.height} pixels")
