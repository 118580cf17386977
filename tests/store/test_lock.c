/* The lock of an output folder, between real processes; where the file system
 * has no fcntl locks is imitated by replacing fcntl and nanosleep. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/store/journal.h"
#include "common/store/lock.h"
#include "tests/store/temporary.h"

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_nanosleep(const struct timespec *wait, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wait, struct timespec *left);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static int fcntl_error;      /* what fcntl locks fail with; 0: they work */
static int beat_at_second;   /* the other run touches its lock then; 0: never */
static int seconds_slept;    /* nobody really waits */
static int seconds_advanced; /* of the clock */
static char folder[TEMPORARY_PATH];

int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (fcntl_error && (command == F_SETLK || command == F_GETLK)) {
        errno = fcntl_error;
        return -1;
    }
    return __real_fcntl(fd, command, argument);
}

int __wrap_nanosleep(const struct timespec *wait, struct timespec *left)
{
    (void)left;
    seconds_slept += (int)wait->tv_sec;
    if (beat_at_second && seconds_slept == beat_at_second) {
        struct timespec tiny = {.tv_nsec = 20000000};
        __real_nanosleep(&tiny, NULL); /* for the clock of the files to move */
        assert_int_equal(
            utimensat(AT_FDCWD, temporary_file(folder, "lock.held"), NULL, 0),
            0);
    }
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    now->tv_sec += seconds_advanced;
    return result;
}

