/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* C with GDAL: reads a raster that needs a credential.
 *
 *     cc gdal.c $(pkg-config --cflags --libs planetkey gdal) -o example
 *     ./example https://api.planet.com/... */
#include <gdal.h>
#include <planetkey.h>
#include <stdio.h>

int main(int argc, char **argv) {
    planetkey_session *session = NULL;
    planetkey_gdal_options *options = planetkey_gdal_options_new();
    planetkey_gdal *gdal = NULL;
    planetkey_string *path = NULL;
    planetkey_error *error = NULL;
    planetkey_status status;
    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return PLANETKEY_STATUS_INVALID_ARGUMENT;
    }
    GDALAllRegister();
    status = planetkey_session_from_defaults(NULL, &session, &error);
    /* With the names of planetkey_gdal_path() it works with GDAL before 3.7 too. */
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_gdal_options_set_scope(options, PLANETKEY_GDAL_SCOPE_PATHS, &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_gdal_install(session, options, &gdal, &error);
    if (status == PLANETKEY_STATUS_OK)
        status = planetkey_gdal_path(gdal, argv[1], &path, &error);
    if (status == PLANETKEY_STATUS_OK) {
        GDALDatasetH dataset = GDALOpen(planetkey_string_data(path), GA_ReadOnly);
        if (dataset) {
            printf("%d x %d pixels\n", GDALGetRasterXSize(dataset), GDALGetRasterYSize(dataset));
            GDALClose(dataset);
        } else {
            status = PLANETKEY_STATUS_UNAVAILABLE; /* GDAL printed the reason */
        }
    } else {
        fprintf(stderr, "%s: %s\n", planetkey_status_name(status), planetkey_error_message(error));
    }
    planetkey_error_free(error);
    planetkey_string_free(path);
    planetkey_gdal_free(gdal);
    planetkey_gdal_options_free(options);
    planetkey_session_free(session);
    return status;
}
