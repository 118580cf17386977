#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { GRACE_S = 2 };

static volatile sig_atomic_t seen = COORDINATOR_NO_SIGNAL;

static void note(int number)
{
    if (number == SIGUSR1) {
        if (seen == COORDINATOR_NO_SIGNAL) seen = COORDINATOR_SIGNAL_STOP;
        return;
    }
    seen = COORDINATOR_SIGNAL_DROP;
    (void)alarm(GRACE_S);
}

enum status signals_install(struct err *err)
{
    static const struct {
        int number;
        void (*handler)(int);
    } rows[] = {{SIGUSR1, note},
                {SIGTERM, note},
                {SIGINT, note},
                {SIGXFSZ, SIG_IGN}}; /* the write fails and says why */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sigaction action = {.sa_handler = rows[i].handler};
        sigemptyset(&action.sa_mask);
        action.sa_flags = SA_RESTART;
        if (sigaction(rows[i].number, &action, NULL) != 0)
            return err_set_errno(err, STATUS_INTERNAL, errno,
                                 "cannot handle signal %d", rows[i].number);
    }
    return STATUS_OK;
}

enum coordinator_signal signals_seen(void)
{
    return (enum coordinator_signal)seen;
}