/* A child that takes the lock and says so, then lives until it is killed. */
static pid_t hold(const char *who)
{
    int ready[2];
    char answer = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct lock lock;
        struct err err = {0};
        answer = lock_take(&lock, folder, who, false, &err) ? 'n' : 'y';
        if (write(ready[1], &answer, 1) != 1) _exit(1);
        alarm(60); /* should the test die before it ends this */
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void end(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void expect_holder(const char *who)
{
    struct buf text = {0};
    assert_int_equal(lock_holder(folder, &text), who != NULL);
    if (who) {
        assert_int_equal(text.n, strlen(who));
        assert_memory_equal(text.data, who, text.n);
    }
    buf_free(&text);
}

static const char other[] = "host far, pid 7, slurm job 12";

static void a_second_run_is_told_who_holds_the_folder(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    expect_holder(NULL);
    pid_t child = hold(other);
    expect_holder(other);
    assert_int_equal(lock_take(&lock, folder, "me", false, &err),
                     STATUS_LOCKED);
    assert_non_null(strstr(err.message, other));
    lock_release(&lock);
    lock_release(&lock);
    end(child);
    expect_holder(NULL);
}

/* A link that somebody put there must not lead the run out of its folder. */
static void links_are_not_followed(void **state)
{
    (void)state;
    static const char *const names[] = {"lock", "journal"};
    char victim[2 * TEMPORARY_PATH], link[2 * TEMPORARY_PATH];
    snprintf(victim, sizeof victim, "%s", temporary_file(folder, "victim"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct err err = {0};
        struct lock lock;
        struct journal *journal;
        struct buf content = {0};
        uint64_t cut;
        assert_int_equal(file_write(victim, "precious", 8, &err), 0);
        snprintf(link, sizeof link, "%s", temporary_file(folder, names[i]));
        (void)unlink(link);
        assert_int_equal(symlink(victim, link), 0);
        if (i == 0)
            assert_int_equal(lock_take(&lock, folder, "me", true, &err),
                             STATUS_IO);
        else
            assert_int_equal(journal_open(&journal, link, &cut, &err),
                             STATUS_IO);
        assert_non_null(strstr(err.message, "it is a link or a device"));
        err_clear(&err);
        assert_int_equal(file_read(&content, victim, 0, &err), 0);
        assert_int_equal(content.n, 8);
        buf_free(&content);
        assert_int_equal(unlink(link), 0);
    }
    assert_int_equal(unlink(victim), 0);
}

static void the_lock_of_a_killed_run_is_free(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    end(hold(other));
    assert_int_equal(lock_take(&lock, folder, "me", false, &err), 0);
    assert_false(lock.is_file);
    lock_release(&lock);
    end(hold(other)); /* and free again after a release */
}

static void a_broken_lock_is_noticed_by_its_holder(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    pid_t child = hold(other);
    assert_int_equal(lock_take(&lock, folder, "me", true, &err), 0);
    lock_release(&lock);
    end(child);

    assert_int_equal(lock_take(&lock, folder, "me", false, &err), 0);
    assert_int_equal(lock_beat(&lock, &err), 0);
    assert_int_equal(unlink(temporary_file(folder, "lock")), 0);
    assert_int_equal(lock_beat(&lock, &err), 0); /* not yet time to look */
    seconds_advanced += LOCK_BEAT_S;
    assert_int_equal(lock_beat(&lock, &err), STATUS_LOCKED);
    lock_release(&lock);
}

static void an_error_of_the_system_is_not_taken_for_a_lock(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    fcntl_error = EIO;
    assert_int_equal(lock_take(&lock, folder, "me", false, &err), STATUS_IO);
    fcntl_error = 0;
    err_clear(&err);
    assert_int_equal(lock_take(&lock, "/no/such/folder", "me", false, &err),
                     STATUS_IO);
}

static void without_fcntl_locks_a_file_holds_the_folder(void **state)
{
    (void)state;
    static const int errors[] = {ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct lock lock;
        struct err err = {0};
        fcntl_error = errors[i];
        pid_t child = hold(other);
        expect_holder(other);
        assert_int_equal(
            lock_take(&lock, folder, "host here, pid 8", false, &err),
            STATUS_LOCKED);
        assert_non_null(strstr(err.message, other));
        assert_non_null(strstr(err.message, "--break-lock"));
        end(child);
        expect_holder(other); /* it outlives its process */
        err_clear(&err);
        assert_int_equal(lock_take(&lock, folder, "me", true, &err), 0);
        assert_true(lock.is_file);
        expect_holder("me");
        lock_release(&lock);
        expect_holder(NULL);
    }
    fcntl_error = 0;
}

static void the_same_slurm_job_takes_over_a_silent_lock(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    fcntl_error = ENOLCK;
    end(hold(other));
    seconds_slept = 0;
    assert_int_equal(
        lock_take(&lock, folder, "host here, pid 8, slurm job 12", false, &err),
        0);
    assert_int_equal(seconds_slept, LOCK_STALE_S);
    lock_release(&lock);

    end(hold(other));
    assert_int_equal(lock_take(&lock, folder, "host here, pid 8, slurm job 123",
                               false, &err),
                     STATUS_LOCKED); /* another job, whose number begins so */
    assert_int_equal(seconds_slept, LOCK_STALE_S);
    assert_int_equal(unlink(temporary_file(folder, "lock.held")), 0);
    fcntl_error = 0;
}

static void the_same_slurm_job_leaves_a_beating_lock_alone(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    fcntl_error = ENOLCK;
    pid_t child = hold(other);
    seconds_slept = 0;
    beat_at_second = LOCK_STALE_S - 1;
    assert_int_equal(
        lock_take(&lock, folder, "host here, pid 8, slurm job 12", false, &err),
        STATUS_LOCKED);
    beat_at_second = 0;
    end(child);
    expect_holder(other);
    assert_int_equal(unlink(temporary_file(folder, "lock.held")), 0);
    fcntl_error = 0;
}

static void a_beat_touches_the_file(void **state)
{
    (void)state;
    struct lock lock;
    struct err err = {0};
    struct stat info;
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    fcntl_error = ENOLCK;
    assert_int_equal(lock_take(&lock, folder, "me", false, &err), 0);
    const char *path = temporary_file(folder, "lock.held");
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(lock_beat(&lock, &err), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mtime, 1000);
    seconds_advanced += LOCK_BEAT_S;
    assert_int_equal(lock_beat(&lock, &err), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_mtime > 1000);
    lock_release(&lock);
    fcntl_error = 0;
}

static void the_description_names_host_process_and_job(void **state)
{
    (void)state;
    char who[LOCK_WHO_BYTES], pid[64];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    assert_int_equal(unsetenv("SLURM_JOB_ID"), 0);
    lock_describe(who);
    assert_memory_equal(who, "host ", 5);
    assert_non_null(strstr(who, pid));
    assert_null(strstr(who, "slurm"));
    assert_int_equal(setenv("SLURM_JOB_ID", "4711", 1), 0);
    lock_describe(who);
    assert_non_null(strstr(who, ", slurm job 4711"));
}

static int set_up(void **state)
{
    (void)state;
    return temporary_make(folder);
}

static int tear_down(void **state)
{
    (void)state;
    temporary_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_run_is_told_who_holds_the_folder),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(the_lock_of_a_killed_run_is_free),
        cmocka_unit_test(a_broken_lock_is_noticed_by_its_holder),
        cmocka_unit_test(an_error_of_the_system_is_not_taken_for_a_lock),
        cmocka_unit_test(without_fcntl_locks_a_file_holds_the_folder),
        cmocka_unit_test(the_same_slurm_job_takes_over_a_silent_lock),
        cmocka_unit_test(the_same_slurm_job_leaves_a_beating_lock_alone),
        cmocka_unit_test(a_beat_touches_the_file),
        cmocka_unit_test(the_description_names_host_process_and_job),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
