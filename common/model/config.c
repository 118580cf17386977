#include "common/model/config.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/doc.h"
#include "common/base/file.h"

/* The largest size a key may name: products of two stay far below SIZE_MAX,
 * and nothing that runs on a cluster comes near it. */
enum { MOST_SIZE = 1 << 24 };

static const char *const activation_names[] = {
#define ACTIVATION_NAME(code, name) [code] = name,
    ACTIVATION_LIST(ACTIVATION_NAME)
#undef ACTIVATION_NAME
};

static const char activation_words[] =
#define ACTIVATION_WORD(code, name) " " name
    ACTIVATION_LIST(ACTIVATION_WORD);
#undef ACTIVATION_WORD

/* Keys with which the model would be another one, and the one value of each
 * that leaves it GPT-2. */
static const struct {
    const char *key, *accepted;
} refused[] = {
    {"add_cross_attention", "false"},
    {"pruned_heads", "an empty map"},
    {"quantization_config", "null"},
};

const char *activation_name(enum activation activation)
{
    return activation_names[activation];
}

/* The value of key; a key that is null counts as absent. */
static const struct doc *get(const struct doc *doc, const char *key)
{
    const struct doc *value = doc_get(doc, key);
    return value && value->kind != DOC_NULL ? value : NULL;
}

static enum status read_size(int *out, const struct doc *value, const char *key,
                             struct err *err)
{
    if (value->kind != DOC_INT)
        return err_set(err, STATUS_INPUT,
                       "key %s: found %s, expected a whole number", key,
                       doc_kind_name(value->kind));
    if (value->integer < 1 || value->integer > MOST_SIZE)
        return err_set(err, STATUS_INPUT, "key %s: found %jd, expected 1 to %d",
                       key, (intmax_t)value->integer, MOST_SIZE);
    *out = (int)value->integer;
    return STATUS_OK;
}

/* A size that must be given, under its GPT-2 name or its general one; both
 * may stand there if they agree. */
static enum status need_size(int *out, const struct doc *doc, const char *key,
                             const char *alias, struct err *err)
{
    const struct doc *value = get(doc, key);
    const struct doc *other = alias ? get(doc, alias) : NULL;
    if (!value && !other)
        return err_set(err, STATUS_INPUT, "key %s is missing", key);
    int second = 0;
    if (other && read_size(&second, other, alias, err)) return err->status;
    *out = second;
    if (value && read_size(out, value, key, err)) return err->status;
    if (other && second != *out)
        return err_set(err, STATUS_INPUT, "key %s is %d, but key %s is %d", key,
                       *out, alias, second);
    return STATUS_OK;
}

static enum status read_bool(bool *out, const struct doc *doc, const char *key,
                             bool fallback, struct err *err)
{
    const struct doc *value = doc_get(doc, key);
    *out = fallback;
    if (!value) return STATUS_OK;
    if (value->kind != DOC_BOOL)
        return err_set(err, STATUS_INPUT,
                       "key %s: found %s, expected true or false", key,
                       doc_kind_name(value->kind));
    *out = value->boolean;
    return STATUS_OK;
}

static enum status read_eps(float *out, const struct doc *doc, struct err *err)
{
    const struct doc *value = get(doc, "layer_norm_epsilon");
    *out = 1e-5F;
    if (!value) return STATUS_OK;
    if (value->kind != DOC_FLOAT && value->kind != DOC_INT)
        return err_set(err, STATUS_INPUT,
                       "key layer_norm_epsilon: found %s, expected a number",
                       doc_kind_name(value->kind));
    *out = (float)value->number;
    if (!(*out > 0) || !(*out <= 1))
        return err_set(err, STATUS_INPUT,
                       "key layer_norm_epsilon: found %g, expected a number "
                       "above 0, at most 1",
                       value->number);
    return STATUS_OK;
}

/* A string value; NULL without an error where the key is absent. */
static const struct doc *read_text(const struct doc *doc, const char *key,
                                   struct err *err)
{
    const struct doc *value = get(doc, key);
    if (value && value->kind != DOC_STRING) {
        (void)err_set(err, STATUS_INPUT, "key %s: found %s, expected a string",
                      key, doc_kind_name(value->kind));
        return NULL;
    }
    if (value && strlen(value->text) != value->text_bytes) {
        (void)err_set(err, STATUS_INPUT, "key %s: the string holds a NUL", key);
        return NULL;
    }
    return value;
}

static enum status read_activation(enum activation *out, const struct doc *doc,
                                   struct err *err)
{
    const char *key = "activation_function";
    const struct doc *value = read_text(doc, key, err);
    *out = ACTIVATION_GELU_NEW;
    if (!value) return err->status;
    int n = (int)(sizeof activation_names / sizeof *activation_names);
    for (int i = 0; i < n; i++) {
        *out = (enum activation)i;
        if (strcmp(value->text, activation_names[i]) == 0) return STATUS_OK;
    }
    return err_set(err, STATUS_INPUT,
                   "key %s: found \"%.40s\", expected one of%s", key,
                   value->text, activation_words);
}

/* The model's beginning-of-sequence token. Folders of small models often keep
 * GPT-2's 50256 beyond their own vocabulary: such a model has none. */
