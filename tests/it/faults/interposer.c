/* Stands between the program and libc, by LD_PRELOAD: counts the calls that change files below given folders, in all
 * processes of a run together, and at one of them lets the call fail, or ends everything as a power cut does.
 *
 * FAULTS_STATE  the file that the processes share, at least as large as `struct state`, zeros at first
 * FAULTS_ROOTS  folders and files, separated by colons; what begins with `-` is left out again
 * FAULTS_AT     the number of the call, from 1
 * FAULTS_HOW    `kill` (just before; a write is done by half), `once:ERRNO`, or `full` (from then on nothing that needs
 *               room succeeds: ENOSPC)
 *
 * FAULTS_EXCHANGE  `seen`: the system call that exchanges two names is counted although it does not pass through libc;
 *               `missing`: there is none. What the program starts must be this program again.
 *
 * Other calls that do not pass through libc are not seen. Of several writes to one file, opened once, the first, the second,
 * the fourth, the eighth … count. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum { SLOTS = 4096, WHAT = 512 };

struct state {
    _Atomic int64_t calls;       /* how many there were */
    _Atomic int64_t fired;       /* 1: the fault has happened */
    _Atomic int64_t dead;        /* 1: the power is off */
    _Atomic int64_t coordinator; /* the first process */
    char what[WHAT];             /* the call, for people */
    _Atomic uint32_t writes[SLOTS];
};

enum how { NOTHING, KILL, ONCE, FULL };

static struct state *state;
static const char *roots = "";
static int64_t at;
static enum how how;
static int error;

static void see_exchanges(void);

__attribute__((constructor)) static void start(void) {
    const char *file = getenv("FAULTS_STATE"), *number = getenv("FAULTS_AT"), *word = getenv("FAULTS_HOW");
    if (!file || !number || !word || !getenv("FAULTS_ROOTS")) return;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return;
    roots = getenv("FAULTS_ROOTS");
    at = atoll(number);
    if (!strcmp(word, "kill")) how = KILL;
    else if (!strcmp(word, "full")) how = FULL, error = ENOSPC;
    else if (!strncmp(word, "once:", 5)) how = ONCE, error = atoi(word + 5);
    state = map;
    int64_t none = 0;
    /* A session of its own, so that everything that the run starts can be found. */
    if (atomic_compare_exchange_strong(&state->coordinator, &none, getpid())) setsid();
    see_exchanges();
}

