#include "common/store/runinfo.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"

static const struct {
    const char *key;
    enum runinfo_kind kind;
} keys[] = {
#define RUNINFO_KEY(code, key, kind, units, long_name) {key, kind},
    RUNINFO_LIST(RUNINFO_KEY)
#undef RUNINFO_KEY
};

const char *runinfo_key(enum runinfo key) { return keys[key].key; }

void runinfo_put_text(struct buf *out, enum runinfo key, const char *value)
{
    assert(keys[key].kind == RUNINFO_TEXT);
    buf_printf(out, "%s = ", keys[key].key);
    for (const char *at = value; *at; at++)
        buf_u8(out, *at == '\n' || *at == '\r' ? ' ' : (uint8_t)*at);
    buf_u8(out, '\n');
}

void runinfo_put_count(struct buf *out, enum runinfo key, int64_t value)
{
    assert(keys[key].kind == RUNINFO_COUNT);
    buf_printf(out, "%s = %lld\n", keys[key].key, (long long)value);
}

void runinfo_put_number(struct buf *out, enum runinfo key, double value)
{
    assert(keys[key].kind == RUNINFO_NUMBER);
    buf_printf(out, "%s = %.17g\n", keys[key].key, value);
}

char *runinfo_get(const char *text, enum runinfo key, struct err *err)
{
    size_t n_key = strlen(keys[key].key);
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        const char *value = line + n_key;
        if (n >= n_key + 3 && strncmp(line, keys[key].key, n_key) == 0 &&
            strncmp(value, " = ", 3) == 0) {
            size_t bytes = n - n_key - 3;
            char *copy = mem_calloc(bytes + 1, 1, keys[key].key, err);
            if (copy) memcpy(copy, value + 3, bytes);
            return copy;
        }
        line += n + (line[n] == '\n');
    }
    return NULL;
}
