"""The file systems of `fsspec`, which use `aiohttp`."""

import pickle

import fsspec
import pytest
from planetkey.aiohttp import Middleware

from loopback import Loopback


def file_system(middleware: Middleware, **requests: object) -> fsspec.AbstractFileSystem:
    options = {"middlewares": (middleware,), "trust_env": True}
    return fsspec.filesystem("http", client_kwargs=options, skip_instance_cache=True, **requests)


def test_a_file_system_reads_from_each_host(loopback: Loopback) -> None:
    files = file_system(Middleware(loopback.both()))
    assert b'"api_key_basic"' in files.cat_file(loopback.planet)
    assert b'"bearer"' in files.cat_file(loopback.sentinel_hub)
    with files.open(loopback.sentinel_hub) as file:
        assert b'"bearer"' in file.read()


def test_a096_a_revoked_token_is_refreshed_and_the_request_repeated(loopback: Loopback) -> None:
    """A header in `client_kwargs` would never change."""
    files = file_system(Middleware(loopback.m2m()))
    files.cat_file(loopback.sentinel_hub)
    loopback.revoke()
    assert b'"bearer"' in files.cat_file(loopback.sentinel_hub)
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 3)


def test_a095_a_redirect_to_a_foreign_host_carries_nothing(loopback: Loopback) -> None:
    files = file_system(Middleware(loopback.both()), ssl=loopback.tls())
    with pytest.raises(FileNotFoundError):
        files.cat_file(loopback.redirect(loopback.sentinel_hub, loopback.foreign))
    assert loopback.authorizations("as.other") == [None]


def test_an_api_key_goes_where_it_may(loopback: Loopback) -> None:
    files = file_system(Middleware(loopback.key()))
    assert b'"api_key_basic"' in files.cat_file(loopback.planet)
    with pytest.raises(Exception, match="401"):
        files.cat_file(loopback.sentinel_hub)
    assert loopback.authorizations("sentinel_hub_api") == [None]


def test_netrc_does_not_replace_the_credential(loopback: Loopback) -> None:
    loopback.write_netrc()
    files = file_system(Middleware(loopback.both()))
    assert b'"bearer"' in files.cat_file(loopback.sentinel_hub)


def test_a_file_system_can_be_pickled(loopback: Loopback) -> None:
    """`dask` and `xarray` send it to their workers."""
    files = pickle.loads(pickle.dumps(file_system(Middleware(loopback.both()))))  # noqa: S301
    assert b'"bearer"' in files.cat_file(loopback.sentinel_hub)
