#include "common/model/weights.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/process.h"
#include "common/model/safetensors.h"

/* Which size of the configuration a dimension is; ONE: there is none. */
enum dim { DIM_ONE, DIM_V, DIM_P, DIM_C, DIM_3C, DIM_F, DIM_COUNT };

/* code, per layer, name (after "h.<layer>." where per layer; empty: in no
 * file, made by processing), rows, columns.
 * The order is the order in the block. */
#define WEIGHT_LIST(X)                                                         \
    X(WEIGHT_WTE, 0, "wte.weight", DIM_V, DIM_C)                               \
    X(WEIGHT_WPE, 0, "wpe.weight", DIM_P, DIM_C)                               \
    X(WEIGHT_LN1_GAIN, 1, "ln_1.weight", DIM_C, DIM_ONE)                       \
    X(WEIGHT_LN1_BIAS, 1, "ln_1.bias", DIM_C, DIM_ONE)                         \
    X(WEIGHT_QKV, 1, "attn.c_attn.weight", DIM_C, DIM_3C)                      \
    X(WEIGHT_QKV_BIAS, 1, "attn.c_attn.bias", DIM_3C, DIM_ONE)                 \
    X(WEIGHT_O, 1, "attn.c_proj.weight", DIM_C, DIM_C)                         \
    X(WEIGHT_O_BIAS, 1, "attn.c_proj.bias", DIM_C, DIM_ONE)                    \
    X(WEIGHT_LN2_GAIN, 1, "ln_2.weight", DIM_C, DIM_ONE)                       \
    X(WEIGHT_LN2_BIAS, 1, "ln_2.bias", DIM_C, DIM_ONE)                         \
    X(WEIGHT_IN, 1, "mlp.c_fc.weight", DIM_C, DIM_F)                           \
    X(WEIGHT_IN_BIAS, 1, "mlp.c_fc.bias", DIM_F, DIM_ONE)                      \
    X(WEIGHT_OUT, 1, "mlp.c_proj.weight", DIM_F, DIM_C)                        \
    X(WEIGHT_OUT_BIAS, 1, "mlp.c_proj.bias", DIM_C, DIM_ONE)                   \
    X(WEIGHT_LNF_GAIN, 0, "ln_f.weight", DIM_C, DIM_ONE)                       \
    X(WEIGHT_LNF_BIAS, 0, "ln_f.bias", DIM_C, DIM_ONE)                         \
    X(WEIGHT_U, 0, "lm_head.weight", DIM_V, DIM_C)                             \
    X(WEIGHT_U_BIAS, 0, "", DIM_V, DIM_ONE)

enum weight {
#define WEIGHT_ENUM(code, per_layer, name, rows, columns) code,
    WEIGHT_LIST(WEIGHT_ENUM)
#undef WEIGHT_ENUM
        WEIGHT_COUNT
};

static const struct {
    bool per_layer;
    const char *name;
    enum dim dims[2];
} table[WEIGHT_COUNT] = {
#define WEIGHT_ROW(code, per_layer, name, rows, columns)                       \
    [code] = {per_layer, name, {rows, columns}},
    WEIGHT_LIST(WEIGHT_ROW)
#undef WEIGHT_ROW
};

/* Buffers of a layer that stand in files beside the weights: the mask. */
static const char *const mask_names[] = {"attn.bias", "attn.masked_bias"};

enum { ALIGN_FLOATS = 16 };

/* Where tensors stand in the block, in floats. */
struct layout {
    size_t at[WEIGHT_COUNT]; /* per layer: of layer 0 */
    size_t layer_floats;
    size_t total;
};

static size_t dim_of(const struct model_config *config, enum dim dim)
{
    const size_t sizes[DIM_COUNT] = {
        [DIM_ONE] = 1,
        [DIM_V] = (size_t)config->n_vocab,
        [DIM_P] = (size_t)config->n_ctx,
        [DIM_C] = (size_t)config->d_model,
        [DIM_3C] = 3 * (size_t)config->d_model,
        [DIM_F] = (size_t)config->d_mlp,
    };
    return sizes[dim];
}

/* Whether the tensor has a place in the block, and whether a file fills it. */
static bool has_weight(const struct model_config *config, enum weight weight)
{
    if (weight == WEIGHT_U) return !config->is_tied || config->is_processed;
    return weight != WEIGHT_U_BIAS || config->is_processed;
}

static bool is_in_files(const struct model_config *config, enum weight weight)
{
    if (weight == WEIGHT_U) return !config->is_tied;
    return weight != WEIGHT_U_BIAS;
}

static bool add(size_t *sum, size_t n)
{
    return !__builtin_add_overflow(*sum, n, sum);
}

