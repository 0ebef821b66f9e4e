/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* asker URL one|each use|refused PAUSE_MS: like asker.py. */
#define _POSIX_C_SOURCE 200809L

#include <planetkey.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_SIZE = 16384, MOST_STATUSES = 64 };

static const char PREFIX[] = "Authorization: Bearer ";

struct told {
    long tokens;
    long changes;
    long failures[MOST_STATUSES];
    char last[HEADER_SIZE];
};

static void end_unless(int well, const char *what) {
    if (!well) {
        fprintf(stderr, "asker: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static planetkey_session *open_session(void) {
    planetkey_session *session = NULL;
    planetkey_status status = planetkey_session_from_defaults(NULL, &session, NULL);
    end_unless(status == PLANETKEY_STATUS_OK, planetkey_status_name(status));
    return session;
}

static void note(const char *header, struct told *told) {
    end_unless(strncmp(header, PREFIX, sizeof PREFIX - 1) == 0, "the header is not a bearer token");
    ++told->tokens;
    if (strcmp(header, told->last) != 0) {
        ++told->changes;
        strcpy(told->last, header);
    }
}

static planetkey_status ask(const planetkey_session *session, const char *url, struct told *told) {
    static char header[HEADER_SIZE];
    planetkey_status status =
        planetkey_session_copy_header(session, url, header, sizeof header, NULL, NULL);
    if (status == PLANETKEY_STATUS_OK) {
        note(header, told);
    }
    return status;
}

/* As ask(), but the API refuses the token. */
static planetkey_status ask_refused(const planetkey_session *session, const char *url,
                                    struct told *told) {
    planetkey_authorization *authorization = NULL;
    planetkey_authorization *repeat = NULL;
    planetkey_status status = planetkey_session_headers(session, url, &authorization, NULL);
    if (status == PLANETKEY_STATUS_OK) {
        note(planetkey_authorization_header_line(authorization, 0), told);
        status = planetkey_session_after_response(session, authorization, 401,
                                                  "Bearer error=\"invalid_token\"", &repeat, NULL);
    }
    if (repeat) {
        note(planetkey_authorization_header_line(repeat, 0), told);
    }
    planetkey_authorization_free(authorization);
    planetkey_authorization_free(repeat);
    return status;
}

int main(int count, char **arguments) {
    end_unless(count == 5, "URL one|each use|refused PAUSE_MS");
    int each = strcmp(arguments[2], "each") == 0;
    int refused = strcmp(arguments[3], "refused") == 0;
    static struct told told;

    planetkey_session *session = open_session();
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    do {
        planetkey_status status = (refused ? ask_refused : ask)(session, arguments[1], &told);
        if (status != PLANETKEY_STATUS_OK) {
            end_unless((int)status < MOST_STATUSES, "an unknown status");
            ++told.failures[status];
        }
        if (each) {
            planetkey_session_free(session);
            session = open_session();
        }
    } while (poll(&input, 1, atoi(arguments[4])) == 0);
    planetkey_session_free(session);

    printf("{\"tokens\": %ld, \"changes\": %ld, \"failures\": {", told.tokens, told.changes);
    const char *comma = "";
    for (int status = 0; status < MOST_STATUSES; ++status) {
        if (told.failures[status] > 0) {
            printf("%s\"%s\": %ld", comma, planetkey_status_name((planetkey_status)status),
                   told.failures[status]);
            comma = ", ";
        }
    }
    puts("}}");
    return EXIT_SUCCESS;
}
