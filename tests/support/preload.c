/*
 * Faults that a process cannot be given from outside, for LD_PRELOAD. Which of them a process meets,
 * its environment says.
 *
 * POWER_CUT_SHADOW=DIR  What a power cut would leave. A sync of a file copies what it holds now to
 *                       DIR/content/INODE, and a sync of a directory the names in it to
 *                       DIR/names/INODE; whatever was not synced is in neither. DIR/kept/INODE is a
 *                       link that keeps the number from being given to another file. The sync itself
 *                       is left out: no disk is needed to show what a program asked of it.
 * CLOCK_OFFSET=FILE     CLOCK_REALTIME is off by as many seconds as the first eight bytes of FILE say,
 *                       an integer in the machine's order, read anew by each call.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *shadow;
static volatile const int64_t *clock_offset;
/* Of two syncs of one file, the copy of the later one must stay. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    shadow = getenv("POWER_CUT_SHADOW");
    const char *path = getenv("CLOCK_OFFSET");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *page = mmap(NULL, sizeof *clock_offset, PROT_READ, MAP_SHARED, fd, 0);
        clock_offset = page == MAP_FAILED ? NULL : page;
        close(fd);
    }
}

/* A simulation that does not work must not pass for a disk that keeps everything. */
static void give_up(const char *what) {
    perror(what);
    abort();
}

static FILE *create(const char *kind, ino_t inode, char *path, char *temporary) {
    snprintf(path, 4096, "%s/%s/%ju", shadow, kind, (uintmax_t)inode);
    snprintf(temporary, 4096, "%s.new", path);
    FILE *file = fopen(temporary, "we");
    if (!file) give_up(temporary);
    return file;
}

/* A process that is killed leaves the copy of the last sync that was whole. */
static void keep(FILE *file, const char *path, const char *temporary) {
    if (fclose(file) != 0 || rename(temporary, path) != 0) give_up(path);
}

static void copy_content(int fd, ino_t inode) {
    char path[4096], temporary[4096 + 8], self[64], buffer[65536];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    snprintf(path, sizeof path, "%s/kept/%ju", shadow, (uintmax_t)inode);
    /* A file that is gone cannot be linked, and nobody will find it again either. */
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0 && errno == ENOENT) return;
    FILE *file = create("content", inode, path, temporary);
    /* A second descriptor only where it must be: to close one gives up the locks of the file. */
    int own = pread(fd, buffer, 1, 0) < 0 && errno == EBADF ? open(self, O_RDONLY | O_CLOEXEC) : -1;
    int from = own < 0 ? fd : own;
    ssize_t length;
    for (off_t at = 0; (length = pread(from, buffer, sizeof buffer, at)) != 0; at += length) {
        if (length < 0 || fwrite(buffer, 1, (size_t)length, file) != (size_t)length) give_up(path);
    }
    if (own >= 0) close(own);
    keep(file, path, temporary);
}

static void copy_names(int fd, ino_t inode) {
    char path[4096], temporary[4096 + 8];
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    if (!directory) give_up("a directory");
    FILE *file = create("names", inode, path, temporary);
    for (struct dirent *entry; (entry = readdir(directory));) {
        fprintf(file, "%ju %s\n", (uintmax_t)entry->d_ino, entry->d_name);
    }
    closedir(directory);
    keep(file, path, temporary);
}

static int sync_now(int fd, long call) {
    struct stat about;
    if (!shadow) return (int)syscall(call, fd);
    if (fstat(fd, &about) != 0) return -1;
    int before = errno;
    pthread_mutex_lock(&one_at_a_time);
    if (S_ISDIR(about.st_mode)) copy_names(fd, about.st_ino);
    else copy_content(fd, about.st_ino);
    pthread_mutex_unlock(&one_at_a_time);
    errno = before;
    return 0;
}

int fsync(int fd) { return sync_now(fd, SYS_fsync); }

int fdatasync(int fd) { return sync_now(fd, SYS_fdatasync); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && clock_offset) time->tv_sec += *clock_offset;
    return result;
}
