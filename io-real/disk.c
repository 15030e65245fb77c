/* disk.c - io.h's disk over POSIX files, on threads of its own.
 *
 * How. gd_disk_submit links the caller's operation into a queue; a worker takes it, does it with
 * blocking calls, and links it into the list of the done ones. The first of a list wakes the loop
 * (uv_async), which then takes the whole list: many completions, one wakeup, no allocation.
 * Rejected: uv_queue_work (a request to allocate for each operation, and slow name look-ups share
 * its four threads); io_uring (absent or forbidden on too many machines that run this).
 *
 * In the loop. Two threads take turns for each durable write then, which costs more than a small
 * one itself. So where the loop has nothing else to do - all of the turn's bytes are out, and
 * nothing has come - it makes the write itself, as long as the disk is quick: after one that took
 * long, and for a while, they all go to the workers. A disk that hangs so stops the loop once, for
 * as long as it hangs; the others then see a node that is silent, which they can deal with.
 *
 * Durable writes. WRITE_DURABLE is pwritev2 with RWF_DSYNC: one system call, one flush of just that
 * range. On a file that PREALLOCATE has filled it changes no metadata, so a journaling file system
 * commits no transaction for it. That is why PREALLOCATE writes real zeros and syncs them: after a
 * bare fallocate each write would first turn its unwritten extent into a written one.
 *
 * Invariants
 *   F1. The loop's thread makes no call that waits for a disk, but for a durable write of at most
 *       OWN_SIZE_MAX bytes that nothing else waits behind, while the disk is quick.
 *   F2. An operation is in exactly one of: the queue, the loop's own, a worker's hands, the done
 *       list.
 *   F3. Nobody else has the data directory: LOCK in it is held (flock) as long as the world lives.
 */
#include "io-real/loop.h"
#include "engine/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    WORKER_COUNT = 4,
    QUEUE_COUNT_MAX = 4096,         /* Operations accepted and not done: beyond it GD_ERR_BUSY. */
    ZERO_SIZE = 1 << 20,            /* Bytes zeroed at a time ... */
    ZERO_SYNC_SIZE = 8 * (1 << 20), /* ... and synced at a time: no burst delays others for long. */
    OWN_SIZE_MAX = 64 * 1024        /* Bytes of a durable write that the loop makes by itself. */
};
#define SLOW_NS (5 * GD_NS_PER_MS)    /* A durable write that takes longer ... */
#define WARY_NS (1000 * GD_NS_PER_MS) /* ... keeps the loop from making any for so long. */
#define LOCK_NAME "LOCK"

struct gd_uv_disk {
    struct gd_uv *uv;
    int directory; /* -1: a world without a disk. */
    int lock;
    uv_async_t wakeup;
    uv_thread_t workers[WORKER_COUNT];
    unsigned worker_count;
    size_t in_flight;       /* The loop's own count. */
    struct gd_disk_op *own; /* Waits for the end of the turn: the loop's, if that has time. */
    gd_time_ns wary_until;

    uv_mutex_t mutex; /* For all below. */
    uv_cond_t work;
    struct gd_disk_op *queue, **queue_end;
    struct gd_disk_op *done, **done_end;
    bool stopping;
};

static enum gd_err err_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return GD_ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return GD_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return GD_ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* The process's own limit on the size of a file. */
        return GD_ERR_NO_SPACE;
    default:
        return GD_ERR_IO;
    }
}

/* ---------------------------------------------------------------- on a worker's thread.
 * Each returns 0 or an errno. */

static int do_open(int directory, struct gd_disk_op *op)
{
    int flags = O_CLOEXEC | ((op->flags & GD_DISK_READ_ONLY) != 0 ? O_RDONLY : O_RDWR);

    flags |= (op->flags & GD_DISK_CREATE) != 0 ? O_CREAT : 0;
    flags |= (op->flags & GD_DISK_CREATE) != 0 && (op->flags & GD_DISK_EXCLUSIVE) != 0 ? O_EXCL : 0;
    int fd = openat(directory, op->path, flags, 0640);
    if (fd < 0) {
        return errno;
    }
    op->file->handle = fd;
    return 0;
}

