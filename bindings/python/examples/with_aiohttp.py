"""with_aiohttp.py URL: asks for it with `aiohttp` and the credential that its host takes."""

import asyncio
import sys

import aiohttp
import planetkey
from planetkey.aiohttp import Middleware


async def main(url: str) -> None:
    """With `trust_env` the client heeds proxies of the environment, as the session does."""
    middleware = Middleware(planetkey.Session.from_defaults())
    async with (
        aiohttp.ClientSession(
            middlewares=(middleware,), raise_for_status=True, trust_env=True
        ) as client,
        client.get(url) as response,
    ):
        print(await response.text())


asyncio.run(main(sys.argv[1]))
