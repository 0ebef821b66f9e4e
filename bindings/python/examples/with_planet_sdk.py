"""with_planet_sdk.py URL: request it with Planet's SDK and a credential of planetkey."""

import asyncio
import sys

import planetkey
import planetkey.planet


async def main(url: str) -> None:
    """Pass `sdk` to clients too: `planet.DataClient(sdk)`, `planet.Planet(sdk)`."""
    async with planetkey.planet.Session(planetkey.Session.from_defaults()) as sdk:
        response = await sdk.request("GET", url)
        print(response.json())


asyncio.run(main(sys.argv[1]))
