/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "simulator.h"

#include <curl/curl.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "support.h"

struct text {
    char *data;
    size_t length;
};

static void die(const char *what, const char *detail) {
    fprintf(stderr, "simulator: %s: %s\n", what, detail ? detail : "");
    exit(2);
}

static size_t append(char *data, size_t size, size_t count, void *user_data) {
    struct text *text = user_data;
    size_t length = size * count;
    char *grown = realloc(text->data, text->length + length + 1);
    if (!grown) {
        die("no memory", NULL);
    }
    text->data = grown;
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
    return length;
}

static long request(const char *url, const char *post, const char *header_line, char **body) {
    struct text text = {NULL, 0};
    struct curl_slist *headers = NULL;
    long status = 0;
    CURLcode code;
    CURL *curl = curl_easy_init();
    if (!curl) {
        die("curl_easy_init", NULL);
    }
    append("", 0, 0, &text);
    if (header_line) {
        headers = curl_slist_append(headers, header_line);
    }
    if (post) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        die(url, curl_easy_strerror(code));
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (body) {
        *body = text.data;
    } else {
        free(text.data);
    }
    return status;
}

static cJSON *control(const char *path, const char *post) {
    char *body = NULL;
    cJSON *json;
    if (request(simulator_url("PLANETKEY_SIMULATOR", path), post, NULL, &body) != 200) {
        die(path, body);
    }
    json = cJSON_Parse(body);
    free(body);
    return json;
}

void simulator_join(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

void simulator_start(void) {
    simulator_join();
    simulator_reset();
}

/* The number of threads of this process. */
static int thread_count(void) {
    int count = 0;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) {
        die("/proc/self/task", NULL);
    }
    while ((entry = readdir(tasks)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

void simulator_end(void) {
    /* This ends requests that the server holds. */
    simulator_reset();
    /* No thread of the library outlives its work. If one did, the test would time out. */
    while (thread_count() > 1) {
        sched_yield();
    }
    curl_global_cleanup();
}

const char *simulator_variable(const char *name) {
    const char *value = getenv(name);
    if (!value) {
        die("start this program by planetkey-simulator; not set", name);
    }
    return value;
}

const char *simulator_url(const char *variable, const char *path) {
    static char urls[2][1024];
    static int turn = 0;
    turn = !turn;
    snprintf(urls[turn], sizeof urls[turn], "%s%s", simulator_variable(variable), path);
    return urls[turn];
}

void simulator_reset(void) { cJSON_Delete(control("/reset", "{}")); }

void simulator_script(const char *target, const char *steps, int repeat) {
    char script[4096];
    int length = snprintf(script, sizeof script, "{\"target\":\"%s\",\"steps\":%s,\"repeat\":%s}",
                          target, steps, repeat ? "true" : "false");
    if (length < 0 || (size_t)length >= sizeof script) {
        die("script too long", steps);
    }
    cJSON_Delete(control("/script", script));
}

int simulator_count(const char *target) {
    cJSON *counters = control("/counters", NULL);
    cJSON *count = cJSON_GetObjectItemCaseSensitive(counters, target);
    int result = cJSON_IsNumber(count) ? count->valueint : 0;
    cJSON_Delete(counters);
    return result;
}

void simulator_wait_held(const char *hold, int count) {
    char path[256];
    cJSON *response;
    snprintf(path, sizeof path, "/wait?held=%s&count=%d&timeout_ms=30000", hold, count);
    response = control(path, NULL);
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(response, "reached"))) {
        die("no request was held", hold);
    }
    cJSON_Delete(response);
}

void simulator_release(const char *hold) {
    char body[256];
    snprintf(body, sizeof body, "{\"hold\":\"%s\"}", hold);
    cJSON_Delete(control("/release", body));
}

void simulator_revoke_all(void) { cJSON_Delete(control("/revoke", "{\"all\":true}")); }

char *simulator_last_header(const char *target, const char *name) {
    char path[256];
    char *value = NULL;
    cJSON *log, *header;
    snprintf(path, sizeof path, "/requests?target=%s", target);
    log = control(path, NULL);
    if (cJSON_GetArraySize(log) == 0) {
        die("no request to", target);
    }
    cJSON_ArrayForEach(header,
                       cJSON_GetObjectItemCaseSensitive(
                           cJSON_GetArrayItem(log, cJSON_GetArraySize(log) - 1), "headers")) {
        if (strcasecmp(cJSON_GetStringValue(cJSON_GetArrayItem(header, 0)), name) == 0) {
            free(value);
            value = strdup(cJSON_GetStringValue(cJSON_GetArrayItem(header, 1)));
        }
    }
    cJSON_Delete(log);
    return value;
}

long simulator_get(const char *url, const char *header_line, char **body) {
    return request(url, NULL, header_line, body);
}

planetkey_options *simulator_options(void) {
    planetkey_options *options = planetkey_options_new();
    planetkey_error *error = NULL;
    if (planetkey_options_set_allow_insecure_loopback(options, true, &error) !=
            PLANETKEY_STATUS_OK ||
        planetkey_options_set_deployment(options, simulator_variable("PLANETKEY_DEPLOYMENT"),
                                         &error) != PLANETKEY_STATUS_OK) {
        die("options", planetkey_error_message(error));
    }
    return options;
}

char *simulator_seed(const char *members) {
    cJSON *response = control("/sessions", members ? members : "{}");
    char *text = cJSON_Print(response);
    cJSON_Delete(response);
    if (!text) {
        die("no session", members);
    }
    return text;
}

void simulator_log_in(const char *members) {
    char *response = simulator_seed(members);
    write_text(home_file(".planet/planet-user/token.json"), response);
    free(response);
}

static cJSON *post_login(const char *member, const char *value, const char *members) {
    char *post = NULL;
    cJSON *response;
    if (asprintf(&post, "{\"%s\":\"%s\"%s%s}", member, value, members ? "," : "",
                 members ? members : "") < 0) {
        die("no memory", NULL);
    }
    response = control("/login", post);
    free(post);
    return response;
}

char *simulator_log_in_in_browser(const char *authorization_url, const char *members) {
    cJSON *response = post_login("authorization_url", authorization_url, members);
    char *location =
        strdup(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(response, "location")));
    cJSON_Delete(response);
    return location;
}

