/* canonical_parts.c - the pieces of a sweep's text. */
#include "common/job/canonical_parts.h"

#include <math.h>
#include <string.h>

#include "common/job/job_parts.h"

void canonical_text(struct buf *out, const char *text, size_t n)
{
    buf_u8(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\u%04x", c);
        else
            buf_u8(out, c);
    }
    buf_u8(out, '"');
}

void canonical_string(struct buf *out, const char *text)
{
    canonical_text(out, text, strlen(text));
}

void canonical_number(struct buf *out, double number)
{
    if (isinf(number))
        buf_printf(out, "%s.inf", number < 0 ? "-" : "");
    else
        buf_printf(out, "%.17g", number);
}

void canonical_doc(struct buf *out, const struct doc *doc)
{
    switch (doc->kind) {
    case DOC_NULL:
        buf_printf(out, "null");
        break;
    case DOC_BOOL:
        buf_printf(out, doc->boolean ? "true" : "false");
        break;
    case DOC_INT:
        buf_printf(out, "%lld", (long long)doc->integer);
        break;
    case DOC_FLOAT:
        canonical_number(out, doc->number);
        break;
    case DOC_STRING:
        canonical_text(out, doc->text, doc->text_bytes);
        break;
    case DOC_LIST:
    case DOC_MAP:
        buf_u8(out, doc->kind == DOC_LIST ? '[' : '{');
        for (size_t i = 0; i < doc->n; i++) {
            if (i) buf_printf(out, ", ");
            if (doc->keys) {
                canonical_text(out, doc->keys[i].text, doc->keys[i].text_bytes);
                buf_printf(out, ": ");
            }
            canonical_doc(out, &doc->items[i]);
        }
        buf_u8(out, doc->kind == DOC_LIST ? ']' : '}');
        break;
    }
}

void canonical_file(struct canonical *w, const char *path)
{
    if (w->is_full) {
        canonical_string(w->out, path);
        return;
    }
    const struct input *input = inputs_get(w->inputs, path, MOST_PAIRS, w->err);
    char hex[DIGEST_HEX] = "";
    if (input) digest_hex(hex, &input->digest);
    buf_printf(w->out, "\"sha256:%s\"", hex);
}

void canonical_subset(struct buf *out, const char *key,
                      const struct subset *subset)
{
    if (!subset->is_given) return;
    buf_printf(out, ", \"%s\": [", key);
    for (int i = 0; i < subset->n; i++)
        buf_printf(out, "%s%d", i ? ", " : "", subset->values[i]);
    buf_u8(out, ']');
}

void canonical_place_list(struct buf *out, const struct places *places)
{
    buf_u8(out, '[');
    for (int i = 0; i < places->n; i++) {
        if (i) buf_printf(out, ", ");
        if (places->items[i].label)
            canonical_string(out, places->items[i].label);
        else
            buf_printf(out, "%d", places->items[i].index);
    }
    buf_u8(out, ']');
}

void canonical_places(struct buf *out, const char *key,
                      const struct places *places)
{
    if (!places->is_given) return;
    buf_printf(out, ", \"%s\": ", key);
    canonical_place_list(out, places);
}

static void write_tuples(struct canonical *w, const struct sweep *sweep)
{
    if (!sweep->tuples) return;
    if (sweep->index_file) {
        buf_printf(w->out, ", \"index\": ");
        canonical_file(w, sweep->index_file);
        return;
    }
    bool is_head = sweep->tuple_columns & 1u << AXIS_HEAD;
    buf_printf(w->out, ", \"%s\": [", is_head ? "heads" : "neurons");
    for (int i = 0; i < sweep->n_tuples; i++) {
        const struct cell_tuple *tuple = &sweep->tuples[i];
        buf_printf(w->out, "%s\"L%d%c%d\"", i ? ", " : "", tuple->layer,
                   is_head ? 'H' : 'N', is_head ? tuple->head : tuple->neuron);
    }
    buf_u8(w->out, ']');
}

void canonical_by(struct buf *out, const bool *by, bool is_list)
{
    bool is_first = true;
    buf_printf(out, ", \"by\": [");
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        bool is_own = axis == AXIS_COMPONENT_GROUP || axis == AXIS_DRAW ||
                      axis == AXIS_SCALE;
        if (!by[axis] || is_own || (axis == AXIS_CELL && !is_list)) continue;
        buf_printf(out, "%s\"%s\"", is_first ? "" : ", ",
                   axis_name((enum axis)axis));
        is_first = false;
    }
    buf_u8(out, ']');
}

void canonical_subsets(struct canonical *w, const struct sweep *sweep)
{
    struct buf *out = w->out;
    canonical_subset(out, "layers", &sweep->layers);
    canonical_places(out, "positions", &sweep->positions);
    canonical_places(out, "labels", &sweep->labels);
    canonical_subset(out, "heads", &sweep->heads);
    canonical_places(out, "dest", &sweep->dest);
    canonical_places(out, "src", &sweep->src);
    canonical_subset(out, "neurons", &sweep->neurons);
    canonical_subset(out, "dims", &sweep->dims);
    write_tuples(w, sweep);
}

void canonical_path(struct canonical *w, const struct sweep *sweep)
{
    const struct path *path = sweep->path;
    struct buf *out = w->out;
    const char *comma = "";
    canonical_by(out, sweep->by, false);
    buf_printf(out,
               ", \"path\": {\"kind\": \"%s\", \"send\": {\"site\": \"%s\"",
               path_kind_name(path->kind), site_name(sweep->site));
    if (!sweep->tuples) canonical_by(out, path->send_by, false);
    canonical_subsets(w, sweep);
    buf_printf(out, "}, \"receive\": {\"site\": [");
    for (int site = 0; site < PATH_SITE_COUNT; site++) {
        if (!path->receive_sites[site]) continue;
        buf_printf(out, "%s\"%s\"", comma,
                   path_site_name((enum path_site)site));
        comma = ", ";
    }
    buf_u8(out, ']');
    if (path->receive->site != SITE_COUNT) {
        if (!path->receive->tuples) canonical_by(out, path->receive->by, false);
        canonical_subsets(w, path->receive);
    }
    buf_printf(out, "}}");
}
