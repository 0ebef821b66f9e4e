/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what, const char *detail) {
    fprintf(stderr, "support: %s: %s: %s\n", what, detail, strerror(errno));
    exit(2);
}

const char *home_file(const char *path) {
    static char paths[4][1024];
    static int turn = 0;
    const char *home = getenv("HOME");
    turn = (turn + 1) % 4;
    if (!home || (size_t)snprintf(paths[turn], sizeof paths[turn], "%s/%s", home, path) >=
                     sizeof paths[turn]) {
        die("no home for", path);
    }
    return paths[turn];
}

void write_text(const char *path, const char *text) {
    char directory[1024];
    size_t length = strlen(text);
    int file;
    snprintf(directory, sizeof directory, "%s", path);
    for (char *slash = strchr(directory + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
            die("mkdir", directory);
        }
        *slash = '/';
    }
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, text, length) != (ssize_t)length || close(file) != 0) {
        die("write", path);
    }
}

char *read_text(const char *path) {
    char *text = NULL;
    size_t size = 0;
    int c;
    FILE *out;
    FILE *in = fopen(path, "re");
    if (!in) {
        if (errno != ENOENT) {
            die("read", path);
        }
        return NULL;
    }
    out = open_memstream(&text, &size);
    while ((c = getc(in)) != EOF) {
        putc(c, out);
    }
    fclose(in);
    fclose(out);
    return text;
}

int permissions(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (int)(status.st_mode & 0777) : -1;
}

int entries(const char *directory) {
    int count = 0;
    const struct dirent *entry;
    DIR *open = opendir(directory);
    if (!open) {
        return -1;
    }
    while ((entry = readdir(open)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(open);
    return count;
}

pid_t start_again(const char *self, const char *const *arguments) {
    char *list[16] = {(char *)self};
    pid_t child;
    for (size_t i = 0; arguments[i]; ++i) {
        if (i + 2 >= sizeof list / sizeof list[0]) {
            die("too many arguments", self);
        }
        list[i + 1] = (char *)arguments[i];
    }
    child = fork();
    if (child < 0) {
        die("fork", self);
    }
    if (child == 0) {
        execv(self, list);
        _exit(127);
    }
    return child;
}

int ended(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        die("waitpid", "a child");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

planetkey_status log_out(const planetkey_session *session, bool revoke, bool *removed,
                         int32_t *revocation, planetkey_error **error) {
    planetkey_logout_result *result = NULL;
    const planetkey_status status = planetkey_session_logout(session, revoke, &result, error);
    if ((result != NULL) != (status == PLANETKEY_STATUS_OK)) {
        die("planetkey_session_logout", "a result and a failure, or neither");
    }
    if (removed) {
        *removed = planetkey_logout_result_removed(result);
    }
    if (revocation) {
        *revocation = (int32_t)planetkey_logout_result_revocation(result);
    }
    planetkey_logout_result_free(result);
    return status;
}
