#include "cli/options.h"

#include <ctype.h>
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SPECS = 24 };

bool options_parse_bytes(size_t *out, const char *text)
{
    /* As in jobs: G and GiB count 2^30, GB counts 10^9. */
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},        {"K", 0x1p10},
                 {"M", 0x1p20},   {"G", 0x1p30},   {"T", 0x1p40},
                 {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                 {"TiB", 0x1p40}, {"kB", 1e3},     {"KB", 1e3},
                 {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    char *end;
    if (!isdigit((unsigned char)*text) && *text != '.') return false;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) {
            value *= units[i].bytes;
            if (!(value >= 1) || !(value < (double)SIZE_MAX / 2)) return false;
            *out = (size_t)value;
            return true;
        }
    return false;
}

/* [days-]hours:minutes[:seconds], as Slurm writes it. */
static bool parse_clock(double *out, const char *text)
{
    double days = 0, parts[3] = {0};
    int n = 0;
    char *end;
    if (strchr(text, '-')) {
        days = strtod(text, &end);
        if (*end != '-') return false;
        text = end + 1;
    }
    for (; n < 3; n++) {
        if (!isdigit((unsigned char)*text)) return false;
        parts[n] = strtod(text, &end);
        text = end;
        if (*text != ':') break;
        text++;
    }
    if (n == 0 || n == 3 || *text != '\0') return false;
    *out = days * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2];
    return *out > 0;
}

bool options_parse_duration(double *out, const char *text)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    if (!isdigit((unsigned char)*text) && *text != '.') return false;
    if (strchr(text, ':')) return parse_clock(out, text);
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out = value * units[i].seconds;
            return *out > 0 && isfinite(*out);
        }
    return false;
}

static enum status wrong_value(const struct command_line *line,
                               const struct option_spec *spec, const char *text,
                               const char *expected, struct err *err)
{
    return err_set(err, STATUS_USAGE, "%s: --%s %s: expected %s", line->command,
                   spec->name, text, expected);
}

static enum status store(const struct command_line *line,
                         const struct option_spec *spec, const char *text,
                         struct err *err)
{
    char *end = NULL;
    switch (spec->kind) {
    case OPTION_SET:
    case OPTION_HELP:
        *(bool *)spec->out = true;
        return STATUS_OK;
    case OPTION_UNSET:
        *(bool *)spec->out = false;
        return STATUS_OK;
    case OPTION_TEXT:
        *(const char **)spec->out = text;
        return STATUS_OK;
    case OPTION_LIST: {
        struct option_list *list = spec->out;
        if (list->n == OPTION_LIST_MOST)
            return err_set(err, STATUS_USAGE, "%s: more than %d times --%s",
                           line->command, OPTION_LIST_MOST, spec->name);
        list->items[list->n++] = text;
        return STATUS_OK;
    }
    case OPTION_COUNT: {
        long value = strtol(text, &end, 10);
        if (end == text || *end || value < 1 || value > 1000000000)
            return wrong_value(line, spec, text, "a whole number from 1", err);
        *(int *)spec->out = (int)value;
        return STATUS_OK;
    }
    case OPTION_NUMBER: {
        double value = strtod(text, &end);
        if (end == text || *end || !(value > 0) || !isfinite(value))
            return wrong_value(line, spec, text, "a number above 0", err);
        *(double *)spec->out = value;
        return STATUS_OK;
    }
    case OPTION_BYTES:
        if (!options_parse_bytes(spec->out, text))
            return wrong_value(line, spec, text, "a size like 8G or 512M", err);
        return STATUS_OK;
    case OPTION_DURATION:
        if (!options_parse_duration(spec->out, text))
            return wrong_value(line, spec, text,
                               "a time like 90, 30m, 1.5h or 12:00:00", err);
        return STATUS_OK;
    }
    return STATUS_OK;
}

static bool takes_value(const struct option_spec *spec)
{
    return spec->kind != OPTION_SET && spec->kind != OPTION_UNSET &&
           spec->kind != OPTION_HELP;
}

/* The tables of getopt_long from ours. */
static void translate(const struct command_line *line, struct option *options,
                      char *letters)
{
    /* "+": nothing is moved; we step over arguments ourselves. ":": tell a
     * missing value from an unknown option. */
    *letters++ = '+';
    *letters++ = ':';
    for (int i = 0; i < line->n_specs; i++) {
        const struct option_spec *spec = &line->specs[i];
        options[i] = (struct option){
            .name = spec->name,
            .has_arg = takes_value(spec) ? required_argument : no_argument,
            .val = 256 + i};
        if (!spec->letter) continue;
        *letters++ = spec->letter;
        if (takes_value(spec)) *letters++ = ':';
    }
    options[line->n_specs] = (struct option){0};
    *letters = '\0';
}

static const struct option_spec *find_spec(const struct command_line *line,
                                           int code)
{
    if (code >= 256) return &line->specs[code - 256];
    for (int i = 0; i < line->n_specs; i++)
        if (line->specs[i].letter == code) return &line->specs[i];
    return NULL;
}

static enum status check_count(const struct command_line *line, int n,
                               struct err *err)
{
    if (n >= line->least) return STATUS_OK;
    return err_set(err, STATUS_USAGE, "%s: %s is missing (--help tells more)",
                   line->command, line->names[n]);
}

enum status options_parse(const struct command_line *line, int argc,
                          char **argv, const char **values, struct err *err)
{
    struct option options[MOST_SPECS + 1];
    char letters[2 * MOST_SPECS + 3];
    int n = 0;
    translate(line, options, letters);
    for (int i = 0; i < line->most; i++)
        values[i] = NULL;
    opterr = 0;
    optind = 1;
    while (optind < argc) {
        int at = optind;
        int code = getopt_long(argc, argv, letters, options, NULL);
        if (code == -1) {
            if (optind >= argc) break;
            if (n == line->most)
                return err_set(err, STATUS_USAGE,
                               "%s: unexpected argument '%s' (--help tells "
                               "more)",
                               line->command, argv[optind]);
            values[n++] = argv[optind++];
            continue;
        }
        if (code == ':')
            return err_set(err, STATUS_USAGE, "%s: %s needs a value",
                           line->command, argv[at]);
        const struct option_spec *spec =
            code == '?' ? NULL : find_spec(line, code);
        if (!spec)
            return err_set(err, STATUS_USAGE,
                           "%s: unknown option %s (--help tells more)",
                           line->command, argv[at]);
        if (store(line, spec, optarg, err)) return err->status;
        if (spec->kind == OPTION_HELP) return STATUS_OK;
    }
    return check_count(line, n, err);
}
