/* One session with an API key and an M2M client: each API gets the credential that it takes. */
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>
#include <planetkey.h>

static int print_row(const char *api, const char *credential, const char *result) {
    return printf("%-8s %-26s %-22s %s\n", "C", api, credential, result);
}

/* Prints an error and ends the program. */
static void check(planetkey_status status, planetkey_error *const *error) {
    if (status != PLANETKEY_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", planetkey_status_name(status), planetkey_error_message(*error));
        exit(status);
    }
}

static size_t ignore(char *data, size_t size, size_t count, void *user_data) {
    (void)data;
    (void)user_data;
    return size * count;
}

/* Sends one request with its authorization. Returns the HTTP status, 0 if there is no response. */
static long request(const planetkey_authorization *authorization) {
    struct curl_slist *headers = NULL;
    for (size_t i = 0; i < planetkey_authorization_header_count(authorization); ++i) {
        headers = curl_slist_append(headers, planetkey_authorization_header_line(authorization, i));
    }
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, planetkey_authorization_url(authorization));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    long http_status = 0;
    if (curl_easy_perform(curl) == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return http_status;
}

static void call(const planetkey_session *session, const char *api, const char *base,
                 const char *path) {
    char url[512];
    snprintf(url, sizeof url, "%s%s", base, path);
    planetkey_authorization *authorization = NULL;
    planetkey_error *error = NULL;
    check(planetkey_session_authorize(session, url, &authorization, &error), &error);

    char credential[64];
    snprintf(credential, sizeof credential, "%s (%s)",
             planetkey_authorization_credential(authorization),
             planetkey_authorization_transport(authorization));
    char result[16];
    snprintf(result, sizeof result, "%ld", request(authorization));
    print_row(api, credential, result);
    planetkey_authorization_free(authorization);
}

/* An API key alone must not get an authorization for this URL. If it does, the request is made, and
 * counted. */
static void refuse(const char *deployment, const char *api, const char *base, const char *path) {
    char url[512];
    snprintf(url, sizeof url, "%s%s", base, path);
    planetkey_error *error = NULL;
    planetkey_options *options = planetkey_options_new();
    check(planetkey_options_set_allow_insecure_loopback(options, true, &error), &error);
    check(planetkey_options_set_deployment(options, deployment, &error), &error);
    planetkey_session *session = NULL;
    check(planetkey_session_from_api_key(getenv("PL_API_KEY"), PLANETKEY_API_KEY_TRANSPORT_BASIC,
                                         options, &session, &error),
          &error);
    planetkey_options_free(options);

    planetkey_authorization *authorization = NULL;
    planetkey_status status = planetkey_session_authorize(session, url, &authorization, &error);
    if (status == PLANETKEY_STATUS_OK) {
        request(authorization);
        planetkey_authorization_free(authorization);
    }
    print_row(api, "api_key alone", planetkey_status_name(status));
    planetkey_error_free(error);
    planetkey_session_free(session);
}

int main(void) {
    const char *planet_api = getenv("PLANETKEY_SIMULATOR_PLANET_API");
    const char *sentinel_hub_api = getenv("PLANETKEY_SIMULATOR_SENTINEL_HUB_API");
    if (planet_api == NULL || sentinel_hub_api == NULL) {
        fputs("run this by tests/demo/run\n", stderr);
        return EXIT_FAILURE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    check(planetkey_session_from_defaults(NULL, &session, &error), &error);
    call(session, "planet api", planet_api, "/basemaps/v1/mosaics");
    call(session, "sentinel hub api", sentinel_hub_api, "/api/v1/catalog/1.0.0/");
    planetkey_session_free(session);

    refuse(NULL, "sentinel hub api", sentinel_hub_api, "/api/v1/catalog/1.0.0/");
    refuse("planet", "services.sentinel-hub.com", "https://services.sentinel-hub.com",
           "/api/v1/catalog/1.0.0/");
    curl_global_cleanup();
    return EXIT_SUCCESS;
}