static _Noreturn void power_off(void) {
    atomic_store(&state->dead, 1);
    kill((pid_t)atomic_load(&state->coordinator), SIGKILL);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether `path` is `root` or below it. */
static int below(const char *path, const char *root, size_t length) {
    return !strncmp(path, root, length) && (path[length] == '/' || path[length] == 0 || root[length - 1] == '/');
}

static int watched(const char *path) {
    int in = 0;
    for (const char *root = roots; *root;) {
        size_t length = strcspn(root, ":");
        if (*root == '-') {
            if (below(path, root + 1, length - 1)) return 0;
        } else if (length && below(path, root, length)) {
            in = 1;
        }
        root += length + (root[length] == ':');
    }
    return in;
}

/* The absolute path of an open file; empty when it has none. */
static void of_fd(int fd, char out[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    out[length > 0 ? length : 0] = 0;
}

static void of_path(int dir, const char *path, char out[PATH_MAX]) {
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return;
    }
    char folder[PATH_MAX];
    if (dir == AT_FDCWD) {
        if (!getcwd(folder, sizeof folder)) folder[0] = 0;
    } else {
        of_fd(dir, folder);
    }
    int length = snprintf(out, PATH_MAX, "%s/%s", folder, path);
    if (length >= PATH_MAX) out[0] = 0;
}

static _Atomic uint32_t *slot_of(const char *path) {
    uint32_t hash = 2166136261u;
    for (const char *it = path; *it; it++) hash = (hash ^ (unsigned char)*it) * 16777619u;
    return &state->writes[hash % SLOTS];
}

enum answer { GO_ON, FAIL, TEAR };
enum kind { MAKES, WRITES, REMOVES };

/* Counts a call on a path and says what becomes of it. */
static enum answer step(const char *call, enum kind kind, const char *path) {
    if (!state) return GO_ON;
    if (atomic_load(&state->dead)) power_off();
    if (!path[0] || !watched(path)) return GO_ON;
    int counts = 1;
    if (kind == WRITES) {
        uint32_t before = atomic_fetch_add(slot_of(path), 1) + 1;
        counts = (before & (before - 1)) == 0;
    }
    int now = counts && atomic_fetch_add(&state->calls, 1) + 1 == at;
    if (now) {
        snprintf(state->what, WHAT, "%s %.400s", call, path);
        atomic_store(&state->fired, 1);
        if (how == KILL && kind != WRITES) power_off();
        if (how == KILL) return TEAR;
        if (how == ONCE) return errno = error, FAIL;
    }
    if (how == FULL && kind != REMOVES && atomic_load(&state->fired)) return errno = error, FAIL;
    return GO_ON;
}

static enum answer at_path(const char *call, enum kind kind, int dir, const char *path) {
    char whole[PATH_MAX];
    int kept = errno;
    if (!state || !path) return GO_ON;
    of_path(dir, path, whole);
    errno = kept;
    return step(call, kind, whole);
}

static enum answer at_fd(const char *call, enum kind kind, int fd) {
    char whole[PATH_MAX];
    int kept = errno;
    if (!state) return GO_ON;
    of_fd(fd, whole);
    errno = kept;
    return step(call, kind, whole);
}

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

/* Opening. What is opened to be written begins to count its writes anew. */
static enum answer opening(const char *call, int dir, const char *path, int flags) {
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC))) return GO_ON;
    char whole[PATH_MAX];
    int kept = errno;
    if (!state || !path) return GO_ON;
    of_path(dir, path, whole);
    errno = kept;
    if (watched(whole)) atomic_store(slot_of(whole), 0);
    return step(call, flags & (O_CREAT | O_TRUNC) ? MAKES : REMOVES, whole);
}

