/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Drives the shared cases of tests/vectors; its README documents their form. Only translation
   happens here. Started by planetkey-simulator; the argument is the directory of the cases. */
#include "vectors.h"

#include <curl/curl.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The tolerance of an expiry in seconds, which covers the duration of a case. */
#define EXPIRY_TOLERANCE_S 60
#define WRONG_CASES "must_fail.json"

/* The environment of the developer must not affect a case. */
static const char *const foreign[] = {"PL_AUTH_PROFILE",
                                      "PL_AUTH_CLIENT_ID",
                                      "PL_AUTH_CLIENT_SECRET",
                                      "PL_AUTH_CLIENT_SECRET_FILE",
                                      "PL_API_KEY",
                                      "PL_API_KEY_FILE",
                                      "PLANET_API_KEY",
                                      "PLANET_API_KEY_FILE",
                                      "SH_CLIENT_ID",
                                      "SH_CLIENT_SECRET",
                                      "SH_CLIENT_SECRET_FILE",
                                      "SH_PROFILE",
                                      "PLANETKEY_DEPLOYMENT",
                                      "PLANETKEY_ALLOW_INSECURE_LOOPBACK",
                                      "HTTP_PROXY",
                                      "HTTPS_PROXY",
                                      "ALL_PROXY",
                                      "NO_PROXY",
                                      "http_proxy",
                                      "https_proxy",
                                      "all_proxy",
                                      "no_proxy",
                                      "SSL_CERT_FILE",
                                      "REQUESTS_CA_BUNDLE",
                                      "CURL_CA_BUNDLE",
                                      "XDG_CONFIG_HOME",
                                      "PLANETKEY_STORAGE_ROOT",
                                      "PLANETKEY_STORE",
                                      "PLANETKEY_STORE_FILE",
                                      "PLANETKEY_STORE_KEY",
                                      "PLANETKEY_STORE_KEY_FILE",
                                      NULL};

/* The error must not have attributes that the expectation does not name, except the message. */
static void check_error(const cJSON *wanted, const planetkey_error *error) {
    cJSON *actual = some(cJSON_CreateObject()), *absent = some(cJSON_CreateNull());
    const char *message = planetkey_error_message(error);
    const cJSON *item;
    add_text(actual, "status", planetkey_status_name(planetkey_error_status(error)));
    cJSON_AddBoolToObject(actual, "retryable", planetkey_error_retryable(error));
    add_text(actual, "reason", planetkey_error_reason(error));
    add_text(actual, "oauth_error", planetkey_error_oauth_error(error));
    add_text(actual, "oauth_error_description", planetkey_error_oauth_error_description(error));
    add_text(actual, "profile", planetkey_error_profile(error));
    if (planetkey_error_http_status(error) == 0) {
        cJSON_AddNullToObject(actual, "http_status");
    } else {
        cJSON_AddNumberToObject(actual, "http_status", planetkey_error_http_status(error));
    }
    if (planetkey_error_retry_after_ms(error) < 0) {
        cJSON_AddNullToObject(actual, "retry_after_ms");
    } else {
        cJSON_AddNumberToObject(actual, "retry_after_ms",
                                (double)planetkey_error_retry_after_ms(error));
    }
    cJSON_ArrayForEach(item, actual) {
        const cJSON *expected = member(wanted, item->string);
        if (cJSON_IsArray(expected) && cJSON_IsNumber(item)) {
            double least = cJSON_GetArrayItem(expected, 0)->valuedouble,
                   most = cJSON_GetArrayItem(expected, 1)->valuedouble;
            if (item->valuedouble < least || item->valuedouble > most) {
                differ("%s is %.0f, not from %.0f to %.0f", item->string, item->valuedouble, least,
                       most);
            }
        } else {
            different(item->string, expected ? expected : absent, item);
        }
    }
    cJSON_ArrayForEach(item, wanted) {
        if (!member(actual, item->string) && strcmp(item->string, "message_contains") != 0 &&
            strcmp(item->string, "message_lacks") != 0) {
            differ("unknown expectation %s", item->string);
        }
    }
    if (!message || !*message || strpbrk(message, "\r\n")) {
        differ("the message is not one line");
    }
    cJSON_ArrayForEach(item, member(wanted, "message_contains")) {
        if (!strstr(message, item->valuestring)) {
            differ("the message lacks '%s': %s", item->valuestring, message);
        }
    }
    cJSON_ArrayForEach(item, member(wanted, "message_lacks")) {
        if (strstr(message, item->valuestring)) {
            differ("the message contains '%s': %s", item->valuestring, message);
        }
    }
    cJSON_Delete(actual);
    cJSON_Delete(absent);
}

static void check_requests(const cJSON *wanted) {
    cJSON *counters = control("/counters", NULL), *none = some(cJSON_CreateNumber(0));
    const cJSON *item;
    cJSON_ArrayForEach(item, wanted) {
        const cJSON *count = member(counters, item->string);
        different(item->string, item, count ? count : none);
    }
    cJSON_Delete(counters);
    cJSON_Delete(none);
}

