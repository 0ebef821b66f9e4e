/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* C with libcurl: sends a request with the credential for its URL, and repeats it once if the API
 * refuses the access token.
 *
 *     cc curl.c $(pkg-config --cflags --libs planetkey libcurl) -o curl-example
 *     ./curl-example [URL]
 *
 * libcurl follows redirects only with CURLOPT_FOLLOWLOCATION. Since 7.83 it then sends the header
 * to no other host, port or scheme. For a redirect to another host of the session, call
 * planetkey_session_authorize() with its URL. */
#include <curl/curl.h>
#include <planetkey.h>
#include <stdio.h>

/* Sends one request and prints the response. */
static CURLcode perform(CURL *curl, const planetkey_authorization *authorization) {
    struct curl_slist *headers = NULL;
    for (size_t i = 0; i < planetkey_authorization_header_count(authorization); ++i) {
        headers = curl_slist_append(headers, planetkey_authorization_header_line(authorization, i));
    }
    curl_easy_setopt(curl, CURLOPT_URL, planetkey_authorization_url(authorization));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return code;
}

static planetkey_status get(const planetkey_session *session, CURL *curl, const char *url,
                            planetkey_error **error) {
    planetkey_authorization *authorization = NULL;
    planetkey_authorization *repeat = NULL;
    planetkey_status status = planetkey_session_authorize(session, url, &authorization, error);
    if (status == PLANETKEY_STATUS_OK) {
        long http_status = 0;
        CURLcode code = perform(curl, authorization);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
        if (http_status != 0) {
            status = planetkey_session_after_response(session, authorization, (int32_t)http_status,
                                                      NULL, &repeat, error);
        }
        if (repeat) {
            code = perform(curl, repeat);
        }
        if (code != CURLE_OK) {
            fprintf(stderr, "%s\n", curl_easy_strerror(code));
        }
    }
    planetkey_authorization_free(authorization);
    planetkey_authorization_free(repeat);
    return status;
}

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "https://api.planet.com/basemaps/v1/mosaics";
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_from_defaults(NULL, &session, &error);
    if (status == PLANETKEY_STATUS_OK) {
        CURL *curl = curl_easy_init();
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        status = get(session, curl, url, &error);
        curl_easy_cleanup(curl);
    }
    if (status != PLANETKEY_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", planetkey_status_name(status), planetkey_error_message(error));
    }
    planetkey_error_free(error);
    planetkey_session_free(session);
    return status;
}
