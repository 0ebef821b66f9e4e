"""hammer FILE COUNT: write JSON objects in turn to a file, as Planet's SDK does, until input ends.

The objects are COUNT lines of the input. It prints `hammering` after the first write, and at the
end the number of writes.
"""

import json
import os
import select
import sys
from pathlib import Path

from planet_auth.storage_utils import ObjectStorageProvider


def main(file: Path, count: int) -> None:
    storage = ObjectStorageProvider._default_storage_provider()
    documents = [json.loads(sys.stdin.buffer.raw.readline()) for _ in range(count)]
    written = 0
    while True:
        storage.save_obj(file, documents[written % count])
        written += 1
        if written == 1:
            os.write(1, b"hammering\n")
        if written % 10 == 0 and select.select([0], [], [], 0)[0]:
            break
    os.write(1, f"{written}\n".encode())


main(Path(sys.argv[1]), int(sys.argv[2]))
