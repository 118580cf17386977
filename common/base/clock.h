/* clock.h - time that only goes forward. */
#ifndef PATCHSWEEP_COMMON_BASE_CLOCK_H
#define PATCHSWEEP_COMMON_BASE_CLOCK_H

/* Seconds since some moment; the system's time being set does not matter. */
double clock_now_s(void);

#endif
