/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Translates a case to calls of planetkey, and their results back. */
#include "support.h"
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of strings borrowed from the case. Free the list with free(). */
static const char **texts(const cJSON *list, size_t *count) {
    const char **made = some(calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *made));
    const cJSON *item;
    *count = 0;
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsString(item)) {
            die("not a string in a list", NULL);
        }
        made[(*count)++] = item->valuestring;
    }
    return made;
}

/* NULL for an option that this driver does not know, and if setting one fails. */
static planetkey_options *options_of(const cJSON *given, planetkey_error **error) {
    planetkey_options *options = some(planetkey_options_new());
    planetkey_status status = PLANETKEY_STATUS_OK;
    const cJSON *option, *host;
    cJSON_ArrayForEach(option, given) {
        if (strcmp(option->string, "timeout_ms") == 0) {
            status =
                planetkey_options_set_timeout_ms(options, (uint32_t)option->valuedouble, error);
        } else if (strcmp(option->string, "deployment") == 0) {
            status = planetkey_options_set_deployment(options, option->valuestring, error);
        } else if (strcmp(option->string, "allow_insecure_loopback") == 0) {
            status =
                planetkey_options_set_allow_insecure_loopback(options, cJSON_IsTrue(option), error);
        } else if (strcmp(option->string, "ca_file") == 0) {
            status = planetkey_options_set_ca_file(options, option->valuestring, error);
        } else if (strcmp(option->string, "proxy") == 0) {
            status = planetkey_options_set_proxy(options, option->valuestring, error);
        } else if (strcmp(option->string, "store") == 0) {
            status = planetkey_options_set_store(options, option->valuestring, error);
        } else if (strcmp(option->string, "save") == 0) {
            status = planetkey_options_set_save(options, cJSON_IsTrue(option), error);
        } else if (strcmp(option->string, "storage_root") == 0) {
            status = planetkey_options_set_storage_root(options, option->valuestring, error);
        } else if (strcmp(option->string, "allowed_hosts") == 0) {
            cJSON_ArrayForEach(host, option) {
                if (status == PLANETKEY_STATUS_OK) {
                    status = planetkey_options_add_allowed_host(options, host->valuestring, error);
                }
            }
        } else {
            differ("unknown option %s", option->string);
            planetkey_options_free(options);
            return NULL;
        }
        if (status != PLANETKEY_STATUS_OK) {
            planetkey_options_free(options);
            return NULL;
        }
    }
    return options;
}

/* An invalid name becomes an invalid number. */
static int32_t transport_of(const char *name) {
    if (!name || strcmp(name, "basic") == 0) {
        return PLANETKEY_API_KEY_TRANSPORT_BASIC;
    }
    if (strcmp(name, "header") == 0) {
        return PLANETKEY_API_KEY_TRANSPORT_HEADER;
    }
    return strcmp(name, "query") == 0 ? PLANETKEY_API_KEY_TRANSPORT_QUERY : 99;
}

planetkey_session *open_session(const cJSON *wanted, planetkey_error **error) {
    planetkey_session *session = NULL;
    planetkey_options *options = NULL;
    planetkey_status status = PLANETKEY_STATUS_OK;
    const char *from = text(wanted, "from");
    if (member(wanted, "options")) {
        options = options_of(member(wanted, "options"), error);
        if (!options) {
            return NULL;
        }
    }
    if (member(wanted, "profile")) {
        options = options ? options : some(planetkey_options_new());
        status = planetkey_options_set_profile(options, text(wanted, "profile"), error);
        if (status != PLANETKEY_STATUS_OK) {
            planetkey_options_free(options);
            return NULL;
        }
    }
    if (strcmp(from, "defaults") == 0) {
        status = planetkey_session_from_defaults(options, &session, error);
    } else if (strcmp(from, "profile") == 0) {
        status = planetkey_session_from_profile(text(wanted, "name"), options, &session, error);
    } else if (strcmp(from, "api_key") == 0) {
        status = planetkey_session_from_api_key(text(wanted, "api_key"),
                                                transport_of(text_or_null(wanted, "transport")),
                                                options, &session, error);
    } else if (strcmp(from, "m2m") == 0) {
        size_t count;
        const char **scopes = texts(member(wanted, "scopes"), &count);
        status = planetkey_session_from_m2m(
            text(wanted, "client_id"), text(wanted, "client_secret"), scopes, count,
            text_or_null(wanted, "audience"), options, &session, error);
        free(scopes);
    } else if (strcmp(from, "client_config") == 0) {
        char *config =
            member(wanted, "json") ? NULL : some(cJSON_PrintUnformatted(member(wanted, "config")));
        status = planetkey_session_from_client_config(config ? config : text(wanted, "json"),
                                                      options, &session, error);
        cJSON_free(config);
    } else {
        differ("unknown session %s", from);
    }
    if (status != PLANETKEY_STATUS_OK && status != planetkey_error_status(*error)) {
        differ("the status returned is not the error's");
    }
    planetkey_options_free(options);
    return session;
}

static cJSON *headers_of(const planetkey_authorization *made) {
    cJSON *headers = some(cJSON_CreateObject());
    size_t i;
    for (i = 0; i < planetkey_authorization_header_count(made); ++i) {
        add_text(headers, planetkey_authorization_header_name(made, i),
                 planetkey_authorization_header_value(made, i));
    }
    return headers;
}