static int do_read(int fd, struct gd_disk_op *op)
{
    uint64_t got = 0;

    while (got < op->size) {
        ssize_t n = pread(fd, (char *)op->data + got, op->size - got, (off_t)(op->offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            break;
        }
        got += (uint64_t)n;
    }
    op->result = got;
    return 0;
}

static int write_all(int fd, const void *data, uint64_t size, uint64_t offset, int flags)
{
    uint64_t put = 0;

    while (put < size) {
        struct iovec part = {(char *)(uintptr_t)data + put, size - put};
        ssize_t n = flags == 0 ? pwrite(fd, part.iov_base, part.iov_len, (off_t)(offset + put))
                               : pwritev2(fd, &part, 1, (off_t)(offset + put), flags);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        put += (uint64_t)n;
    }
    return 0;
}

static int do_sync(int fd)
{
    return fdatasync(fd) == 0 ? 0 : errno;
}

static int do_write_durable(int fd, const struct gd_disk_op *op)
{
    int number = write_all(fd, op->data, op->size, op->offset, RWF_DSYNC);

    if (number == EOPNOTSUPP || number == ENOSYS || number == EINVAL) {
        number = write_all(fd, op->data, op->size, op->offset, 0);
        return number == 0 ? do_sync(fd) : number;
    }
    return number;
}

/* Room first (so that a full disk is noticed while nothing has changed), then zeros. */
static int do_preallocate(int fd, uint64_t size)
{
    struct stat facts;
    int number = 0;

    if (fstat(fd, &facts) != 0) {
        return errno;
    }
    uint64_t from = (uint64_t)facts.st_size, at = from;
    if (from >= size) {
        return 0;
    }
    if (fallocate(fd, 0, (off_t)from, (off_t)(size - from)) != 0 && errno != EOPNOTSUPP) {
        number = errno;
    }
    char *zeros = calloc(1, ZERO_SIZE);
    number = number == 0 && zeros == NULL ? ENOMEM : number;
    while (number == 0 && at < size) {
        uint64_t part = size - at < ZERO_SIZE ? size - at : ZERO_SIZE;

        number = write_all(fd, zeros, part, at, 0);
        at += part;
        if (number == 0 && (at == size || (at - from) % ZERO_SYNC_SIZE == 0)) {
            number = do_sync(fd);
        }
    }
    free(zeros);
    if (number != 0 && ftruncate(fd, (off_t)from) != 0) {
        return EIO; /* Neither done nor undone. */
    }
    return number;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted and joined: each name terminated, an empty one at the end. Equal names cannot meet. */
static char *join_names(char **names, size_t count)
{
    size_t size = 1;

    if (count > 0) {
        qsort(names, count, sizeof *names, compare_names);
    }
    for (size_t i = 0; i < count; i++) {
        size += strlen(names[i]) + 1;
    }
    char *joined = gd_malloc(size), *to = joined;
    for (size_t i = 0; i < count; i++) {
        size_t name_size = strlen(names[i]) + 1;

        memcpy(to, names[i], name_size);
        to += name_size;
        gd_free(names[i]);
    }
    *to = '\0';
    return joined;
}

static int open_directory(int directory, const char *path)
{
    return openat(directory, path[0] == '\0' ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int do_list(int directory, struct gd_disk_op *op)
{
    int fd = open_directory(directory, op->path), number;
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    char **names = NULL;
    size_t count = 0, capacity = 0;
    struct dirent *entry;

    if (folder == NULL) {
        return errno;
    }
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            (op->path[0] == '\0' && strcmp(name, LOCK_NAME) == 0)) {
            continue; /* The lock is ours, not the caller's. */
        }
        if (count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            names = gd_realloc(names, capacity * sizeof *names);
        }
        names[count] = gd_malloc(strlen(name) + 1);
        memcpy(names[count++], name, strlen(name) + 1);
    }
    number = errno;
    (void)closedir(folder);
    op->names = join_names(names, count);
    gd_free(names);
    if (number != 0) {
        gd_free(op->names);
        op->names = NULL;
    }
    return number;
}

static int do_make_directory(int directory, const char *path)
{
    struct stat facts;

    if (mkdirat(directory, path, 0750) == 0) {
        return 0;
    }
    int number = errno;
    if (number == EEXIST && fstatat(directory, path, &facts, 0) == 0 && S_ISDIR(facts.st_mode)) {
        return 0;
    }
    return number;
}

static int do_sync_directory(int directory, const char *path)
{
    int fd = open_directory(directory, path);

    if (fd < 0) {
        return errno;
    }
    int number = fsync(fd) == 0 ? 0 : errno;
    (void)close(fd);
    return number;
}

static int do_size(int fd, struct gd_disk_op *op)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0) {
        return errno;
    }
    op->result = (uint64_t)facts.st_size;
    return 0;
}

