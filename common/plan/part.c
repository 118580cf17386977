#include "common/plan/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"

static const char magic[8] = "PSPARTS1";

struct part {
    FILE *file;
    char *out, *path, *temporary; /* owned */
    const struct plan *plan;
    struct unit unit;
    uint64_t bytes;
    uint32_t crc;        /* of everything */
    uint32_t values_crc; /* of the values alone */
    uint32_t piece_crc;
    int error_number; /* of the first write that failed */
};

char *part_folder(const char *out, struct err *err)
{
    return file_join(out, "parts", err);
}

char *part_path(const char *out, uint64_t unit, struct err *err)
{
    char name[48];
    snprintf(name, sizeof name, "parts/%llu.part", (unsigned long long)unit);
    return file_join(out, name, err);
}

static enum status make_header(unsigned char header[PART_HEADER_BYTES],
                               const struct plan *plan, const struct unit *unit,
                               struct err *err)
{
    struct digest key;
    struct buf out = {0};
    if (plan_unit_key(&key, plan, unit, err)) return err->status;
    buf_bytes(&out, magic, sizeof magic);
    buf_u64(&out, unit->number);
    buf_u64(&out, unit->first_cell);
    buf_u64(&out, unit->n_cells);
    buf_bytes(&out, &key, sizeof key);
    if (buf_check(&out, "a part", err)) goto out;
    buf_u32(&out, crc32_of(0, out.data, out.n));
    if (buf_check(&out, "a part", err)) goto out;
    memcpy(header, out.data, PART_HEADER_BYTES);
out:
    buf_free(&out);
    return err->status;
}

static void put(struct part *part, const void *data, size_t bytes)
{
    if (part->error_number || bytes == 0) return;
    if (fwrite(data, 1, bytes, part->file) != bytes)
        part->error_number = errno ? errno : EIO;
    part->crc = crc32_of(part->crc, data, bytes);
    part->bytes += bytes;
}

static void put_crc(struct part *part, uint32_t crc)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(crc >> (8 * i));
    put(part, bytes, sizeof bytes);
}

void part_put(struct part *part, const void *data, size_t bytes)
{
    part->piece_crc = crc32_of(part->piece_crc, data, bytes);
    part->values_crc = crc32_of(part->values_crc, data, bytes);
    put(part, data, bytes);
}

void part_end_piece(struct part *part)
{
    put_crc(part, part->piece_crc);
    part->piece_crc = 0;
}

/* A name beside the part that no other process uses, and an open file. */
static FILE *open_temporary(struct part *part, struct err *err)
{
    struct buf name = {0};
    char host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    buf_printf(&name, "%s.tmp.%s.%ld", part->path, host, (long)getpid());
    part->temporary = buf_take_text(&name);
    buf_free(&name);
    if (!part->temporary) {
        (void)err_set(err, STATUS_MEMORY, "no memory for a part");
        return NULL;
    }
    unlink(part->temporary); /* of a killed process that had the same id */
    int fd =
        open(part->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!file)
        (void)err_set_errno(err, STATUS_IO, errno, "cannot create %s",
                            part->temporary);
    if (!file && fd >= 0) close(fd);
    return file;
}

struct part *part_create(const char *out, const struct plan *plan,
                         const struct unit *unit, struct err *err)
{
    unsigned char header[PART_HEADER_BYTES];
    char *folder = part_folder(out, err);
    struct part *part = mem_calloc(1, sizeof *part, "a part", err);
    if (!part || !folder || file_make_folder(folder, err)) goto failed;
    part->plan = plan;
    part->unit = *unit;
    part->out = mem_strdup(out, err);
    part->path = part_path(out, unit->number, err);
    if (!part->out || !part->path || make_header(header, plan, unit, err))
        goto failed;
    part->file = open_temporary(part, err);
    if (!part->file) goto failed;
    put(part, header, sizeof header);
    free(folder);
    return part;
failed:
    free(folder);
    part_abandon(part);
    return NULL;
}

void part_abandon(struct part *part)
{
    if (!part) return;
    if (part->file) (void)fclose(part->file);
    if (part->file && part->temporary) unlink(part->temporary);
    free(part->out);
    free(part->path);
    free(part->temporary);
    free(part);
}

static int sync_and_close(struct part *part)
{
    int error_number = 0;
    if (fflush(part->file) != 0 || fsync(fileno(part->file)) != 0)
        error_number = errno;
    if (fclose(part->file) != 0 && !error_number) error_number = errno;
    part->file = NULL;
    return error_number;
}

