/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* C with libcurl: the right credential for a URL, and one repetition when an API refuses the access token.
 *
 *     cc curl.c $(pkg-config --cflags --libs planetkey libcurl) -o curl-example && ./curl-example [URL]
 *
 * libcurl follows no redirect unless it is told to. Told by CURLOPT_FOLLOWLOCATION, it leaves the header behind when the host, the port
 * or the scheme changes, from 7.83 on; what another host of the session is to get, it gets by planetkey_session_authorize() for that URL. */
#include <curl/curl.h>
#include <planetkey.h>
#include <stdio.h>

/* One request with what the URL gets now. `again` says whether to make it once more. */
static planetkey_status get(const planetkey_session *session, CURL *curl, const char *url, bool *again, planetkey_error **error) {
    planetkey_authorization *authorization = NULL;
    struct curl_slist *headers = NULL;
    long http_status = 0;
    planetkey_status status = planetkey_session_authorize(session, url, &authorization, error);
    *again = false;
    if (status != PLANETKEY_STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < planetkey_authorization_header_count(authorization); ++i) {
        headers = curl_slist_append(headers, planetkey_authorization_header_line(authorization, i));
    }
    curl_easy_setopt(curl, CURLOPT_URL, planetkey_authorization_url(authorization));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl); /* prints the answer */
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);

    /* NULL for an API key, of which there is no other. */
    const char *token = planetkey_authorization_access_token(authorization);
    if (token && http_status != 0) {
        status = planetkey_session_should_retry(session, token, (int32_t)http_status, NULL, again, error);
    }
    if (code != CURLE_OK && !*again) {
        fprintf(stderr, "%s\n", curl_easy_strerror(code));
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    planetkey_authorization_free(authorization);
    return status;
}

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "https://api.planet.com/basemaps/v1/mosaics";
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_from_defaults(NULL, &session, &error);
    if (status == PLANETKEY_STATUS_OK) {
        CURL *curl = curl_easy_init();
        bool again = true;
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        for (int attempt = 1; status == PLANETKEY_STATUS_OK && again && attempt <= 2; ++attempt) {
            status = get(session, curl, url, &again, &error);
        }
        curl_easy_cleanup(curl);
    }
    if (status != PLANETKEY_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", planetkey_status_name(status), planetkey_error_message(error));
    }
    planetkey_error_free(error);
    planetkey_session_free(session);
    return status;
}
