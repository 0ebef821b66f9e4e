"""with_aiohttp.py URL: request it with `aiohttp` and the credential that its host accepts."""

import asyncio
import sys

import aiohttp
import planetkey
from planetkey.aiohttp import Middleware


async def main(url: str) -> None:
    """Use `trust_env` for the proxies of the environment, which the session uses too."""
    middleware = Middleware(planetkey.Session.from_defaults())
    async with (
        aiohttp.ClientSession(
            middlewares=(middleware,), raise_for_status=True, trust_env=True
        ) as client,
        client.get(url) as response,
    ):
        print(await response.text())


asyncio.run(main(sys.argv[1]))
