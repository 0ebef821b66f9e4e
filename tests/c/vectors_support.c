/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vectors.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *case_id = "";
int differences;
int quiet;

/* The value of ${name}. */
static struct {
    const char *name;
    char *value;
} variables[] = {{"planet_api", NULL},
                 {"sentinel_hub_api", NULL},
                 {"m2m_issuer", NULL},
                 {"tls_issuer", NULL},
                 {"generic_issuer", NULL},
                 {"token_endpoint", NULL},
                 {"proxy", NULL},
                 {"client_id", NULL},
                 {"client_secret", NULL},
                 {"deployment", NULL},
                 {"ca", NULL},
                 {"home", NULL},
                 {"long", NULL},
                 {NULL, NULL}};

void die(const char *what, const char *detail) {
    fprintf(stderr, "vectors: %s: %s: %s\n", case_id, what, detail ? detail : "");
    exit(2);
}

void differ(const char *format, ...) {
    va_list arguments;
    ++differences;
    if (quiet) {
        return;
    }
    fprintf(stderr, "%s: ", case_id);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void *some(void *pointer) {
    if (!pointer) {
        die("this must not fail", strerror(errno));
    }
    return pointer;
}

void *copied(const char *text) { return some(strdup(text)); }

const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *text(const cJSON *object, const char *name) {
    const char *value = cJSON_GetStringValue(member(object, name));
    if (!value) {
        die("not a string", name);
    }
    return value;
}

const char *text_or_null(const cJSON *object, const char *name) {
    return cJSON_GetStringValue(member(object, name));
}

void add_text(cJSON *object, const char *name, const char *value) {
    some(value ? cJSON_AddStringToObject(object, name, value)
               : cJSON_AddNullToObject(object, name));
}

void different(const char *what, const cJSON *wanted, const cJSON *actual) {
    if (!cJSON_Compare(wanted, actual, 1)) {
        char *is = cJSON_PrintUnformatted(actual), *not = cJSON_PrintUnformatted(wanted);
        differ("%s is %s, not %s", what, is ? is : "nothing", not ? not : "nothing");
        cJSON_free(is);
        cJSON_free(not );
    }
}

void different_subset(const char *what, const cJSON *wanted, const cJSON *actual) {
    const cJSON *item;
    if (cJSON_IsObject(wanted) && cJSON_IsObject(actual)) {
        cJSON_ArrayForEach(item, wanted) {
            if (member(actual, item->string)) {
                different_subset(item->string, item, member(actual, item->string));
            } else {
                differ("%s has no member %s", what, item->string);
            }
        }
    } else if (cJSON_IsArray(wanted) && cJSON_IsArray(actual) &&
               cJSON_GetArraySize(wanted) == cJSON_GetArraySize(actual)) {
        int index = 0;
        cJSON_ArrayForEach(item, wanted) {
            different_subset(what, item, cJSON_GetArrayItem(actual, index++));
        }
    } else {
        different(what, wanted, actual);
    }
}

static const char *variable(const char *name, size_t length) {
    size_t i;
    for (i = 0; variables[i].name; ++i) {
        if (strlen(variables[i].name) == length && strncmp(variables[i].name, name, length) == 0) {
            return variables[i].value;
        }
    }
    die("unknown variable", name);
    return NULL;
}

void set_variable(const char *name, const char *value) {
    size_t i;
    for (i = 0; variables[i].name; ++i) {
        if (strcmp(variables[i].name, name) == 0) {
            free(variables[i].value);
            variables[i].value = value ? copied(value) : NULL;
            return;
        }
    }
    die("unknown variable", name);
}

void release_variables(void) {
    size_t i;
    for (i = 0; variables[i].name; ++i) {
        free(variables[i].value);
    }
}

void resolve(cJSON *value) {
    cJSON *item;
    if (cJSON_IsString(value) && strstr(value->valuestring, "${")) {
        char *made = NULL;
        size_t size = 0;
        const char *rest = value->valuestring, *start;
        FILE *out = some(open_memstream(&made, &size));
        while ((start = strstr(rest, "${")) != NULL) {
            const char *end = some(strchr(start, '}'));
            fprintf(out, "%.*s%s", (int)(start - rest), rest,
                    variable(start + 2, (size_t)(end - start - 2)));
            rest = end + 1;
        }
        fputs(rest, out);
        fclose(out);
        some(cJSON_SetValuestring(value, made));
        free(made);
    }
    cJSON_ArrayForEach(item, value) { resolve(item); }
}

static size_t append(char *data, size_t size, size_t count, void *file) {
    return fwrite(data, size, count, file);
}

cJSON *control(const char *path, const cJSON *body) {
    char url[512], *answer = NULL, *sent = body ? some(cJSON_PrintUnformatted(body)) : NULL;
    size_t size = 0;
    long status = 0;
    FILE *out = some(open_memstream(&answer, &size));
    CURL *curl = some(curl_easy_init());
    CURLcode code;
    cJSON *json;
    const char *base = getenv("PLANETKEY_SIMULATOR");
    if (!base) {
        die("start this program by planetkey-simulator", NULL);
    }
    snprintf(url, sizeof url, "%s%s", base, path);
    if (sent) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    fclose(out);
    if (code != CURLE_OK || status != 200) {
        die(url, code == CURLE_OK ? answer : curl_easy_strerror(code));
    }
    json = some(cJSON_Parse(answer));
    curl_easy_cleanup(curl);
    free(answer);
    cJSON_free(sent);
    return json;
}

void tell(const char *path, const cJSON *body) {
    if (body) {
        cJSON_Delete(control(path, body));
    }
}

void tell_each(const char *path, const cJSON *bodies) {
    const cJSON *body;
    cJSON_ArrayForEach(body, bodies) { tell(path, body); }
}
