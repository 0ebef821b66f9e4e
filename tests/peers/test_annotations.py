"""The annotations of the adapters, looked up at run time."""

import inspect
import typing
from types import ModuleType

import planetkey.aiohttp
import planetkey.dask
import planetkey.planet
import planetkey.sentinelhub
import pytest

MODULES = (planetkey.aiohttp, planetkey.dask, planetkey.planet, planetkey.sentinelhub)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_i10_29_annotations_can_be_looked_up(module: ModuleType) -> None:
    for name in module.__all__:
        thing = getattr(module, name)
        functions = vars(thing).values() if inspect.isclass(thing) else [thing]
        for value in functions:
            function = (
                value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            )
            if inspect.isfunction(function):
                typing.get_type_hints(function)
