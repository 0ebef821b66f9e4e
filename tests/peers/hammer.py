"""hammer FILE COUNT: write JSON objects in turn to a file, as Planet's SDK does, until input ends.

The objects are COUNT lines of the input. It prints `hammering` after the first write, and at the
end the number of writes and how many milliseconds the longest took.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

from planet_auth.storage_utils import ObjectStorageProvider


def main(file: Path, count: int) -> None:
    storage = ObjectStorageProvider._default_storage_provider()
    documents = [json.loads(sys.stdin.buffer.raw.readline()) for _ in range(count)]
    written = 0
    longest = 0.0
    while True:
        since = time.monotonic()
        storage.save_obj(file, documents[written % count])
        longest = max(longest, time.monotonic() - since)
        written += 1
        if written == 1:
            os.write(1, b"hammering\n")
        if written % 10 == 0 and select.select([0], [], [], 0)[0]:
            break
    os.write(1, f"{written} {longest * 1000:.0f}\n".encode())


main(Path(sys.argv[1]), int(sys.argv[2]))
