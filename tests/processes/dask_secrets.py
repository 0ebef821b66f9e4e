"""Where a secret could be in a Dask cluster whose scheduler is in this process."""

import os
import pickle
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import distributed
import distributed.comm.tcp


@contextmanager
def recorded_frames() -> Iterator[list[bytes]]:
    """All frames that are sent and received in this process, before and after encryption."""
    frames: list[bytes] = []
    tcp: Any = distributed.comm.tcp
    to_frames, from_frames = tcp.to_frames, tcp.from_frames

    async def sending(*arguments: Any, **options: Any) -> Any:
        made = await to_frames(*arguments, **options)
        frames.extend(bytes(frame) for frame in made)
        return made

    async def receiving(received: Any, *arguments: Any, **options: Any) -> Any:
        frames.extend(bytes(frame) for frame in received)
        return await from_frames(received, *arguments, **options)

    with (
        mock.patch.object(tcp, "to_frames", sending),
        mock.patch.object(tcp, "from_frames", receiving),
    ):
        yield frames


def plugins(client: distributed.Client) -> tuple[bytes, bytes]:
    """The pickles of planetkey's plugins: of the scheduler and of the workers."""
    pickles: tuple[bytes, bytes] = client.run_on_scheduler(
        lambda dask_scheduler: (
            pickle.dumps(dask_scheduler.plugins["planetkey"]),
            dask_scheduler.worker_plugins["planetkey"],
        )
    )
    return pickles


def environments(client: distributed.Client) -> bytes:
    """The variables of all worker processes."""
    found: Any = client.run(_environment)
    return repr(found).encode()


def _environment() -> dict[str, str]:
    return dict(os.environ)


def check_memory(processes: Iterable[int], token: bytes, secret: bytes) -> None:
    """Checks that the memory of the processes holds the token and not the secret."""
    if sys.platform != "linux":
        return
    for process in processes:
        assert _memory_holds(process, token)
        assert not _memory_holds(process, secret)


def _memory_holds(process: int, wanted: bytes) -> bool:
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if area is None:
                continue
            start, end = (int(place, 16) for place in area.groups())
            memory.seek(start)
            if wanted in memory.read(end - start):
                return True
    return False
