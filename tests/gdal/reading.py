"""The picture of the servers, read through rasterio."""

import os
from collections.abc import Iterator

import numpy as np
import rasterio
from rasterio.windows import Window

from range_server import SIZE, TILE, TILES

ACROSS = SIZE // TILE


def windows() -> Iterator[Window]:
    """Every tile once, not in their order, so that GDAL fetches none ahead."""
    for tile in range(TILES):
        place = tile * 7 % TILES
        yield Window(place % ACROSS * TILE, place // ACROSS * TILE, TILE, TILE)


def expected(window: Window) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    x = np.arange(window.col_off, window.col_off + window.width, dtype=np.uint32)
    y = np.arange(window.row_off, window.row_off + window.height, dtype=np.uint32)
    return (x[np.newaxis, :] * 7 + y[:, np.newaxis] * 131) % 65521


def check(dataset: rasterio.DatasetReader, window: Window) -> None:
    """Fails unless this part of the picture can be read, and is what it should be."""
    assert np.array_equal(dataset.read(1, window=window), expected(window))


def check_all(name: str) -> None:
    """The same for the whole picture, opened anew."""
    with rasterio.open(name) as dataset:
        for window in windows():
            check(dataset, window)


def read_part(url: str) -> int:
    """Reads one part of the picture, opened anew. Returns the process."""
    with rasterio.open(url) as dataset:
        check(dataset, next(windows()))
    return os.getpid()
