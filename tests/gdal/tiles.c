/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reads a raster tile by tile through GDAL. Between two tiles the token is refreshed, and the old
 * one is revoked.
 *
 *     tiles URL HOST SCOPE FETCH
 *
 * test_native.py starts it. The environment names a simulator; URL is a server that asks it about
 * each token. */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_http.h>
#include <cpl_vsi.h>
#include <gdal.h>
#include <stdint.h>
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

enum { SIZE = 512, TILE = 128, ACROSS = SIZE / TILE, TILES = ACROSS * ACROSS, REFRESHES = 10 };

static planetkey_session *open_session(const char *host) {
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    CHECK_OK(planetkey_options_add_allowed_host(options, host, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    return session;
}

static planetkey_gdal_options *gdal_options(const char *host, planetkey_gdal_scope scope) {
    planetkey_gdal_options *options = planetkey_gdal_options_new();
    CHECK_OK(planetkey_gdal_options_set_scope(options, (int32_t)scope, &error));
    CHECK_OK(planetkey_gdal_options_add_host(options, host, &error));
    return options;
}

/* Revokes all tokens. Every second time the session learns it from an invalidate, so that it
 * refreshes inside GDAL's next request. */
static void refresh(const planetkey_session *session, int turn) {
    simulator_revoke_all();
    if (turn % 2) {
        CHECK_OK(planetkey_session_refresh(session, &error));
    } else {
        planetkey_string *token = NULL;
        bool will_refresh = false;
        CHECK_OK(planetkey_session_access_token(session, &token, &error));
        CHECK_OK(planetkey_session_invalidate(session, planetkey_string_data(token), &will_refresh,
                                              &error));
        CHECK(will_refresh);
        planetkey_string_free(token);
    }
}

static int tile_is_whole(GDALDatasetH dataset, int left, int top) {
    static uint32_t pixels[TILE * TILE];
    int x, y;
    if (GDALRasterIO(GDALGetRasterBand(dataset, 1), GF_Read, left, top, TILE, TILE, pixels, TILE,
                     TILE, GDT_UInt32, 0, 0) != CE_None) {
        return 0;
    }
    for (y = 0; y < TILE; ++y) {
        for (x = 0; x < TILE; ++x) {
            if (pixels[y * TILE + x] != (uint32_t)((left + x) * 7 + (top + y) * 131) % 65521) {
                return 0;
            }
        }
    }
    return 1;
}

static void read_across_refreshes(const planetkey_session *session, const char *name) {
    GDALDatasetH dataset = GDALOpen(name, GA_ReadOnly);
    int tile;
    if (!CHECK(dataset != NULL)) {
        fprintf(stderr, "    %s\n", CPLGetLastErrorMsg());
        return;
    }
    for (tile = 0; tile < TILES; ++tile) {
        /* Not in order, so that GDAL reads no tile ahead. */
        int place = tile * 7 % TILES;
        if (tile >= 1 && tile <= REFRESHES) {
            refresh(session, tile);
        }
        if (!CHECK(tile_is_whole(dataset, place % ACROSS * TILE, place / ACROSS * TILE))) {
            fprintf(stderr, "    tile %d: %s\n", tile, CPLGetLastErrorMsg());
        }
    }
    GDALClose(dataset);
    CHECK(simulator_count("m2m.token") == REFRESHES + 1);
}

/* Options of single hosts need GDAL 3.7. */
static void check_default_scope(const planetkey_session *session, const char *host) {
    planetkey_gdal_options *options = gdal_options(host, PLANETKEY_GDAL_SCOPE_HOSTS);
    planetkey_gdal *gdal = NULL;
    if (atoi(GDALVersionInfo("VERSION_NUM")) < GDAL_COMPUTE_VERSION(3, 7, 0)) {
        CHECK_STATUS(planetkey_gdal_install(session, options, &gdal, &error),
                     PLANETKEY_STATUS_UNSUPPORTED);
        CHECK(gdal == NULL);
    } else {
        CHECK_OK(planetkey_gdal_install(session, options, &gdal, &error));
    }
    planetkey_gdal_free(gdal);
    planetkey_gdal_options_free(options);
}

/* A CPLHTTPFetch carries the token instead of the caller's credentials, and does not send it to the
 * target of a redirect. */
static void check_fetch(const char *url) {
    const char *options[] = {
        "USERPWD=dummy:", "HEADERS=Accept: image/tiff\r\nAuthorization: api-key dummy", NULL};
    CPLHTTPResult *result = CPLHTTPFetch(url, (char **)(void *)options);
    if (CHECK(result != NULL)) {
        CHECK(result->nStatus == 0 && result->pszErrBuf == NULL);
        CHECK(result->nDataLen > SIZE * SIZE * 4);
        CPLHTTPDestroyResult(result);
    }
}

/* Without a credential: GDAL and planetkey_gdal_last_error() report the error, and none after a
 * refresh. */
static void check_failure(const char *url, const char *host, planetkey_gdal_scope scope) {
    planetkey_session *session;
    planetkey_gdal_options *options = gdal_options(host, scope);
    planetkey_gdal *gdal = NULL;
    planetkey_string *path = NULL;
    planetkey_error *failure;
    GDALDatasetH dataset;

    simulator_reset();
    session = open_session(host);
    CHECK_OK(planetkey_gdal_install(session, options, &gdal, &error));
    CHECK_OK(planetkey_gdal_path(gdal, url, &path, &error));
    CHECK(planetkey_gdal_last_error(gdal) == NULL);

    /* The saved token is the result of a 401 a moment ago. After a 401 to that one too, planetkey
     * would not send another request. */
    CHECK_OK(planetkey_session_refresh(session, &error));
    refresh(session, 0);
    simulator_script("m2m.token", "[{\"status\": 401, \"json\": {\"error\": \"invalid_client\"}}]",
                     1);
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CPLErrorReset();
    dataset = GDALOpen(planetkey_string_data(path), GA_ReadOnly);
    CHECK(dataset == NULL);
    CPLPopErrorHandler();
    failure = planetkey_gdal_last_error(gdal);
    CHECK(planetkey_error_status(failure) == PLANETKEY_STATUS_MISCONFIGURED);
    CHECK_TEXT(planetkey_error_oauth_error(failure), "invalid_client");
    planetkey_error_free(failure);

    /* The cause is repaired. GDAL remembers that it could not read the file. */
    planetkey_gdal_free(gdal);
    planetkey_session_free(session);
    planetkey_string_free(path);
    simulator_reset();
    session = open_session(host);
    CHECK_OK(planetkey_gdal_install(session, options, &gdal, &error));
    CHECK_OK(planetkey_gdal_refresh(gdal, &error));
    CHECK_OK(planetkey_gdal_path(gdal, url, &path, &error));
    dataset = GDALOpen(planetkey_string_data(path), GA_ReadOnly);
    if (CHECK(dataset != NULL)) {
        CHECK(tile_is_whole(dataset, 0, 0));
        GDALClose(dataset);
    }
    CHECK(planetkey_gdal_last_error(gdal) == NULL);
    planetkey_string_free(path);
    planetkey_gdal_free(gdal);
    planetkey_gdal_options_free(options);
    planetkey_session_free(session);
}

/* The installation leaves no options behind. */
static void check_gone(const char *url) {
    char name[1024];
    CHECK(CPLGetConfigOption("CPL_VSIL_CURL_USE_S3_REDIRECT", NULL) == NULL);
    CHECK(CPLGetConfigOption("CPL_VSIL_CURL_USE_HEAD", NULL) == NULL);
    CHECK(CPLGetConfigOption("GDAL_HTTP_HEADER_FILE", NULL) == NULL);
    /* GDAL still has the data that it has read. */
    snprintf(name, sizeof name, "/vsicurl/%s?gone", url);
    CHECK(VSIGetPathSpecificOption(name, "GDAL_HTTP_HEADER_FILE", NULL) == NULL);
    CPLPushErrorHandler(CPLQuietErrorHandler);
    CHECK(GDALOpen(name, GA_ReadOnly) == NULL);
    CPLPopErrorHandler();
}

int main(int argc, char **argv) {
    const char *url, *host;
    planetkey_gdal_scope scope;
    planetkey_gdal_options *options;
    planetkey_session *session;
    planetkey_gdal *gdal = NULL, *second = NULL;
    planetkey_string *path = NULL;
    if (argc != 5) {
        return 2;
    }
    url = argv[1];
    host = argv[2];
    scope = strcmp(argv[3], "every_host") == 0 ? PLANETKEY_GDAL_SCOPE_EVERY_HOST
            : strcmp(argv[3], "paths") == 0    ? PLANETKEY_GDAL_SCOPE_PATHS
                                               : PLANETKEY_GDAL_SCOPE_HOSTS;
    simulator_join();
    GDALAllRegister();
    CPLSetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR");

    session = open_session(host);
    check_default_scope(session, host);
    options = gdal_options(host, scope);
    CHECK_OK(planetkey_gdal_install(session, options, &gdal, &error));
    /* One host, one session. */
    CHECK_STATUS(planetkey_gdal_install(session, options, &second, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_OK(planetkey_gdal_path(gdal, url, &path, &error));
    read_across_refreshes(session, planetkey_string_data(path));
    planetkey_string_free(path);
    if (scope != PLANETKEY_GDAL_SCOPE_EVERY_HOST) {
        check_fetch(argv[4]);
    }
    /* A host of the session for which it is not installed. */
    CHECK_STATUS(planetkey_gdal_path(gdal, simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/"),
                                     &path, &error),
                 PLANETKEY_STATUS_HOST_REFUSED);
    CHECK(path == NULL);
    planetkey_gdal_free(gdal);
    planetkey_gdal_options_free(options);
    planetkey_session_free(session);

    check_failure(url, host, scope);
    check_gone(url);
    return finish();
}