static enum status read_bos(int *out, const struct doc *doc, int n_vocab,
                            struct err *err)
{
    const struct doc *given = doc_get(doc, "bos_token_id");
    int64_t id = given ? -1 : 50256;
    if (given && given->kind == DOC_INT && given->integer >= 0)
        id = given->integer;
    else if (given && given->kind != DOC_NULL)
        return err_set(err, STATUS_INPUT,
                       "key bos_token_id: expected a token id of 0 or more, "
                       "or null");
    *out = id < n_vocab ? (int)id : -1;
    return STATUS_OK;
}

static enum status read_banner(char *out, size_t size, const struct doc *doc,
                               struct err *err)
{
    const char *key = "patchsweep_banner";
    const struct doc *value = read_text(doc, key, err);
    if (!value) return err->status;
    if (value->text_bytes >= size)
        return err_set(err, STATUS_INPUT,
                       "key %s has %zu bytes, at most %zu fit", key,
                       value->text_bytes, size - 1);
    for (size_t i = 0; i < value->text_bytes; i++) {
        unsigned char c = (unsigned char)value->text[i];
        if (c < 0x20 || c == 0x7f)
            return err_set(err, STATUS_INPUT,
                           "key %s: byte %zu is a control character", key, i);
    }
    memcpy(out, value->text, value->text_bytes + 1);
    return STATUS_OK;
}

static enum status check_refused(const struct doc *doc, struct err *err)
{
    const struct doc *type = read_text(doc, "model_type", err);
    if (err->status) return err->status;
    if (type && strcmp(type->text, "gpt2") != 0)
        return err_set(err, STATUS_INPUT,
                       "key model_type: found \"%.40s\", expected \"gpt2\"",
                       type->text);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct doc *value = get(doc, refused[i].key);
        bool is_neutral =
            !value || (value->kind == DOC_BOOL && !value->boolean) ||
            ((value->kind == DOC_MAP || value->kind == DOC_LIST) &&
             value->n == 0);
        if (!is_neutral)
            return err_set(err, STATUS_INPUT,
                           "key %s changes the model in a way patchsweep does "
                           "not compute, expected %s",
                           refused[i].key, refused[i].accepted);
    }
    return STATUS_OK;
}

static enum status read_all(struct model_config *out, const struct doc *doc,
                            struct err *err)
{
    bool ignored;
    const struct doc *inner = get(doc, "n_inner");
    if (doc->kind != DOC_MAP)
        return err_set(err, STATUS_INPUT, "found %s, expected a map",
                       doc_kind_name(doc->kind));
    if (check_refused(doc, err) ||
        need_size(&out->n_layer, doc, "n_layer", "num_hidden_layers", err) ||
        need_size(&out->n_head, doc, "n_head", "num_attention_heads", err) ||
        need_size(&out->d_model, doc, "n_embd", "hidden_size", err) ||
        need_size(&out->n_ctx, doc, "n_positions", "max_position_embeddings",
                  err) ||
        need_size(&out->n_vocab, doc, "vocab_size", NULL, err))
        return err->status;
    if (out->d_model % out->n_head != 0)
        return err_set(err, STATUS_INPUT,
                       "key n_embd: found %d, which n_head %d does not divide",
                       out->d_model, out->n_head);
    out->d_head = out->d_model / out->n_head;
    out->d_mlp = 4 * out->d_model;
    if (inner && read_size(&out->d_mlp, inner, "n_inner", err))
        return err->status;
    if (read_eps(&out->ln_eps, doc, err) ||
        read_activation(&out->activation, doc, err) ||
        read_bool(&out->scale_attn, doc, "scale_attn_weights", true, err) ||
        read_bool(&out->scale_attn_by_layer, doc,
                  "scale_attn_by_inverse_layer_idx", false, err) ||
        read_bool(&ignored, doc, "reorder_and_upcast_attn", false, err) ||
        read_bool(&out->is_tied, doc, "tie_word_embeddings", true, err) ||
        read_bos(&out->bos, doc, out->n_vocab, err) ||
        read_banner(out->banner, sizeof out->banner, doc, err))
        return err->status;
    return STATUS_OK;
}

enum status model_config_parse(struct model_config *out, const char *name,
                               const char *text, size_t n, struct err *err)
{
    struct doc doc;
    *out = (struct model_config){0};
    if (doc_parse_json(&doc, name, text, n, err)) return err->status;
    if (read_all(out, &doc, err)) (void)err_context(err, "%s", name);
    doc_free(&doc);
    return err->status;
}

enum status model_config_read(struct model_config *out, const char *folder,
                              struct err *err)
{
    enum { MOST_BYTES = 1 << 20 };
    struct buf text = {0};
    char *path = file_join(folder, "config.json", err);
    if (!path || file_read(&text, path, MOST_BYTES, err)) goto out;
    if (model_config_parse(out, path, (const char *)text.data, text.n, err))
        goto out;
out:
    buf_free(&text);
    free(path);
    return err->status;
}

float model_config_score_scale(const struct model_config *config, int layer)
{
    double divisor = config->scale_attn ? sqrt(config->d_head) : 1;
    if (config->scale_attn_by_layer) divisor *= layer + 1;
    return (float)(1 / divisor);
}
