/* write_keys.c - print jobs/README.md: its introduction, up to the line
 * "## Every key" and the paragraph below it, from the file as it is, and the
 * tables of keys as the parser has them.
 *
 *   write_keys jobs/README.md > new && mv new jobs/README.md */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/job/job.h"

int main(int argc, char **argv)
{
    struct err err = {0};
    struct buf file = {0}, out = {0};
    if (argc != 2) {
        fprintf(stderr, "write_keys: expected one file\n");
        return 2;
    }
    if (file_read(&file, argv[1], 0, &err)) {
        fprintf(stderr, "write_keys: %s\n", err.message);
        return 1;
    }
    buf_u8(&file, 0);
    const char *text = file.is_failed ? "" : (const char *)file.data;
    const char *tables = strstr(text, "\n### ");
    size_t n = tables ? (size_t)(tables + 1 - text) : strlen(text);
    buf_bytes(&out, text, n);
    job_describe_keys(&out);
    int status = buf_check(&out, "the tables of keys", &err) != STATUS_OK;
    if (!status && fwrite(out.data, 1, out.n, stdout) != out.n) status = 1;
    buf_free(&file);
    buf_free(&out);
    return status;
}