static void check_token_request(const cJSON *wanted) {
    cJSON *requests = control("/requests?target=m2m.token", NULL);
    different("the form of the token request", wanted,
              member(cJSON_GetArrayItem(requests, cJSON_GetArraySize(requests) - 1), "form"));
    cJSON_Delete(requests);
}

static char *read_text(const char *path) {
    char *content = NULL;
    size_t size = 0;
    FILE *in = fopen(path, "r"), *out;
    int c;
    if (!in) {
        return NULL;
    }
    out = some(open_memstream(&content, &size));
    while ((c = getc(in)) != EOF) {
        putc(c, out);
    }
    fclose(in);
    fclose(out);
    return content;
}

/* null: no such file. A text: exactly that. An object: JSON with these members. */
static void check_file(const cJSON *wanted) {
    char path[1024], *content;
    snprintf(path, sizeof path, "%s/%s", getenv("HOME"), wanted->string);
    content = read_text(path);
    if (cJSON_IsNull(wanted) || !content) {
        if (content || !cJSON_IsNull(wanted)) {
            differ("%s is %s", path, content ? "there" : "not there");
        }
    } else if (cJSON_IsString(wanted)) {
        if (strcmp(content, wanted->valuestring) != 0) {
            differ("%s is %s", path, content);
        }
    } else {
        cJSON *actual = cJSON_Parse(content);
        different_subset(wanted->string, wanted, actual);
        cJSON_Delete(actual);
    }
    free(content);
}

static void check_outcome(const cJSON *expect, const cJSON *outcome, const planetkey_error *error) {
    const cJSON *item;
    if (error && !member(expect, "error")) {
        differ("failed: %s: %s", planetkey_status_name(planetkey_error_status(error)),
               planetkey_error_message(error));
    }
    cJSON_ArrayForEach(item, expect) {
        if (strcmp(item->string, "requests") == 0) {
            check_requests(item);
        } else if (strcmp(item->string, "token_request") == 0) {
            check_token_request(item);
        } else if (strcmp(item->string, "files") == 0) {
            const cJSON *file;
            cJSON_ArrayForEach(file, item) { check_file(file); }
        } else if (strcmp(item->string, "error") == 0) {
            if (error) {
                check_error(item, error);
            } else {
                differ("there was no error");
            }
        } else if (error) {
            continue;
        } else if (strcmp(item->string, "expires_in_s") == 0) {
            const cJSON *expires_at = member(outcome, "expires_at");
            double left =
                cJSON_IsNumber(expires_at) ? expires_at->valuedouble - (double)time(NULL) : -1e9;
            if (left < item->valuedouble - EXPIRY_TOLERANCE_S ||
                left > item->valuedouble + EXPIRY_TOLERANCE_S) {
                differ("expires in %.0f s, not %.0f", left, item->valuedouble);
            }
        } else if (strcmp(item->string, "status") == 0) {
            different_subset("status", item, member(outcome, "status"));
        } else if (member(outcome, item->string)) {
            different(item->string, item, member(outcome, item->string));
        } else {
            differ("unknown expectation %s", item->string);
        }
    }
}