/* Whether it names all that io.h wants for its kind: a file, a path, two paths. */
static bool is_whole(const struct gd_disk_op *op)
{
    bool of_file = op->kind <= GD_DISK_SIZE; /* OPEN fills it, the others use it. */
    bool of_path = op->kind == GD_DISK_OPEN || op->kind >= GD_DISK_RENAME;

    return (!of_file || op->file != NULL) && (!of_path || op->path != NULL) &&
           (op->kind != GD_DISK_RENAME || op->path_to != NULL);
}

static int do_op(int directory, struct gd_disk_op *op)
{
    GD_ASSERT(is_whole(op));
    int fd = op->file != NULL ? (int)op->file->handle : -1;

    if (op->path != NULL && directory < 0) {
        return ENOENT;
    }
    switch (op->kind) {
    case GD_DISK_OPEN:
        return do_open(directory, op);
    case GD_DISK_CLOSE:
        op->file->handle = -1;
        return close(fd) == 0 ? 0 : errno;
    case GD_DISK_READ:
        return do_read(fd, op);
    case GD_DISK_WRITE:
        return write_all(fd, op->data, op->size, op->offset, 0);
    case GD_DISK_WRITE_DURABLE:
        return do_write_durable(fd, op);
    case GD_DISK_SYNC:
        return do_sync(fd);
    case GD_DISK_PREALLOCATE:
        return do_preallocate(fd, op->size);
    case GD_DISK_TRUNCATE:
        return ftruncate(fd, (off_t)op->size) == 0 ? 0 : errno;
    case GD_DISK_SIZE:
        return do_size(fd, op);
    case GD_DISK_RENAME:
        return renameat(directory, op->path, directory, op->path_to) == 0 ? 0 : errno;
    case GD_DISK_UNLINK:
        return unlinkat(directory, op->path, 0) == 0 ? 0 : errno;
    case GD_DISK_LIST:
        return do_list(directory, op);
    case GD_DISK_MAKE_DIRECTORY:
        return do_make_directory(directory, op->path);
    case GD_DISK_SYNC_DIRECTORY:
        return do_sync_directory(directory, op->path);
    case GD_DISK_KIND_COUNT: /* UNTESTED: no kind of operation. */
        break;
    }
    GD_ASSERT(op->kind < GD_DISK_KIND_COUNT);
    return EINVAL;
}

/* The outcome rides in fields that mean something else only before and after: `world` holds the
 * errno of an operation that is done and not yet reported. */
static void worker(void *context)
{
    struct gd_uv_disk *disk = context;

    uv_mutex_lock(&disk->mutex);
    for (;;) {
        struct gd_disk_op *op = disk->queue;

        if (op == NULL && disk->stopping) {
            break;
        }
        if (op == NULL) {
            uv_cond_wait(&disk->work, &disk->mutex);
            continue;
        }
        disk->queue = op->next;
        if (disk->queue == NULL) {
            disk->queue_end = &disk->queue;
        }
        uv_mutex_unlock(&disk->mutex);
        op->world = (void *)(intptr_t)do_op(disk->directory, op);
        uv_mutex_lock(&disk->mutex);
        bool first = disk->done == NULL;
        op->next = NULL;
        *disk->done_end = op;
        disk->done_end = &op->next;
        if (first) {
            (void)uv_async_send(&disk->wakeup);
        }
    }
    uv_mutex_unlock(&disk->mutex);
}

/* ---------------------------------------------------------------- on the loop's thread */

static const char *const kind_names[GD_DISK_KIND_COUNT] = {
    "open",     "close", "read",   "write",  "durable write", "sync",           "preallocate",
    "truncate", "size",  "rename", "unlink", "list",          "make directory", "sync directory"};