#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        MODE(flags)                                                                                                    \
        if (opening(#name, AT_FDCWD, path, flags) == FAIL) return -1;                                                  \
        return REAL(name)(path, flags, mode);                                                                          \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int dir, const char *path, int flags, ...) {                                                              \
        MODE(flags)                                                                                                    \
        if (opening(#name, dir, path, flags) == FAIL) return -1;                                                       \
        return REAL(name)(dir, path, flags, mode);                                                                     \
    }
OPENAT(openat)
OPENAT(openat64)

#define CREAT(name)                                                                                                    \
    int name(const char *path, mode_t mode) {                                                                          \
        if (opening(#name, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC) == FAIL) return -1;                           \
        return REAL(name)(path, mode);                                                                                 \
    }
CREAT(creat)
CREAT(creat64)

/* stdio opens by a call inside libc. */
#define FOPEN(name)                                                                                                    \
    FILE *name(const char *path, const char *mode) {                                                                   \
        int flags = mode[0] == 'r' ? (strchr(mode, '+') ? O_RDWR : O_RDONLY) : O_WRONLY | O_CREAT;                     \
        if (opening(#name, AT_FDCWD, path, flags) == FAIL) return NULL;                                                \
        return REAL(name)(path, mode);                                                                                 \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* Writing. */
ssize_t write(int fd, const void *bytes, size_t length) {
    enum answer answer = at_fd("write", WRITES, fd);
    if (answer == FAIL) return -1;
    if (answer == TEAR) {
        if (length > 1) (void)!REAL(write)(fd, bytes, length / 2);
        power_off();
    }
    return REAL(write)(fd, bytes, length);
}

#define AROUND(result, name, arguments, values, verdict)                                                               \
    result name arguments {                                                                                            \
        enum answer it = verdict;                                                                                      \
        if (it == FAIL) return -1;                                                                                     \
        if (it == TEAR) power_off();                                                                                   \
        return REAL(name) values;                                                                                      \
    }

AROUND(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), at_fd("writev", WRITES, fd))
AROUND(ssize_t, pwrite, (int fd, const void *bytes, size_t length, off_t offset), (fd, bytes, length, offset),
       at_fd("pwrite", WRITES, fd))
AROUND(ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t offset), (fd, bytes, length, offset),
       at_fd("pwrite64", WRITES, fd))
AROUND(ssize_t, copy_file_range,
       (int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length, unsigned flags),
       (from, from_offset, to, to_offset, length, flags), at_fd("copy_file_range", WRITES, to))
AROUND(ssize_t, sendfile, (int to, int from, off_t *offset, size_t count), (to, from, offset, count),
       at_fd("sendfile", WRITES, to))
AROUND(ssize_t, sendfile64, (int to, int from, off64_t *offset, size_t count), (to, from, offset, count),
       at_fd("sendfile64", WRITES, to))

/* Names. */
AROUND(int, rename, (const char *from, const char *to), (from, to), at_path("rename", MAKES, AT_FDCWD, to))
AROUND(int, renameat, (int dir, const char *from, int to_dir, const char *to), (dir, from, to_dir, to),
       at_path("renameat", MAKES, to_dir, to))
AROUND(int, link, (const char *from, const char *to), (from, to), at_path("link", MAKES, AT_FDCWD, to))
AROUND(int, linkat, (int dir, const char *from, int to_dir, const char *to, int flags), (dir, from, to_dir, to, flags),
       at_path("linkat", MAKES, to_dir, to))
AROUND(int, symlink, (const char *target, const char *to), (target, to), at_path("symlink", MAKES, AT_FDCWD, to))
AROUND(int, symlinkat, (const char *target, int dir, const char *to), (target, dir, to),
       at_path("symlinkat", MAKES, dir, to))
AROUND(int, mkdir, (const char *path, mode_t mode), (path, mode), at_path("mkdir", MAKES, AT_FDCWD, path))
AROUND(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), at_path("mkdirat", MAKES, dir, path))
AROUND(int, unlink, (const char *path), (path), at_path("unlink", REMOVES, AT_FDCWD, path))
AROUND(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags),
       at_path("unlinkat", REMOVES, dir, path))
AROUND(int, rmdir, (const char *path), (path), at_path("rmdir", REMOVES, AT_FDCWD, path))

/* The rest of a commit. */
AROUND(int, ftruncate, (int fd, off_t length), (fd, length), at_fd("ftruncate", MAKES, fd))
AROUND(int, ftruncate64, (int fd, off64_t length), (fd, length), at_fd("ftruncate64", MAKES, fd))
AROUND(int, fsync, (int fd), (fd), at_fd("fsync", MAKES, fd))
AROUND(int, fdatasync, (int fd), (fd), at_fd("fdatasync", MAKES, fd))
AROUND(int, chmod, (const char *path, mode_t mode), (path, mode), at_path("chmod", REMOVES, AT_FDCWD, path))
AROUND(int, fchmod, (int fd, mode_t mode), (fd, mode), at_fd("fchmod", REMOVES, fd))
AROUND(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags),
       at_path("fchmodat", REMOVES, dir, path))

/* The exchange of two names. A filter stops the system call, unless its sixth argument, which it does not have, is ours. */
enum { OURS = 0x0fa017 };

static int exchange(int dir, const char *from, int to_dir, const char *to, unsigned flags) {
    if (at_path("renameat2", MAKES, to_dir, to) != GO_ON) return -1;
    return (int)syscall(SYS_renameat2, dir, from, to_dir, to, flags, OURS);
}

int renameat2(int dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return exchange(dir, from, to_dir, to, flags);
}

#ifdef __x86_64__
static int missing;

static void stopped(int signal, siginfo_t *about, void *context) {
    (void)signal, (void)about;
    greg_t *it = ((ucontext_t *)context)->uc_mcontext.gregs;
    int kept = errno;
    errno = ENOSYS;
    int done = missing ? -1 : exchange((int)it[REG_RDI], (const char *)it[REG_RSI], (int)it[REG_RDX],
                                       (const char *)it[REG_R10], (unsigned)it[REG_R8]);
    it[REG_RAX] = done < 0 ? -errno : done;
    errno = kept;
}

static void see_exchanges(void) {
    const char *word = getenv("FAULTS_EXCHANGE");
    if (!word) return;
    missing = !strcmp(word, "missing");
    struct sigaction action = {.sa_sigaction = stopped, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OURS, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) abort();
}
#else
static void see_exchanges(void) {}
#endif