enum status part_finish(struct part *part, uint64_t *bytes, uint32_t *crc,
                        struct err *err)
{
    char *folder = part_folder(part->out, err);
    *crc = part->values_crc;
    put_crc(part, part->values_crc);
    put_crc(part, part->crc);
    *bytes = part->bytes;
    int error_number = sync_and_close(part);
    if (part->error_number) error_number = part->error_number;
    if (!folder) goto failed;
    if (error_number) {
        (void)err_set_errno(err, STATUS_IO, error_number, "cannot write %s",
                            part->path);
        goto failed;
    }
    /* Another worker may have been given the unit too. What it reported is
     * recorded: its part stays, so that size and CRC are true. */
    if (part_is_there(part->out, part->plan, &part->unit, bytes, crc)) {
        unlink(part->temporary);
    } else if (rename(part->temporary, part->path) != 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot rename %s to %s",
                            part->temporary, part->path);
        goto failed;
    }
    (void)(file_sync_folder(folder, err) == 0);
    free(folder);
    part_abandon(part);
    return err->status;
failed:
    if (part->temporary) unlink(part->temporary);
    free(folder);
    part_abandon(part);
    return err->status;
}

static uint32_t crc_at(const unsigned char bytes[4])
{
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++)
        crc |= (uint32_t)bytes[i] << (8 * i);
    return crc;
}

bool part_is_there(const char *out, const struct plan *plan,
                   const struct unit *unit, uint64_t *bytes, uint32_t *crc)
{
    enum { WINDOW = 1 << 16 };
    unsigned char header[PART_HEADER_BYTES], end[PART_END_BYTES];
    struct err err = {0};
    struct stat info;
    bool is_whole = false;
    char *path = part_path(out, unit->number, &err);
    FILE *file = path ? fopen(path, "rb") : NULL;
    unsigned char *window = mem_calloc(WINDOW, 1, "a part", &err);
    if (!file || !window || make_header(header, plan, unit, &err) ||
        fstat(fileno(file), &info) != 0 ||
        info.st_size < PART_HEADER_BYTES + PART_END_BYTES)
        goto out;
    uint64_t left = (uint64_t)info.st_size - PART_END_BYTES;
    uint32_t seen = 0;
    bool is_first = true;
    while (left > 0) {
        size_t n = left < WINDOW ? (size_t)left : WINDOW;
        if (fread(window, 1, n, file) != n) goto out;
        if (is_first && memcmp(window, header, sizeof header) != 0) goto out;
        is_first = false;
        seen = crc32_of(seen, window, n);
        left -= n;
    }
    if (fread(end, 1, sizeof end, file) != sizeof end) goto out;
    is_whole = crc_at(end + 4) == crc32_of(seen, end, 4);
    if (is_whole) {
        *bytes = (uint64_t)info.st_size;
        *crc = crc_at(end);
    }
out:
    if (file) (void)fclose(file);
    free(window);
    free(path);
    return is_whole;
}

static bool read_all(int fd, uint64_t offset, void *data, size_t n)
{
    unsigned char *to = data;
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = EIO; /* shorter than it was */
        if (got <= 0) return false;
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

enum status part_open(struct part_reader *reader, const char *out,
                      const struct plan *plan, const struct unit *unit,
                      uint64_t bytes, bool *is_absent, struct err *err)
{
    unsigned char expected[PART_HEADER_BYTES], header[PART_HEADER_BYTES];
    struct stat info;
    *reader = (struct part_reader){.fd = -1};
    *is_absent = false;
    reader->path = part_path(out, unit->number, err);
    if (!reader->path || make_header(expected, plan, unit, err)) goto failed;
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (reader->fd < 0 && errno == ENOENT) {
        *is_absent = true;
        part_close(reader);
        return STATUS_OK;
    }
    if (reader->fd < 0 || fstat(reader->fd, &info) != 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot open %s",
                            reader->path);
        goto failed;
    }
    if ((uint64_t)info.st_size != bytes ||
        !read_all(reader->fd, 0, header, sizeof header) ||
        memcmp(header, expected, sizeof header) != 0) {
        (void)err_set(err, STATUS_DAMAGED,
                      "%s (%lld bytes) is not the part of %llu bytes that "
                      "unit %llu wrote: delete it and run again",
                      reader->path, (long long)info.st_size,
                      (unsigned long long)bytes,
                      (unsigned long long)unit->number);
        goto failed;
    }
    return STATUS_OK;
failed:
    part_close(reader);
    return err->status;
}

enum status part_read(const struct part_reader *reader, uint64_t offset,
                      void *data, size_t n, struct err *err)
{
    unsigned char crc[PART_CRC_BYTES];
    if (!read_all(reader->fd, offset, data, n) ||
        !read_all(reader->fd, offset + n, crc, sizeof crc))
        return err_set_errno(err, STATUS_IO, errno, "cannot read %s",
                             reader->path);
    if (crc_at(crc) != crc32_of(0, data, n))
        return err_set(err, STATUS_DAMAGED,
                       "%s: damaged at offset %llu: delete it and run again",
                       reader->path, (unsigned long long)offset);
    return STATUS_OK;
}

void part_close(struct part_reader *reader)
{
    if (reader->fd >= 0) close(reader->fd);
    free(reader->path);
    *reader = (struct part_reader){.fd = -1};
}