static enum status make_layout(struct layout *out,
                               const struct model_config *config,
                               struct err *err)
{
    size_t n_layer = (size_t)config->n_layer, bytes;
    bool fits = true;
    *out = (struct layout){0};
    for (int w = 0; w < WEIGHT_COUNT && fits; w++) {
        size_t floats = 0;
        size_t *end = table[w].per_layer ? &out->layer_floats : &out->total;
        if (has_weight(config, (enum weight)w))
            fits = mem_multiply(&floats, dim_of(config, table[w].dims[0]),
                                dim_of(config, table[w].dims[1]));
        fits = fits && add(&floats, -floats % ALIGN_FLOATS);
        out->at[w] = *end;
        fits = fits && add(end, floats);
    }
    /* the layers stand behind what is not per layer */
    for (int w = 0; w < WEIGHT_COUNT && fits; w++)
        if (table[w].per_layer) fits = add(&out->at[w], out->total);
    size_t layers;
    fits = fits && mem_multiply(&layers, n_layer, out->layer_floats) &&
           add(&out->total, layers) &&
           mem_multiply(&bytes, out->total, sizeof(float));
    if (!fits)
        return err_set(err, STATUS_INPUT,
                       "the weights of this configuration do not fit into "
                       "memory addresses");
    return STATUS_OK;
}

static size_t place_of(const struct layout *layout, enum weight weight,
                       size_t layer)
{
    return layout->at[weight] +
           (table[weight].per_layer ? layer * layout->layer_floats : 0);
}

enum status weights_bytes(size_t *bytes, const struct model_config *config,
                          struct err *err)
{
    struct layout layout;
    *bytes = 0;
    if (make_layout(&layout, config, err)) return err->status;
    *bytes = layout.total * sizeof(float);
    return STATUS_OK;
}

enum status weights_bind(struct weights *out, const struct model_config *config,
                         const void *block, struct err *err)
{
    struct layout layout;
    *out = (struct weights){.config = *config, .block = block};
    if (make_layout(&layout, config, err)) return err->status;
    size_t n_layer = (size_t)config->n_layer;
    out->layer =
        mem_calloc(n_layer, sizeof *out->layer, "the table of layers", err);
    if (!out->layer) return err->status;
    const float *base = block;
    out->wte = base + layout.at[WEIGHT_WTE];
    out->wpe = base + layout.at[WEIGHT_WPE];
    out->lnf_gain = base + layout.at[WEIGHT_LNF_GAIN];
    out->lnf_bias = base + layout.at[WEIGHT_LNF_BIAS];
    out->w_u =
        has_weight(config, WEIGHT_U) ? base + layout.at[WEIGHT_U] : out->wte;
    if (has_weight(config, WEIGHT_U_BIAS))
        out->b_u = base + layout.at[WEIGHT_U_BIAS];
    for (size_t l = 0; l < n_layer; l++) {
        const float *at = base + l * layout.layer_floats;
        out->layer[l] = (struct layer_weights){
            .ln1_gain = at + layout.at[WEIGHT_LN1_GAIN],
            .ln1_bias = at + layout.at[WEIGHT_LN1_BIAS],
            .w_qkv = at + layout.at[WEIGHT_QKV],
            .b_qkv = at + layout.at[WEIGHT_QKV_BIAS],
            .w_o = at + layout.at[WEIGHT_O],
            .b_o = at + layout.at[WEIGHT_O_BIAS],
            .ln2_gain = at + layout.at[WEIGHT_LN2_GAIN],
            .ln2_bias = at + layout.at[WEIGHT_LN2_BIAS],
            .w_in = at + layout.at[WEIGHT_IN],
            .b_in = at + layout.at[WEIGHT_IN_BIAS],
            .w_out = at + layout.at[WEIGHT_OUT],
            .b_out = at + layout.at[WEIGHT_OUT_BIAS],
        };
    }
    return STATUS_OK;
}

void weights_free(struct weights *weights)
{
    free(weights->layer);
    *weights = (struct weights){0};
}

/* What a tensor's name says. */
struct place {
    enum weight weight; /* WEIGHT_COUNT: none of a GPT-2's */
    size_t layer;
    bool is_mask;
};

/* "h.<layer>." at the start of *name: skip it and give the layer. */
static bool skip_layer(const char **name, size_t *layer)
{
    const char *at = *name;
    size_t n_digits = 0;
    if (strncmp(at, "h.", 2) != 0) return false;
    at += 2;
    *layer = 0;
    for (; *at >= '0' && *at <= '9' && n_digits < 9; at++, n_digits++)
        *layer = *layer * 10 + (size_t)(*at - '0');
    bool has_zero = n_digits > 1 && (*name)[2] == '0';
    if (n_digits == 0 || has_zero || *at != '.') return false;
    *name = at + 1;
    return true;
}