/* What an operator needs to know and gd_err does not carry. */
static void log_failure(struct gd_uv *uv, const struct gd_disk_op *op, int number)
{
    char link[64], name[GD_DISK_PATH_SIZE * 2] = "?";

    if (op->path != NULL) {
        (void)snprintf(name, sizeof name, "%s", op->path);
    } else {
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", (int)op->file->handle);
        ssize_t size = readlink(link, name, sizeof name - 1);
        name[size > 0 ? size : 0] = '\0';
    }
    gd_io_log(&uv->io, GD_LOG_ERROR, "disk: %s of %s failed: %s", kind_names[op->kind], name,
              strerror(number));
}

static void tell(struct gd_uv *uv, struct gd_disk_op *op, int number)
{
    enum gd_err err = number == 0 ? GD_OK : err_of(number);

    op->world = NULL;
    op->next = NULL;
    uv->disk->in_flight--;
    if (err == GD_ERR_IO || err == GD_ERR_PERMISSION) { /* The others need no errno. */
        log_failure(uv, op, number);
    }
    gd__uv_enter(uv);
    op->done(op, err);
}

static void take_done(uv_async_t *wakeup)
{
    struct gd_uv_disk *disk = wakeup->data;
    struct gd_uv *uv = disk->uv;

    uv_mutex_lock(&disk->mutex);
    struct gd_disk_op *op = disk->done;
    disk->done = NULL;
    disk->done_end = &disk->done;
    uv_mutex_unlock(&disk->mutex);
    while (op != NULL) {
        struct gd_disk_op *next = op->next;

        tell(uv, op, (int)(intptr_t)op->world);
        op = next;
    }
}

static void give_away(struct gd_uv_disk *disk, struct gd_disk_op *op)
{
    uv_mutex_lock(&disk->mutex);
    *disk->queue_end = op;
    disk->queue_end = &op->next;
    uv_cond_signal(&disk->work);
    uv_mutex_unlock(&disk->mutex);
}

/* Has nothing come that the loop could work on meanwhile? */
static bool is_idle(const struct gd_uv *uv)
{
    struct pollfd events = {.fd = uv_backend_fd(&uv->loop), .events = POLLIN};

    return poll(&events, 1, 0) == 0;
}

bool gd__uv_disk_waits(const struct gd_uv *uv)
{
    return uv->disk->own != NULL;
}

bool gd__uv_disk_work(struct gd_uv *uv)
{
    struct gd_uv_disk *disk = uv->disk;
    struct gd_disk_op *op = disk->own;

    if (op == NULL) {
        return false;
    }
    disk->own = NULL;
    if (!is_idle(uv)) {
        give_away(disk, op);
        return false;
    }
    gd_time_ns begin = uv_hrtime();
    int number = do_op(disk->directory, op);
    gd_time_ns end = uv_hrtime();
    if (end - begin > SLOW_NS) {
        disk->wary_until = end + WARY_NS;
    }
    tell(uv, op, number);
    return true;
}

static bool climbs(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2) {
        bool begins = at == path || at[-1] == '/';

        if (begins && (at[2] == '\0' || at[2] == '/')) {
            return true;
        }
    }
    return false;
}

enum gd_err gd__uv_disk_submit(struct gd_io *io, struct gd_disk_op *op)
{
    struct gd_uv_disk *disk = gd__uv_of(io)->disk;

    GD_ASSERT(op->path == NULL || strlen(op->path) < GD_DISK_PATH_SIZE);
    GD_ASSERT(op->path == NULL || !climbs(op->path));
    GD_ASSERT(op->path_to == NULL || !climbs(op->path_to));
    GD_ASSERT(is_whole(op)); /* Here, too, where the caller is on the stack. */
    if (disk->in_flight >= QUEUE_COUNT_MAX) {
        return GD_ERR_BUSY;
    }
    disk->in_flight++;
    op->io = io;
    op->world = NULL;
    op->next = NULL;
    op->result = 0;
    op->names = NULL;
    if (op->kind == GD_DISK_WRITE_DURABLE && op->size <= OWN_SIZE_MAX && disk->own == NULL &&
        disk->in_flight == 1 && disk->uv->now >= disk->wary_until) {
        disk->own = op;
        return GD_OK;
    }
    give_away(disk, op);
    return GD_OK;
}

