/* lock.h - one run at a time in an output folder.
 *
 * OUT/lock is held by an fcntl lock, which ends with its process however that
 * dies. Its text says who holds it. Where the file system has no such locks
 * (ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL) the file OUT/lock.held stands for the
 * lock: made with O_EXCL, kept fresh by lock_beat. It outlives a killed
 * process; then
 *   - the same Slurm job (a requeued one, a later step) takes it over after it
 *     has seen no beat for LOCK_STALE_S seconds;
 *   - anybody else is told how old the last beat is, and to use --break-lock
 *     if that run is dead.
 * --break-lock takes a lock of either kind away. A run that still lives learns
 * it from lock_beat and must stop before it writes again.
 *
 * gather, status and top need no lock. fcntl locks belong to the process:
 * while it holds one it must not call lock_holder on the same folder (closing
 * any descriptor of the file would drop the lock), and a second lock_take of
 * the same process is not refused. */
#ifndef PATCHSWEEP_COMMON_STORE_LOCK_H
#define PATCHSWEEP_COMMON_STORE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { LOCK_BEAT_S = 5, LOCK_STALE_S = 15, LOCK_WHO_BYTES = 512 };

struct lock {
    int fd;       /* -1: nothing is held */
    char *path;   /* of the file that is held; owned */
    bool is_file; /* O_EXCL and beats instead of an fcntl lock */
    dev_t device; /* of the file as it was taken */
    ino_t inode;
    long long last_beat_s; /* monotonic */
};

/* "host HOST, pid PID, slurm job JOB" of this process (the job where there is
 * one: SLURM_JOB_ID); the text to hand to lock_take. */
void lock_describe(char who[LOCK_WHO_BYTES]);

/* Take the lock of the folder, or STATUS_LOCKED with a sentence that says who
 * has it. May wait up to LOCK_STALE_S (see above). Release with
 * lock_release. */
enum status lock_take(struct lock *lock, const char *folder, const char *who,
                      bool break_lock, struct err *err) WARN_UNUSED;

/* Call every few seconds (it limits itself to one beat in LOCK_BEAT_S):
 * STATUS_LOCKED where the lock was broken by somebody. */
enum status lock_beat(struct lock *lock, struct err *err) WARN_UNUSED;

/* Who holds the lock of the folder: true, and the text is appended to who. */
bool lock_holder(const char *folder, struct buf *who);

void lock_release(struct lock *lock); /* nothing held is fine */

#endif