static struct place find_place(const char *name)
{
    static const char prefix[] = "transformer.";
    struct place place = {.weight = WEIGHT_COUNT};
    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    size_t layer;
    bool per_layer = skip_layer(&name, &layer);
    if (per_layer) place.layer = layer;
    for (int w = 0; w < WEIGHT_COUNT; w++)
        if (*table[w].name && table[w].per_layer == per_layer &&
            strcmp(table[w].name, name) == 0)
            place.weight = (enum weight)w;
    for (size_t i = 0; i < sizeof mask_names / sizeof *mask_names; i++)
        place.is_mask |= per_layer && strcmp(mask_names[i], name) == 0;
    return place;
}

static enum status check_tensor(const struct safetensors_tensor *tensor,
                                const struct model_config *config,
                                enum weight weight, struct err *err)
{
    uint64_t dims[2];
    size_t n_dims = table[weight].dims[1] == DIM_ONE ? 1 : 2;
    for (size_t i = 0; i < n_dims; i++)
        dims[i] = dim_of(config, table[weight].dims[i]);
    if (tensor->n_dims != n_dims ||
        memcmp(tensor->dims, dims, n_dims * sizeof *dims) != 0) {
        char found[200], expected[200];
        safetensors_print_shape(found, sizeof found, tensor->dims,
                                tensor->n_dims);
        safetensors_print_shape(expected, sizeof expected, dims, n_dims);
        return err_set(err, STATUS_INPUT, "shape %s, expected %s", found,
                       expected);
    }
    if (!safetensors_dtype_is_weight(tensor->dtype))
        return err_set(err, STATUS_INPUT, "dtype %s, expected F32, F16 or BF16",
                       safetensors_dtype_name(tensor->dtype));
    return STATUS_OK;
}

/* Say where each tensor of the files goes: targets[i] in the block, or NULL
 * where it is not used. seen (WEIGHT_COUNT each layer, zeroed) marks them. */
static enum status assign(float **targets, unsigned char *seen, float *block,
                          const struct safetensors *files,
                          const struct layout *layout,
                          const struct model_config *config, struct err *err)
{
    for (size_t i = 0; i < files->n_tensors; i++) {
        const struct safetensors_tensor *tensor = &files->tensors[i];
        struct place place = find_place(tensor->name);
        if (place.layer >= (size_t)config->n_layer)
            return err_set(err, STATUS_INPUT,
                           "tensor %.80s: the configuration has n_layer %d",
                           tensor->name, config->n_layer);
        if (place.is_mask) continue;
        if (place.weight == WEIGHT_COUNT)
            return err_set(err, STATUS_INPUT,
                           "tensor %.80s is none of a GPT-2's", tensor->name);
        if (check_tensor(tensor, config, place.weight, err))
            return err_context(err, "tensor %.80s", tensor->name);
        unsigned char *mark =
            &seen[place.layer * WEIGHT_COUNT + (size_t)place.weight];
        if ((*mark)++)
            return err_set(err, STATUS_INPUT,
                           "tensor %.80s is there twice, with and without the "
                           "prefix transformer.",
                           tensor->name);
        if (is_in_files(config, place.weight))
            targets[i] = block + place_of(layout, place.weight, place.layer);
    }
    for (size_t l = 0; l < (size_t)config->n_layer; l++)
        for (int w = 0; w < WEIGHT_COUNT; w++) {
            if (seen[l * WEIGHT_COUNT + (size_t)w] ||
                (!table[w].per_layer && l > 0) ||
                !is_in_files(config, (enum weight)w))
                continue;
            if (table[w].per_layer)
                return err_set(err, STATUS_INPUT, "tensor h.%zu.%s is missing",
                               l, table[w].name);
            return err_set(err, STATUS_INPUT, "tensor %s is missing",
                           table[w].name);
        }
    return STATUS_OK;
}

enum status weights_load(void *block, struct digest *digest,
                         const struct model_config *config, const char *folder,
                         struct err *err)
{
    struct safetensors files = {0};
    struct layout layout;
    float **targets = NULL;
    unsigned char *seen = NULL;
    if (make_layout(&layout, config, err) ||
        safetensors_open(&files, folder, err))
        goto out;
    targets = mem_calloc(files.n_tensors, sizeof(float *),
                         "the table of tensors", err);
    seen = mem_calloc((size_t)config->n_layer, WEIGHT_COUNT,
                      "the table of tensors", err);
    if (!targets || !seen ||
        assign(targets, seen, block, &files, &layout, config, err) ||
        safetensors_load(&files, targets, digest, err) ||
        (config->is_processed && weights_process(block, config, err)))
        goto out;
out:
    if (err->status) (void)err_context(err, "model %s", folder);
    safetensors_close(&files);
    free(targets);
    free(seen);
    return err->status;
}
