"""raster_server.py FILE PORT: makes a GeoTIFF, and serves it to requests with a bearer token."""

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import rasterio
from rasterio.transform import from_origin

file, port = sys.argv[1], int(sys.argv[2])
place = from_origin(8, 48, 0.01, 0.01)
profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 1, "dtype": "uint16"}
with rasterio.open(file, "w", crs="EPSG:4326", transform=place, tiled=True, **profile) as dataset:
    dataset.write(numpy.arange(256 * 256, dtype="uint16").reshape(256, 256), 1)
with open(file, "rb") as opened:
    content = opened.read()


class Handler(BaseHTTPRequestHandler):
    """Serves one file, in ranges."""

    def do_GET(self) -> None:
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            self.send_error(401)
            return
        if not self.path.endswith(".tif"):
            self.send_error(404)
            return
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        end = min(int(wanted[2]) + 1 if wanted and wanted[2] else len(content), len(content))
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "image/tiff")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[start:end])

    do_HEAD = do_GET

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(f"serving {file} at http://127.0.0.1:{port}/", flush=True)
server.serve_forever()
