"""with_planet_sdk.py URL: asks for it with Planet's SDK, which takes the credential from planetkey."""

import asyncio
import sys

import planetkey
import planetkey.planet


async def main(url: str) -> None:
    """Clients take it as they take a `planet.Session`: `planet.DataClient(sdk)`, `planet.Planet(sdk)`."""
    async with planetkey.planet.Session(planetkey.Session.from_defaults()) as sdk:
        response = await sdk.request("GET", url)
        print(response.json())


asyncio.run(main(sys.argv[1]))
