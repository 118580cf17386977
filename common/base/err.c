#include "common/base/err.h"

#include <stdio.h>
#include <string.h>

enum status err_set(struct err *err, enum status status, const char *format,
                    ...)
{
    if (err->status != STATUS_OK) return err->status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    err->status = status;
    return status;
}

enum status err_set_errno(struct err *err, enum status status, int error_number,
                          const char *format, ...)
{
    if (err->status != STATUS_OK) return err->status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t used = strlen(err->message);
    char reason[128];
    if (strerror_r(error_number, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error_number);
    snprintf(err->message + used, sizeof err->message - used, ": %s", reason);
    err->status = status;
    return status;
}

enum status err_context(struct err *err, const char *format, ...)
{
    char inner[sizeof err->message];
    memcpy(inner, err->message, sizeof inner);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", inner);
    return err->status;
}

void err_clear(struct err *err)
{
    err->status = STATUS_OK;
    err->message[0] = '\0';
}

int status_exit(enum status status)
{
    static const int exits[] = {
#define STATUS_EXIT(code, exit_status, meaning) [code] = (exit_status),
        STATUS_LIST(STATUS_EXIT)
#undef STATUS_EXIT
    };
    return exits[status];
}

const char *status_meaning(enum status status)
{
    static const char *const meanings[] = {
#define STATUS_MEANING(code, exit_status, meaning) [code] = (meaning),
        STATUS_LIST(STATUS_MEANING)
#undef STATUS_MEANING
    };
    return meanings[status];
}
