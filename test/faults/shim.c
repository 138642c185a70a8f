// Preloaded into a process (LD_PRELOAD), makes system calls on files below a folder fail, the N-th or all from it on, as a
// full or a failing disk does, moves the folder away at the N-th, and sets the clock back. The file that FAULT_CONTROL names is shared with the test, which
// writes what fails into it, and reads what was done.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, SYNC = 4, RENAME = 8, LINK = 16, MKDIR = 32, READ = 64, OPEN_READ = 128, REMOVE = 256, OPEN_WRITE = 512 };

// As an error: the folder is moved to <folder>.gone before the call.
enum { VANISH = -1 };

// As faulty.ts writes it.
struct control {
  int32_t at;       // from 1; 0: nothing fails
  int32_t lasting;  // also all that follow fail
  int32_t error;    // errno
  int32_t kinds;    // of calls that count
  _Atomic int32_t seen;
  _Atomic int32_t failed;
  int64_t back;     // seconds that the clock of the day is set back by
  char folder[992];
  char first[1024];  // what failed first
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULT_CONTROL");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared != MAP_FAILED) control = shared;
  close(file);
}

#define REAL(name, result, ...)               \
  static result (*real)(__VA_ARGS__);         \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, name);

// The folder as a path without the slash at its end goes away.
static void vanish(void) {
  REAL("rename", int, const char *, const char *)
  char from[992], to[1000];
  snprintf(from, sizeof from, "%.*s", (int)strlen(control->folder) - 1, control->folder);
  snprintf(to, sizeof to, "%s.gone", from);
  real(from, to);
}

// Whether this call fails: 1 for the first to fail, 2 for a later one. errno is set then.
static int fails(int kind, const char *call, const char *path) {
  if (!control || !(control->kinds & kind) || strncmp(path, control->folder, strlen(control->folder))) return 0;
  int number = ++control->seen;
  if (!control->at || number < control->at || (number > control->at && !control->lasting)) return 0;
  int first = control->failed++ == 0;
  if (first) snprintf(control->first, sizeof control->first, "%s %s", call, path + strlen(control->folder));
  if (control->error == VANISH) {
    if (first) vanish();
    return 0;
  }
  errno = control->error;
  return first ? 1 : 2;
}

static int fails_at(int kind, const char *call, int file) {
  if (!control || !(control->kinds & kind)) return 0;
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(kind, call, path);
}

static int fails_by(int kind, const char *call, const char *path) {
  char absolute[8192];
  if (!control || !(control->kinds & kind)) return 0;
  if (*path != '/') {
    if (!getcwd(absolute, 4096)) return 0;
    strncat(strcat(absolute, "/"), path, 4000);
    path = absolute;
  }
  return fails(kind, call, path);
}

int open64(const char *path, int flags, ...) {
  REAL("open64", int, const char *, int, ...)
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  int makes = flags & O_CREAT && access(path, F_OK) != 0;
  int reads = (flags & O_ACCMODE) == O_RDONLY;
  int writes = !makes && !reads;
  if ((makes && fails_by(OPEN, "open", path)) || (reads && fails_by(OPEN_READ, "open to read", path)) ||
      (writes && fails_by(OPEN_WRITE, "open to write", path)))
    return -1;
  return real(path, flags, mode);
}

// A disk that fills up takes the first half.
ssize_t write(int file, const void *bytes, size_t count) {
  REAL("write", ssize_t, int, const void *, size_t)
  int failing = fails_at(WRITE, "write", file);
  if (failing == 1 && control->lasting && control->error == ENOSPC && count > 1) return real(file, bytes, count / 2);
  return failing ? -1 : real(file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  REAL("pwrite64", ssize_t, int, const void *, size_t, off64_t)
  return fails_at(WRITE, "write", file) ? -1 : real(file, bytes, count, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL("writev", ssize_t, int, const struct iovec *, int)
  return fails_at(WRITE, "write", file) ? -1 : real(file, parts, count);
}

ssize_t read(int file, void *bytes, size_t count) {
  REAL("read", ssize_t, int, void *, size_t)
  return fails_at(READ, "read", file) ? -1 : real(file, bytes, count);
}

ssize_t pread64(int file, void *bytes, size_t count, off64_t at) {
  REAL("pread64", ssize_t, int, void *, size_t, off64_t)
  return fails_at(READ, "read", file) ? -1 : real(file, bytes, count, at);
}

int fsync(int file) {
  REAL("fsync", int, int)
  return fails_at(SYNC, "fsync", file) ? -1 : real(file);
}

int fdatasync(int file) {
  REAL("fdatasync", int, int)
  return fails_at(SYNC, "fdatasync", file) ? -1 : real(file);
}

int rename(const char *from, const char *to) {
  REAL("rename", int, const char *, const char *)
  return fails_by(RENAME, "rename to", to) ? -1 : real(from, to);
}

int link(const char *from, const char *to) {
  REAL("link", int, const char *, const char *)
  return fails_by(LINK, "link", to) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  REAL("mkdir", int, const char *, mode_t)
  return access(path, F_OK) != 0 && fails_by(MKDIR, "mkdir", path) ? -1 : real(path, mode);
}

int unlink(const char *path) {
  REAL("unlink", int, const char *)
  return access(path, F_OK) == 0 && fails_by(REMOVE, "unlink", path) ? -1 : real(path);
}

int rmdir(const char *path) {
  REAL("rmdir", int, const char *)
  return access(path, F_OK) == 0 && fails_by(REMOVE, "rmdir", path) ? -1 : real(path);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL("clock_gettime", int, clockid_t, struct timespec *)
  int result = real(clock, now);
  if (control && clock == CLOCK_REALTIME) now->tv_sec -= control->back;
  return result;
}

int gettimeofday(struct timeval *now, void *zone) {
  REAL("gettimeofday", int, struct timeval *, void *)
  int result = real(now, zone);
  if (control) now->tv_sec -= control->back;
  return result;
}
