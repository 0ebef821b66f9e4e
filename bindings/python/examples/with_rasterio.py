"""with_rasterio.py URL: open it with `rasterio` and the credential that its host accepts."""

import sys

import planetkey
import planetkey.gdal
import rasterio

session = planetkey.Session.from_defaults()
with planetkey.gdal.install(session), rasterio.open(sys.argv[1]) as dataset:
    print(f"{dataset.width} x {dataset.height} pixels")
