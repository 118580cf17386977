#include "common/plan/reach.h"

#include "common/plan/plan.h"

struct contrast contrast_of(const struct prompt *base,
                            const struct prompt *source)
{
    struct contrast contrast = {.base = base, .source = source};
    int n =
        base->n_tokens < source->n_tokens ? base->n_tokens : source->n_tokens;
    while (contrast.first < n &&
           base->tokens[contrast.first] == source->tokens[contrast.first])
        contrast.first++;
    return contrast;
}

static bool token_differs(const struct contrast *contrast, int at)
{
    return at >= contrast->base->n_tokens || at >= contrast->source->n_tokens ||
           contrast->base->tokens[at] != contrast->source->tokens[at];
}

/* Whether there is any noise up to a site. */
static bool has_noise(const struct contrast *contrast, enum site site,
                      int layer)
{
    return contrast->noised.n > 0 &&
           (contrast->noise_site == SITE_EMBED || layer > 0 ||
            site >= contrast->noise_site);
}

/* Whether two rows differ before the first attention. */
static bool input_differs(const struct contrast *contrast, enum site site,
                          int at)
{
    bool is_noised = false;
    for (int i = 0; has_noise(contrast, site, 0) && i < contrast->noised.n; i++)
        if (contrast->noised.at[i] == at) is_noised = true;
    return is_noised || token_differs(contrast, at);
}

bool contrast_differs(const struct contrast *contrast, enum site site,
                      int layer, int row, const int *columns, int n_columns)
{
    bool is_before_attention = layer == 0 && site <= SITE_V;
    int first = contrast->first;
    if (site == SITE_EMBED || is_before_attention)
        return input_differs(contrast, site, row);
    if (has_noise(contrast, site, layer) && contrast->noised.at[0] < first)
        first = contrast->noised.at[0];
    if (row < first) return false;
    /* a score of the first layer compares two tokens and nothing else */
    if (site == SITE_ATTN_SCORES && layer == 0 && columns &&
        !input_differs(contrast, SITE_V, row)) {
        for (int i = 0; i < n_columns; i++)
            if (columns[i] <= row &&
                input_differs(contrast, SITE_V, columns[i]))
                return true;
        return n_columns < 0;
    }
    return true;
}

bool plan_has_loss(const enum metric *metrics, int n)
{
    for (int i = 0; i < n; i++)
        if (metrics[i] == METRIC_LOSS) return true;
    return false;
}

bool plan_is_read(const struct pair *pair, enum run run, bool has_loss, int at)
{
    if (has_loss && at >= 0 && at < pair->run[run].n_tokens - 1) return true;
    const struct positions *read = &pair->read[run];
    for (int i = 0; i < read->n; i++)
        if (read->at[i] == at) return true;
    return false;
}

int plan_last_read(const struct pair *pair, enum run run, bool has_loss)
{
    const struct positions *read = &pair->read[run];
    int last = read->n ? read->at[read->n - 1] : -1;
    if (has_loss && pair->run[run].n_tokens - 2 > last)
        last = pair->run[run].n_tokens - 2;
    return last;
}

struct reading reading_of(const struct pair *pair, enum run run, bool has_loss)
{
    return (struct reading){pair, run, has_loss,
                            plan_last_read(pair, run, has_loss)};
}

bool reading_has(const struct reading *reading, int row)
{
    return plan_is_read(reading->pair, reading->run, reading->has_loss, row);
}

bool reading_reaches(const struct reading *reading, enum site site, int layer,
                     int n_layer, int row)
{
    if (row > reading->last) return false;
    if (layer < n_layer - 1) return true;
    /* the last block: later rows see this one through its keys and values */
    if (site == SITE_EMBED || site == SITE_RESID_PRE || site == SITE_K ||
        site == SITE_V)
        return true;
    return reading_has(reading, row);
}