void simulator_log_in_on_device(const char *user_code, const char *members) {
    cJSON_Delete(post_login("user_code", user_code, members));
}

int simulator_sessions_alive(void) { return simulator_count("user.sessions.active"); }

void simulator_settings(const char *settings) { cJSON_Delete(control("/settings", settings)); }

planetkey_session *simulator_m2m_session_with(const planetkey_options *options) {
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    if (planetkey_session_from_m2m(simulator_variable("PL_AUTH_CLIENT_ID"),
                                   simulator_variable("PL_AUTH_CLIENT_SECRET"), NULL, 0, NULL,
                                   options, &session, &error) != PLANETKEY_STATUS_OK) {
        die("session", planetkey_error_message(error));
    }
    return session;
}

planetkey_session *simulator_m2m_session(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    return session;
}

planetkey_session *simulator_user_session_with(const planetkey_options *options) {
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    if (planetkey_session_from_profile("planet-user", options, &session, &error) !=
        PLANETKEY_STATUS_OK) {
        die("session", planetkey_error_message(error));
    }
    return session;
}

planetkey_session *simulator_user_session(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session = simulator_user_session_with(options);
    planetkey_options_free(options);
    return session;
}

planetkey_session *simulator_api_key_session(planetkey_api_key_transport transport) {
    planetkey_options *options = simulator_options();
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    if (planetkey_session_from_api_key(simulator_variable("PL_API_KEY"), (int32_t)transport,
                                       options, &session, &error) != PLANETKEY_STATUS_OK) {
        die("session", planetkey_error_message(error));
    }
    planetkey_options_free(options);
    return session;
}