/* `refused` is the error with which opening the session failed. */
static void check(const planetkey_session *session, const planetkey_error *refused,
                  const cJSON *call, const cJSON *expect) {
    const char *op = text(call, "op");
    int needs_session = strcmp(op, "strip_api_key") != 0 && strcmp(op, "redact_url") != 0 &&
                        strcmp(op, "release") != 0;
    planetkey_session *with_timeout = NULL;
    planetkey_error *error = NULL;
    cJSON *outcome;
    if (needs_session && strcmp(op, "open") != 0 && !session) {
        /* Only `open` may fail to open a session. */
        differ("the session does not open: %s",
               refused ? planetkey_error_message(refused) : "there is none");
        return;
    }
    if (strcmp(op, "release") == 0) {
        tell("/release", call);
        return;
    }
    if (strcmp(op, "open") == 0) {
        outcome = some(cJSON_CreateObject());
        check_outcome(expect, outcome, refused);
        cJSON_Delete(outcome);
        return;
    }
    if (member(call, "timeout_ms")) {
        uint32_t timeout_ms = (uint32_t)member(call, "timeout_ms")->valuedouble;
        if (planetkey_session_with_timeout_ms(session, timeout_ms, &with_timeout, &error) !=
            PLANETKEY_STATUS_OK) {
            die("with_timeout_ms", planetkey_error_message(error));
        }
    }
    outcome = perform(with_timeout ? with_timeout : session, call, &error);
    if (outcome || error) {
        check_outcome(expect, outcome, error);
    }
    cJSON_Delete(outcome);
    planetkey_error_free(error);
    planetkey_session_free(with_timeout);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void write_file(const char *home, const char *name, const cJSON *file) {
    char path[1024], *slash,
        *content =
            cJSON_IsString(file) ? copied(file->valuestring) : some(cJSON_PrintUnformatted(file));
    FILE *out;
    snprintf(path, sizeof path, "%s/%s", home, name);
    for (slash = strchr(path + strlen(home) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    out = some(fopen(path, "w"));
    fputs(content, out);
    fclose(out);
    free(content);
}

/* A user session at the server, as the text of its token file. */
static void write_session(const char *home, const cJSON *seed) {
    cJSON *answer = control("/sessions", member(seed, "session"));
    const cJSON *item;
    cJSON_ArrayForEach(item, member(seed, "set")) {
        cJSON_DeleteItemFromObjectCaseSensitive(answer, item->string);
        cJSON_AddItemToObject(answer, item->string, some(cJSON_Duplicate(item, 1)));
    }
    write_file(home, text(seed, "path"), answer);
    cJSON_Delete(answer);
}

/* Returns the number of differences. */
static int run(const cJSON *written) {
    char home[512];
    cJSON *one = some(cJSON_Duplicate(written, 1)), *nothing = some(cJSON_CreateObject());
    const cJSON *item;
    planetkey_session *session = NULL;
    planetkey_error *refused = NULL;
    size_t i;
    case_id = text(written, "id");
    differences = 0;
    snprintf(home, sizeof home, "%s/planetkey-vectors-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    some(mkdtemp(home));
    set_variable("home", home);
    resolve(one);
    tell("/reset", nothing);
    tell("/settings", member(one, "settings"));
    tell_each("/clients", member(one, "clients"));
    tell_each("/script", member(one, "script"));
    cJSON_ArrayForEach(item, member(one, "files")) { write_file(home, item->string, item); }
    cJSON_ArrayForEach(item, member(one, "seed")) { write_session(home, item); }
    for (i = 0; foreign[i]; ++i) {
        unsetenv(foreign[i]);
    }
    setenv("HOME", home, 1);
    cJSON_ArrayForEach(item, member(one, "environment")) {
        setenv(item->string, item->valuestring, 1);
    }
    if (member(one, "session")) {
        session = open_session(member(one, "session"), &refused);
    }
    cJSON_ArrayForEach(item, member(one, "before")) {
        check(session, refused, member(item, "call"), member(item, "expect"));
    }
    check(session, refused, member(one, "call"), member(one, "expect"));
    end_case();
    planetkey_session_free(session);
    planetkey_error_free(refused);
    nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    cJSON_Delete(nothing);
    cJSON_Delete(one);
    return differences;
}

static cJSON *read_json(const char *directory, const char *name) {
    char path[1024], *content;
    cJSON *json;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    content = read_text(path);
    if (!content) {
        die("cannot be read", path);
    }
    json = cJSON_Parse(content);
    if (!json) {
        die("is no JSON", path);
    }
    free(content);
    return json;
}

static int is_suite(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return end && strcmp(end, ".json") == 0 && strcmp(entry->d_name, "errors.json") != 0 &&
           strcmp(entry->d_name, WRONG_CASES) != 0;
}

static void describe(void) {
    static const char *const names[][2] = {{"planet_api", "planet_api"},
                                           {"sentinel_hub_api", "sentinel_hub_api"},
                                           {"m2m_issuer", "m2m"},
                                           {"tls_issuer", "tls"},
                                           {"generic_issuer", "generic"},
                                           {"token_endpoint", "token_endpoint"},
                                           {"proxy", "proxy"},
                                           {"client_id", "client_id"},
                                           {"client_secret", "client_secret"}};
    cJSON *facts = control("/", NULL);
    char *many = some(malloc(65537));
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; ++i) {
        set_variable(names[i][0], text(facts, names[i][1]));
    }
    set_variable("deployment", getenv("PLANETKEY_DEPLOYMENT"));
    set_variable("ca", getenv("PLANETKEY_SIMULATOR_CA"));
    memset(many, 'a', 65536);
    many[65536] = '\0';
    set_variable("long", many);
    free(many);
    cJSON_Delete(facts);
}

int main(int argc, char **argv) {
    struct dirent **entries = NULL;
    const char *report_path = getenv("PLANETKEY_VECTORS_REPORT");
    FILE *report = report_path ? fopen(report_path, "w") : NULL;
    int passed = 0, failed = 0, count, i;
    cJSON *suite;
    const cJSON *one;
    if (argc != 2) {
        die("usage: planetkey-simulator -- vectors DIRECTORY", NULL);
    }
    if (report_path && !report) {
        die("cannot be written", report_path);
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    describe();
    count = scandir(argv[1], &entries, is_suite, alphasort);
    for (i = 0; i < count; ++i) {
        suite = read_json(argv[1], entries[i]->d_name);
        cJSON_ArrayForEach(one, member(suite, "cases")) {
            *(run(one) == 0 ? &passed : &failed) += 1;
            if (report) {
                fprintf(report, "%s\n", case_id);
            }
        }
        case_id = "";
        cJSON_Delete(suite);
        free(entries[i]);
    }
    free(entries);
    /* A driver that accepts everything would prove nothing. */
    suite = read_json(argv[1], WRONG_CASES);
    quiet = 1;
    cJSON_ArrayForEach(one, member(suite, "cases")) {
        if (run(one) == 0) {
            fprintf(stderr, "%s: should have failed\n", case_id);
            ++failed;
        }
    }
    case_id = "";
    cJSON_Delete(suite);
    release_variables();
    if (report) {
        fclose(report);
    }
    curl_global_cleanup();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
