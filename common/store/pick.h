/* pick.h - numbers out of a file by the names of their axes, not their order:
 * "sweeps/z/logit_diff of group 're she, over layer and head". */
#ifndef PATCHSWEEP_COMMON_STORE_PICK_H
#define PATCHSWEEP_COMMON_STORE_PICK_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/doc.h"
#include "common/base/err.h"
#include "common/store/h5.h"

/* What to pick; everything is borrowed. An axis of the variable stands in
 * axes, or in mean, or select leaves one value of it. */
struct pick {
    const char *path;         /* of the variable, with its group */
    const struct doc *axes;   /* list of names: the numbers' order, the last
                               * fastest; NULL: one number */
    const struct doc *mean;   /* list of names of axes to average over, or
                               * NULL */
    const struct doc *select; /* map NAME: value or list of them, or NULL. NAME
                               * is an axis or a variable along one (`group`,
                               * along `pair`); what it equals is kept */
};

struct picked {
    size_t n;
    double *values; /* [n]; owned */
    int n_axes;
    struct {
        const char *name; /* borrowed from the pick */
        size_t n;
        char **labels; /* [n], the coordinates as texts; owned */
    } axes[H5_MAX_DIMS];
};

/* Read and pick; what does not fit the file is STATUS_INPUT. A failure of the
 * file itself is h5's (h5_is_failed), and nothing is picked then. Release
 * with picked_free, also after a failure. */
enum status pick_read(struct picked *out, struct h5 *h5,
                      const struct pick *pick, struct err *err) WARN_UNUSED;
void picked_free(struct picked *picked);

/* Append the place of number i: "layer 7, head 11"; nothing without axes. */
void picked_place(struct buf *out, const struct picked *picked, size_t i);

/* The label of number i along an axis. */
const char *picked_label(const struct picked *picked, int axis, size_t i);

#endif
