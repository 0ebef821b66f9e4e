"""with_httpx_async.py URL...: request all of them at once with `httpx`."""

import asyncio
import sys

import httpx
import planetkey


async def main(urls: list[str]) -> None:
    """Use one session and one client for all requests."""
    session = planetkey.Session.from_defaults()
    async with httpx.AsyncClient(auth=session) as client:
        for response in await asyncio.gather(*(client.get(url) for url in urls)):
            print(response.raise_for_status().text)


asyncio.run(main(sys.argv[1:]))
