/* A FUSE file system as a squashed mount shows it: another directory, in which every file
 * belongs to one user, whichever user makes it, and that user's rights decide.
 *
 * usage: squash UID GID MODE SOURCE MOUNTPOINT -f [-o ...]
 * MODE is octal: the mode that every file shows, whatever chmod says (drvfs, CIFS with noperm);
 * 0 shows the real ones (NFS with all_squash). chown is refused, as by a server that squashes.
 *
 * Single-threaded (-s). The kernel does not check permissions (no -o default_permissions).
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static uid_t shown_uid;
static gid_t shown_gid;
static mode_t shown_mode;
static int source;

static const char *relative(const char *path) { return path[1] ? path + 1 : "."; }

static int result(int done) { return done < 0 ? -errno : 0; }

static int squash_getattr(const char *path, struct stat *status, struct fuse_file_info *file) {
    int done = file ? fstat((int)file->fh, status)
                    : fstatat(source, relative(path), status, AT_SYMLINK_NOFOLLOW);
    if (done < 0)
        return -errno;
    status->st_uid = shown_uid;
    status->st_gid = shown_gid;
    if (shown_mode && !S_ISLNK(status->st_mode))
        status->st_mode = (status->st_mode & S_IFMT) | shown_mode;
    return 0;
}

static int squash_readlink(const char *path, char *target, size_t size) {
    ssize_t length = readlinkat(source, relative(path), target, size - 1);
    if (length < 0)
        return -errno;
    target[length] = 0;
    return 0;
}

static int squash_mkdir(const char *path, mode_t mode) {
    return result(mkdirat(source, relative(path), mode));
}

static int squash_unlink(const char *path) { return result(unlinkat(source, relative(path), 0)); }

static int squash_rmdir(const char *path) {
    return result(unlinkat(source, relative(path), AT_REMOVEDIR));
}

static int squash_symlink(const char *target, const char *path) {
    return result(symlinkat(target, source, relative(path)));
}

static int squash_rename(const char *from, const char *to, unsigned int flags) {
    return result(renameat2(source, relative(from), source, relative(to), flags));
}

static int squash_link(const char *from, const char *to) {
    return result(linkat(source, relative(from), source, relative(to), 0));
}

static int squash_chmod(const char *path, mode_t mode, struct fuse_file_info *file) {
    if (shown_mode)
        return 0;
    return result(file ? fchmod((int)file->fh, mode) : fchmodat(source, relative(path), mode, 0));
}

static int squash_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *file) {
    (void)path, (void)file;
    int is_same = (uid == (uid_t)-1 || uid == shown_uid) && (gid == (gid_t)-1 || gid == shown_gid);
    return is_same ? 0 : -EPERM;
}

static int squash_truncate(const char *path, off_t size, struct fuse_file_info *file) {
    if (file)
        return result(ftruncate((int)file->fh, size));
    int descriptor = openat(source, relative(path), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int done = result(ftruncate(descriptor, size));
    close(descriptor);
    return done;
}

static int squash_utimens(const char *path, const struct timespec times[2],
                          struct fuse_file_info *file) {
    (void)file;
    return result(utimensat(source, relative(path), times, AT_SYMLINK_NOFOLLOW));
}

static int squash_open(const char *path, struct fuse_file_info *file) {
    int descriptor =
        openat(source, relative(path), (file->flags & ~O_CREAT) | O_NOFOLLOW | O_CLOEXEC);
    file->fh = (uint64_t)descriptor;
    return result(descriptor);
}

static int squash_create(const char *path, mode_t mode, struct fuse_file_info *file) {
    int descriptor =
        openat(source, relative(path), file->flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
    file->fh = (uint64_t)descriptor;
    return result(descriptor);
}

static int squash_read(const char *path, char *bytes, size_t size, off_t offset,
                       struct fuse_file_info *file) {
    (void)path;
    ssize_t count = pread((int)file->fh, bytes, size, offset);
    return count < 0 ? -errno : (int)count;
}

static int squash_write(const char *path, const char *bytes, size_t size, off_t offset,
                        struct fuse_file_info *file) {
    (void)path;
    ssize_t count = pwrite((int)file->fh, bytes, size, offset);
    return count < 0 ? -errno : (int)count;
}

static int squash_fsync(const char *path, int only_data, struct fuse_file_info *file) {
    (void)path, (void)only_data;
    return result(fsync((int)file->fh));
}

static int squash_release(const char *path, struct fuse_file_info *file) {
    (void)path;
    return result(close((int)file->fh));
}

static int squash_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                          struct fuse_file_info *file, enum fuse_readdir_flags flags) {
    (void)offset, (void)file, (void)flags;
    int descriptor = openat(source, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!entries)
        return -errno;
    for (struct dirent *entry; (entry = readdir(entries));)
        fill(buffer, entry->d_name, NULL, 0, 0);
    closedir(entries);
    return 0;
}

static void *squash_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)connection;
    /* Attributes are always those of the moment. */
    config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
    config->hard_remove = 1;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = squash_init,
    .getattr = squash_getattr,
    .readlink = squash_readlink,
    .mkdir = squash_mkdir,
    .unlink = squash_unlink,
    .rmdir = squash_rmdir,
    .symlink = squash_symlink,
    .rename = squash_rename,
    .link = squash_link,
    .chmod = squash_chmod,
    .chown = squash_chown,
    .truncate = squash_truncate,
    .utimens = squash_utimens,
    .open = squash_open,
    .create = squash_create,
    .read = squash_read,
    .write = squash_write,
    .fsync = squash_fsync,
    .release = squash_release,
    .readdir = squash_readdir,
};

int main(int argc, char **argv) {
    if (argc < 6)
        return 2;
    shown_uid = (uid_t)strtoul(argv[1], NULL, 10);
    shown_gid = (gid_t)strtoul(argv[2], NULL, 10);
    shown_mode = (mode_t)strtoul(argv[3], NULL, 8);
    source = open(argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source < 0) {
        perror(argv[4]);
        return 1;
    }
    umask(0);
    argv[4] = argv[0];
    return fuse_main(argc - 4, argv + 4, &operations, NULL);
}
