#include "common/job/subset.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { MOST_INDEX = 1 << 24, MOST_VALUES = 1 << 20, MOST_TUPLES = 1 << 24 };

/* Digits at *text, which is moved beyond them; false where there are none or
 * the number is larger than any index. */
static bool take_number(const char **text, int *out)
{
    int value = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = 10 * value + (*at - '0');
        if (value > MOST_INDEX) return false;
    }
    if (at == *text) return false;
    *text = at;
    *out = value;
    return true;
}

/* "3-7" */
static bool take_range(const char *text, int *first, int *last)
{
    if (!take_number(&text, first) || *text++ != '-') return false;
    return take_number(&text, last) && *text == '\0';
}

bool place_is_label(const char *text)
{
    if (!text[0] || strlen(text) > 64) return false;
    return strspn(text, "+-.0123456789") != strlen(text);
}

void subset_free(struct subset *subset)
{
    free(subset->values);
    *subset = (struct subset){0};
}

static int by_value(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

/* The first and last number an item stands for. */
static enum status read_numbers(const struct reading *r, const struct doc *doc,
                                const char *key, const char *expected,
                                int *first, int *last)
{
    if (doc->kind == DOC_INT && doc->integer >= 0 &&
        doc->integer <= MOST_INDEX) {
        *first = *last = (int)doc->integer;
        return STATUS_OK;
    }
    if (doc->kind != DOC_STRING || !take_range(doc->text, first, last))
        return reading_expect(r, doc, key, expected);
    if (*last < *first)
        return reading_fail(r, doc, key, "the range %s ends before it begins",
                            doc->text);
    return STATUS_OK;
}

enum status subset_read(const struct reading *r, const struct doc *doc,
                        const char *key, struct subset *out)
{
    if (!doc || r->err->status) return r->err->status;
    size_t capacity = 0;
    out->is_given = true;
    for (size_t i = 0; i < reading_n_items(doc); i++) {
        int first, last;
        if (read_numbers(r, reading_item(doc, i), key,
                         "whole numbers of at least 0 and ranges such as 0-3",
                         &first, &last))
            return r->err->status;
        if (last - first >= MOST_VALUES - out->n)
            return reading_fail(r, doc, key, "more than %d values",
                                MOST_VALUES);
        if (mem_grow(&out->values, &capacity,
                     (size_t)out->n + (size_t)(last - first) + 1,
                     sizeof *out->values, key, r->err))
            return r->err->status;
        for (int value = first; value <= last; value++)
            out->values[out->n++] = value;
    }
    if (out->n == 0)
        return reading_fail(r, doc, key,
                            "the list is empty: nothing is left "
                            "to edit; leave the key out for all");
    qsort(out->values, (size_t)out->n, sizeof *out->values, by_value);
    int n = 1;
    for (int i = 1; i < out->n; i++)
        if (out->values[i] != out->values[i - 1])
            out->values[n++] = out->values[i];
    out->n = n;
    return STATUS_OK;
}

void places_free(struct places *places)
{
    for (int i = 0; i < places->n; i++)
        free(places->items[i].label);
    free(places->items);
    *places = (struct places){0};
}

/* Append a place unless the list has it. */
static enum status add_place(const struct reading *r, struct places *out,
                             const char *label, int index)
{
    for (int i = 0; i < out->n; i++) {
        const struct place *item = &out->items[i];
        if (label ? item->label && strcmp(item->label, label) == 0
                  : !item->label && item->index == index)
            return STATUS_OK;
    }
    size_t capacity = (size_t)out->n;
    if (mem_grow(&out->items, &capacity, (size_t)out->n + 1, sizeof *out->items,
                 "positions", r->err))
        return r->err->status;
    struct place *item = &out->items[out->n];
    *item = (struct place){.index = index};
    if (label && !(item->label = mem_strdup(label, r->err)))
        return r->err->status;
    out->n++;
    return STATUS_OK;
}

enum status places_read(const struct reading *r, const struct doc *doc,
                        const char *key, bool labels_only, struct places *out)
{
    enum { MOST_PLACES = 1 << 12 };
    if (!doc || r->err->status) return r->err->status;
    const char *expected = labels_only ? "labels"
                                       : "positions (negative from the end), "
                                         "ranges such as 0-3, and labels";
    out->is_given = true;
    for (size_t i = 0; i < reading_n_items(doc); i++) {
        const struct doc *item = reading_item(doc, i);
        int first = 0, last = -1;
        if (item->kind == DOC_STRING && place_is_label(item->text) &&
            strlen(item->text) == item->text_bytes) {
            (void)add_place(r, out, item->text, 0);
        } else if (labels_only) {
            (void)reading_expect(r, item, key, expected);
        } else if (item->kind == DOC_INT && item->integer < 0 &&
                   item->integer >= -MOST_INDEX) {
            first = last = (int)item->integer;
        } else {
            (void)read_numbers(r, item, key, expected, &first, &last);
        }
        if (!r->err->status && last - first >= MOST_PLACES - out->n)
            (void)reading_fail(r, doc, key, "more than %d positions",
                               MOST_PLACES);
        for (int at = first; !r->err->status && at <= last; at++)
            (void)add_place(r, out, NULL, at);
        if (r->err->status) return r->err->status;
    }
    if (out->n == 0)
        return reading_fail(r, doc, key,
                            "the list is empty: nothing is left "
                            "to edit; leave the key out for all");
    return STATUS_OK;
}

void tuples_free(struct sweep *sweep)
{
    for (int i = 0; i < sweep->n_tuples; i++)
        free(sweep->tuples[i].label);
    free(sweep->tuples);
    sweep->tuples = NULL;
    sweep->n_tuples = 0;
}

/* L9H9 */
static bool take_tuple(const struct doc *doc, char letter, int *layer,
                       int *number)
{
    const char *at = doc->text;
    if (doc->kind != DOC_STRING || *at++ != 'L') return false;
    return take_number(&at, layer) && *at++ == letter &&
           take_number(&at, number) && *at == '\0';
}

bool tuples_are_given(const struct doc *doc, char letter)
{
    int layer, number;
    for (size_t i = 0; doc && i < reading_n_items(doc); i++)
        if (take_tuple(reading_item(doc, i), letter, &layer, &number))
            return true;
    return false;
}

static int by_columns(const void *a, const void *b)
{
    const struct cell_tuple *left = a, *right = b;
    const int of_left[] = {left->layer, left->position, left->head, left->dest,
                           left->src,   left->neuron,   left->dim};
    const int of_right[] = {right->layer, right->position, right->head,
                            right->dest,  right->src,      right->neuron,
                            right->dim};
    for (size_t i = 0; i < sizeof of_left / sizeof *of_left; i++)
        if (of_left[i] != of_right[i]) return of_left[i] < of_right[i] ? -1 : 1;
    if (!left->label || !right->label) return 0;
    return strcmp(left->label, right->label);
}

/* Refuse a cell that stands in the list twice. */
static enum status check_distinct(const struct reading *r,
                                  const struct doc *doc, const char *key,
                                  const struct sweep *sweep)
{
    if (sweep->n_tuples == 0)
        return reading_fail(r, doc, key, "the list of cells is empty");
    size_t n = (size_t)sweep->n_tuples;
    struct cell_tuple *sorted = mem_calloc(n, sizeof *sorted, "cells", r->err);
    if (!sorted) return r->err->status;
    memcpy(sorted, sweep->tuples, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_columns);
    for (size_t i = 1; i < n && !r->err->status; i++)
        if (by_columns(&sorted[i - 1], &sorted[i]) == 0)
            (void)reading_fail(r, doc, key,
                               "a cell of layer %d stands in the list twice",
                               sorted[i].layer);
    free(sorted);
    return r->err->status;
}

static const struct cell_tuple no_columns = {-1, -1, -1, -1, -1, -1, -1, NULL};

enum status tuples_read(const struct reading *r, const struct doc *doc,
                        const char *key, char letter, struct sweep *sweep)
{
    if (r->err->status) return r->err->status;
    size_t n = reading_n_items(doc);
    if (n > MOST_TUPLES)
        return reading_fail(r, doc, key, "more than %d cells", MOST_TUPLES);
    sweep->tuples = mem_calloc(n, sizeof *sweep->tuples, "cells", r->err);
    if (!sweep->tuples) return r->err->status;
    enum axis axis = letter == 'H' ? AXIS_HEAD : AXIS_NEURON;
    sweep->tuple_columns = 1u << AXIS_LAYER | 1u << axis;
    for (size_t i = 0; i < n; i++) {
        const struct doc *item = reading_item(doc, i);
        struct cell_tuple *tuple = &sweep->tuples[i];
        int number;
        *tuple = no_columns;
        if (!take_tuple(item, letter, &tuple->layer, &number)) {
            char expected[80];
            snprintf(expected, sizeof expected,
                     "only cells such as L9%c9, or only numbers and ranges",
                     letter);
            return reading_expect(r, item, key, expected);
        }
        *(letter == 'H' ? &tuple->head : &tuple->neuron) = number;
        sweep->n_tuples++;
    }
    return check_distinct(r, doc, key, sweep);
}

/* One field of a line: up to a comma or the end, without spaces around it
 * and without the quotes of a quoted one. */
static char *take_field(char **line)
{
    char *field = *line;
    char *comma = strchr(field, ',');
    *line = comma ? comma + 1 : NULL;
    if (comma) *comma = '\0';
    field += strspn(field, " \t");
    size_t n = strlen(field);
    while (n && strchr(" \t\r", field[n - 1]))
        n--;
    if (n >= 2 && field[0] == '"' && field[n - 1] == '"') {
        field++;
        n -= 2;
    }
    field[n] = '\0';
    return field;
}

/* Where a column's numbers stand in a tuple. */
static int *column_of(struct cell_tuple *tuple, enum axis axis)
{
    switch (axis) {
    case AXIS_LAYER:
        return &tuple->layer;
    case AXIS_POSITION:
        return &tuple->position;
    case AXIS_HEAD:
        return &tuple->head;
    case AXIS_DEST:
        return &tuple->dest;
    case AXIS_SRC:
        return &tuple->src;
    case AXIS_NEURON:
        return &tuple->neuron;
    case AXIS_DIM:
        return &tuple->dim;
    default:
        return NULL;
    }
}

static enum status read_header(const struct reading *r, char *line,
                               enum axis columns[AXIS_COUNT], int *n_columns,
                               struct sweep *sweep)
{
    const char *names[AXIS_CELL];
    for (int axis = 0; axis < AXIS_CELL; axis++)
        names[axis] = axis_name((enum axis)axis);
    while (line) {
        const struct doc name = {.kind = DOC_STRING, .text = take_field(&line)};
        int axis;
        if (reading_choice(r, &name, "column", names, AXIS_CELL, &axis))
            return r->err->status;
        if (sweep->tuple_columns & 1u << axis)
            return reading_fail(r, NULL, names[axis],
                                "the column is given twice");
        sweep->tuple_columns |= 1u << axis;
        columns[(*n_columns)++] = (enum axis)axis;
    }
    return STATUS_OK;
}

static enum status read_row(const struct reading *r, char *line,
                            const enum axis columns[AXIS_COUNT], int n_columns,
                            struct cell_tuple *out)
{
    *out = no_columns;
    for (int i = 0; i < n_columns; i++) {
        const char *name = axis_name(columns[i]);
        if (!line)
            return reading_fail(r, NULL, NULL,
                                "found %d fields, expected %d as in line 1", i,
                                n_columns);
        const char *field = take_field(&line);
        const char *end = field;
        int *number = column_of(out, columns[i]);
        if (number && (!take_number(&end, number) || *end))
            return reading_fail(r, NULL, name,
                                "found '%.40s', expected a whole number of at "
                                "least 0",
                                field);
        if (!number && !place_is_label(field))
            return reading_fail(r, NULL, name,
                                "found '%.40s', expected a label", field);
        if (!number && !(out->label = mem_strdup(field, r->err)))
            return r->err->status;
    }
    if (line)
        return reading_fail(r, NULL, NULL,
                            "found more than the %d fields of line 1",
                            n_columns);
    return STATUS_OK;
}

enum status tuples_read_csv(const struct reading *r, const struct doc *doc,
                            const struct input *file, struct sweep *sweep)
{
    struct reading at = {.file = file->path, .err = r->err};
    enum axis columns[AXIS_COUNT];
    int n_columns = 0;
    size_t capacity = 0;
    if (strlen((const char *)file->data) != file->n)
        return reading_fail(&at, NULL, NULL, "a NUL character stands in it");
    char *text = mem_strdup((const char *)file->data, r->err);
    for (char *line = text; line && !r->err->status;) {
        char *next = strchr(line, '\n');
        if (next) *next++ = '\0';
        at.line++;
        if (n_columns == 0) {
            (void)read_header(&at, line, columns, &n_columns, sweep);
        } else if (line[strspn(line, " \t\r")]) {
            if (sweep->n_tuples == MOST_TUPLES)
                (void)reading_fail(&at, NULL, NULL, "more than %d cells",
                                   MOST_TUPLES);
            if (!r->err->status &&
                !mem_grow(&sweep->tuples, &capacity,
                          (size_t)sweep->n_tuples + 1, sizeof *sweep->tuples,
                          "cells", r->err))
                (void)read_row(&at, line, columns, n_columns,
                               &sweep->tuples[sweep->n_tuples++]);
        }
        line = next;
    }
    free(text);
    if (r->err->status) return r->err->status;
    return check_distinct(r, doc, "index", sweep);
}
