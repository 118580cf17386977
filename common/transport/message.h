/* message.h - what the coordinator and the workers say to each other.
 *
 * On the wire, little-endian:
 *   u32 magic (with the protocol's version in its last byte), u32 number of
 *   the message, u32 bytes of the fields, then the fields in the order below.
 * Every field has a fixed width but `part`, which is last where it occurs:
 * u32 n and n bytes. No message is longer than MESSAGE_MAX_BYTES; a longer
 * result travels as several RESULT messages. Decoding refuses every
 * truncation, every surplus byte and every other version.
 *
 * Who sends what when, and why it ends: docs/protocol.md. */
#ifndef PATCHSWEEP_COMMON_TRANSPORT_MESSAGE_H
#define PATCHSWEEP_COMMON_TRANSPORT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum {
    MESSAGE_MAGIC = 0x02475350, /* "PSG", version 2 */
    MESSAGE_MAX_BYTES = 32768,
    MESSAGE_NAME_BYTES = 128, /* a host, a CPU type; NUL-terminated */
    MESSAGE_SENTENCE_BYTES = 1024,
    MESSAGE_PART_BYTES = 32512 /* of a result, at most, in one message */
};

/* FIELD(type, name); types: u32, u64, name, sentence, part. */
#define MESSAGE_HELLO_FIELDS(FIELD)                                            \
    FIELD(u64, pid)                                                            \
    FIELD(u32, threads)                                                        \
    FIELD(u64, gemm_flops) /* a second, of a plain matrix product */           \
    FIELD(name, host)                                                          \
    FIELD(name, cpu)                                                           \
    FIELD(name, blas)                                                          \
    FIELD(name, revision)
#define MESSAGE_ASSIGN_FIELDS(FIELD) FIELD(u64, unit)
#define MESSAGE_RESULT_FIELDS(FIELD)                                           \
    FIELD(u64, unit)                                                           \
    FIELD(u64, total_bytes)                                                    \
    FIELD(u32, index)                                                          \
    FIELD(u32, count)                                                          \
    FIELD(part, part)
#define MESSAGE_FAILED_FIELDS(FIELD)                                           \
    FIELD(u64, unit)                                                           \
    FIELD(u32, status)                                                         \
    FIELD(sentence, sentence)
#define MESSAGE_STOP_FIELDS(FIELD) FIELD(u32, reason)
#define MESSAGE_BYE_FIELDS(FIELD)                                              \
    FIELD(u64, units)                                                          \
    FIELD(u64, failed)
/* at_once: another rank cannot be waited for, so not through MPI_Finalize */
#define MESSAGE_LEAVE_FIELDS(FIELD)                                            \
    FIELD(u32, exit_status)                                                    \
    FIELD(u32, at_once)

/* CODE, number on the wire, member, direction, meaning */
#define MESSAGE_LIST(X)                                                        \
    X(HELLO, 1, hello, "worker to coordinator", "a worker is ready")           \
    X(ASSIGN, 2, assign, "coordinator to worker", "compute this unit")         \
    X(RESULT, 3, result, "worker to coordinator",                              \
      "part `index` of `count` of a unit's result (result.h)")                 \
    X(FAILED, 4, failed, "worker to coordinator",                              \
      "the unit cannot be computed, and why")                                  \
    X(STOP, 5, stop, "coordinator to worker", "no more units will come")       \
    X(BYE, 6, bye, "worker to coordinator", "all is sent; totals")             \
    X(LEAVE, 7, leave, "coordinator to worker", "the run is over: exit")

enum message_kind {
#define MESSAGE_ENUM(code, number, member, direction, meaning)                 \
    MESSAGE_##code = number,
    MESSAGE_LIST(MESSAGE_ENUM)
#undef MESSAGE_ENUM
};

/* The C types of the fields. */
#define MESSAGE_C_u32(name)      uint32_t name;
#define MESSAGE_C_u64(name)      uint64_t name;
#define MESSAGE_C_name(name)     char name[MESSAGE_NAME_BYTES];
#define MESSAGE_C_sentence(name) char name[MESSAGE_SENTENCE_BYTES];
#define MESSAGE_C_part(name)                                                   \
    uint32_t name##_bytes;                                                     \
    unsigned char name[MESSAGE_PART_BYTES];
#define MESSAGE_MEMBER(type, name) MESSAGE_C_##type(name)

/* struct message_hello { uint64_t pid; uint32_t threads; ... } and so on. */
#define MESSAGE_STRUCT(code, number, member, direction, meaning)               \
    struct message_##member {                                                  \
        MESSAGE_##code##_FIELDS(MESSAGE_MEMBER)                                \
    };
MESSAGE_LIST(MESSAGE_STRUCT)
#undef MESSAGE_STRUCT

struct message {
    enum message_kind kind;
    union {
#define MESSAGE_UNION(code, number, member, direction, meaning)                \
    struct message_##member member;
        MESSAGE_LIST(MESSAGE_UNION)
#undef MESSAGE_UNION
    } as;
};

/* Append the message's bytes to out (check buf_check there). Texts are cut to
 * their field and NUL-padded. */
void message_encode(struct buf *out, const struct message *message);

/* n bytes back into *out. STATUS_MPI where they are no message of this
 * version, or too few or too many. */
enum status message_decode(struct message *out, const void *data, size_t n,
                           struct err *err) WARN_UNUSED;

/* "HELLO"; "?" for an unknown number. */
const char *message_name(enum message_kind kind);

/* Put part number index of the n_bytes of a result into *out, which becomes a
 * RESULT; message_parts says how many there are (at least one). */
uint32_t message_parts(size_t n_bytes);
void message_fill_part(struct message *out, uint64_t unit, const void *data,
                       size_t n_bytes, uint32_t index);

/* Parts of one result as they arrive, in order, from one worker. */
struct assembly {
    uint64_t unit;
    uint32_t next, count; /* next 0: nothing begun */
    uint64_t total_bytes;
    struct buf bytes; /* owned: assembly_free */
};

/* Add a part; *is_whole where it was the last, then bytes holds the result
 * until the next part is added. A part out of order, of another unit or of
 * another length than announced is STATUS_MPI. */
enum status assembly_add(struct assembly *assembly,
                         const struct message_result *part, bool *is_whole,
                         struct err *err) WARN_UNUSED;
void assembly_free(struct assembly *assembly);

#endif
