"""hammer FILE COUNT: writes so many JSON objects by turns to a file, as Planet's SDK does, until the input ends.

They are lines of the input. Says `hammering` when the first is written, and at the end how often it wrote.
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