static void add_authorization(cJSON *outcome, const planetkey_authorization *made) {
    int64_t expires_at = planetkey_authorization_expires_at(made);
    add_text(outcome, "url", planetkey_authorization_url(made));
    add_text(outcome, "credential", planetkey_authorization_credential(made));
    add_text(outcome, "transport", planetkey_authorization_transport(made));
    add_text(outcome, "source", planetkey_authorization_source(made));
    cJSON_AddBoolToObject(outcome, "under_development",
                          planetkey_authorization_under_development(made));
    if (expires_at == PLANETKEY_TIME_NONE) {
        cJSON_AddNullToObject(outcome, "expires_at");
    } else {
        cJSON_AddNumberToObject(outcome, "expires_at", (double)expires_at);
    }
}

/* The last authorization of `authorize` or `authorize_if_served` of the current case. */
static planetkey_authorization *authorized;

void end_case(void) {
    planetkey_authorization_free(authorized);
    authorized = NULL;
}

/* Adds what an authorization says to an outcome, and saves it for `after_response`. */
static void add_authorized(cJSON *outcome, planetkey_authorization *made) {
    cJSON_AddItemToObject(outcome, "headers", headers_of(made));
    add_authorization(outcome, made);
    planetkey_authorization_free(authorized);
    authorized = made;
}

cJSON *perform(const planetkey_session *session, const cJSON *call, planetkey_error **error) {
    const char *op = text(call, "op");
    cJSON *outcome = some(cJSON_CreateObject());
    planetkey_status status = PLANETKEY_STATUS_OK;
    planetkey_authorization *made = NULL;
    planetkey_string *string = NULL;
    bool flag = false;
    int is_flag = 0;
    if (strcmp(op, "authorize") == 0) {
        status = planetkey_session_authorize(session, text(call, "url"), &made, error);
        if (made) {
            add_authorized(outcome, made);
            made = NULL;
        }
    } else if (strcmp(op, "authorize_if_served") == 0) {
        status = planetkey_session_authorize_if_served(session, text(call, "url"), &made, error);
        if (made) {
            add_authorized(outcome, made);
            made = NULL;
        } else if (status == PLANETKEY_STATUS_OK) {
            cJSON_AddFalseToObject(outcome, "served");
        }
    } else if (strcmp(op, "after_response") == 0) {
        status = planetkey_session_after_response(
            session, some(authorized), member(call, "http_status")->valueint,
            text_or_null(call, "www_authenticate"), &made, error);
        if (made) {
            cJSON_AddItemToObject(outcome, "headers", headers_of(made));
            add_authorization(outcome, made);
        } else if (status == PLANETKEY_STATUS_OK) {
            cJSON_AddFalseToObject(outcome, "repeat");
        }
    } else if (strcmp(op, "headers") == 0) {
        status = planetkey_session_headers(session, text(call, "url"), &made, error);
        if (made) {
            cJSON_AddItemToObject(outcome, "headers", headers_of(made));
        }
    } else if (strcmp(op, "signed_url") == 0) {
        status = planetkey_session_signed_url(session, text(call, "url"), &string, error);
    } else if (strcmp(op, "access_token") == 0) {
        status = planetkey_session_access_token(session, &string, error);
    } else if (strcmp(op, "api_key") == 0) {
        status = planetkey_session_api_key(session, &string, error);
    } else if (strcmp(op, "strip_api_key") == 0) {
        status = planetkey_strip_api_key(text(call, "url"), &string, error);
    } else if (strcmp(op, "redact_url") == 0) {
        status = planetkey_redact_url(text(call, "url"), &string, error);
    } else if (strcmp(op, "invalidate") == 0) {
        status = planetkey_session_invalidate(session, text(call, "access_token"), &flag, error);
        is_flag = 1;
    } else if (strcmp(op, "is_initialized") == 0) {
        flag = planetkey_session_is_initialized(session);
        is_flag = 1;
    } else if (strcmp(op, "refresh") == 0) {
        status = planetkey_session_refresh(session, error);
    } else if (strcmp(op, "logout") == 0) {
        status = log_out(session, true, &flag, NULL, error);
        is_flag = 1;
    } else if (strcmp(op, "status") == 0) {
        planetkey_session_info *info = NULL;
        status = planetkey_session_get_info(session, &info, error);
        if (info) {
            cJSON_AddItemToObject(outcome, "status",
                                  some(cJSON_Parse(planetkey_session_info_json(info))));
        }
        planetkey_session_info_free(info);
    } else {
        differ("unknown op %s", op);
        cJSON_Delete(outcome);
        return NULL;
    }
    if (string) {
        add_text(outcome, "value", planetkey_string_data(string));
    } else if (is_flag) {
        cJSON_AddBoolToObject(outcome, "value", flag);
    }
    planetkey_string_free(string);
    planetkey_authorization_free(made);
    if (status != planetkey_error_status(*error)) {
        differ("the status returned is not the error's");
    }
    if (status != PLANETKEY_STATUS_OK) {
        cJSON_Delete(outcome);
        return NULL;
    }
    return outcome;
}