/* ---------------------------------------------------------------- the data directory */

static enum gd_err take_lock(struct gd_uv_disk *disk, const char *data_dir, struct gd_error *error)
{
    disk->lock = openat(disk->directory, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (disk->lock < 0) {
        return gd_error_set(error, err_of(errno), "data directory %s: cannot write in it: %s",
                            data_dir, strerror(errno));
    }
    if (flock(disk->lock, LOCK_EX | LOCK_NB) != 0) { /* F3 */
        char holder[32] = "";
        ssize_t size = pread(disk->lock, holder, sizeof holder - 1, 0);

        holder[size > 0 ? strcspn(holder, "\n") : 0] = '\0';
        return gd_error_set(error, GD_ERR_BUSY,
                            "data directory %s: another process (%s) uses it: stop that one, or "
                            "give this one a directory of its own",
                            data_dir, holder[0] != '\0' ? holder : "?");
    }
    char holder[32];
    int size = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(disk->lock, 0) == 0 && pwrite(disk->lock, holder, (size_t)size, 0) < 0) {
        errno = 0; /* The number is for people; the lock is what counts. */
    }
    return GD_OK;
}

static enum gd_err open_data(struct gd_uv_disk *disk, const char *data_dir, struct gd_error *error)
{
    if (mkdir(data_dir, 0750) != 0 && errno != EEXIST) {
        return gd_error_set(error, err_of(errno), "data directory %s: cannot make it: %s", data_dir,
                            strerror(errno));
    }
    disk->directory = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->directory < 0) {
        return gd_error_set(error, err_of(errno), "data directory %s: cannot open it: %s", data_dir,
                            strerror(errno));
    }
    return take_lock(disk, data_dir, error);
}

enum gd_err gd__uv_disk_open(struct gd_uv *uv, const char *data_dir, struct gd_error *error)
{
    struct gd_uv_disk *disk = gd_calloc(1, sizeof *disk);

    disk->uv = uv;
    disk->directory = disk->lock = -1;
    disk->queue_end = &disk->queue;
    disk->done_end = &disk->done;
    uv->disk = disk;
    (void)uv_mutex_init(&disk->mutex);
    (void)uv_cond_init(&disk->work);
    int err = uv_async_init(&uv->loop, &disk->wakeup, take_done);
    GD_ASSERT(err == 0);
    disk->wakeup.data = disk;
    if (data_dir != NULL) {
        enum gd_err failed = open_data(disk, data_dir, error);

        if (failed != GD_OK) {
            return failed;
        }
    }
    for (; disk->worker_count < WORKER_COUNT; disk->worker_count++) {
        err = uv_thread_create(&disk->workers[disk->worker_count], worker, disk);
        if (err != 0) {
            return gd_error_set(error, GD_ERR_IO, "no thread for the disk: %s", uv_strerror(err));
        }
    }
    return GD_OK;
}

void gd__uv_disk_close(struct gd_uv *uv)
{
    struct gd_uv_disk *disk = uv->disk;

    uv_mutex_lock(&disk->mutex);
    disk->stopping = true;
    disk->queue = NULL; /* Dropped: what has not begun. */
    disk->queue_end = &disk->queue;
    disk->own = NULL;
    uv_cond_broadcast(&disk->work);
    uv_mutex_unlock(&disk->mutex);
    for (unsigned i = 0; i < disk->worker_count; i++) {
        (void)uv_thread_join(&disk->workers[i]);
    }
    for (struct gd_disk_op *op = disk->done; op != NULL; op = op->next) {
        gd_free(op->names);
        op->names = NULL;
    }
    disk->done = NULL;
    disk->done_end = &disk->done;
}

void gd__uv_disk_free(struct gd_uv *uv)
{
    struct gd_uv_disk *disk = uv->disk;

    if (disk->directory >= 0) {
        (void)close(disk->directory);
    }
    if (disk->lock >= 0) {
        (void)close(disk->lock);
    }
    uv_cond_destroy(&disk->work);
    uv_mutex_destroy(&disk->mutex);
    gd_free(disk);
    uv->disk = NULL;
}
