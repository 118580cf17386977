/* config.json: what is read, what is refused, and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/config.h"

#define SIZES                                                                  \
    "\"n_layer\": 2, \"n_head\": 3, \"n_embd\": 12, \"n_positions\": 16, "     \
    "\"vocab_size\": 29"

/* The file of GPT-2 small. */
static const char gpt2[] =
    "{\n  \"activation_function\": \"gelu_new\",\n  \"architectures\": [\n"
    "    \"GPT2LMHeadModel\"\n  ],\n  \"attn_pdrop\": 0.1,\n"
    "  \"bos_token_id\": 50256,\n  \"embd_pdrop\": 0.1,\n"
    "  \"eos_token_id\": 50256,\n  \"initializer_range\": 0.02,\n"
    "  \"layer_norm_epsilon\": 1e-05,\n  \"model_type\": \"gpt2\",\n"
    "  \"n_ctx\": 1024,\n  \"n_embd\": 768,\n  \"n_head\": 12,\n"
    "  \"n_layer\": 12,\n  \"n_positions\": 1024,\n  \"resid_pdrop\": 0.1,\n"
    "  \"summary_activation\": null,\n  \"summary_first_dropout\": 0.1,\n"
    "  \"task_specific_params\": {\n    \"text-generation\": {\n"
    "      \"do_sample\": true,\n      \"max_length\": 50\n    }\n  },\n"
    "  \"vocab_size\": 50257\n}";

static enum status parse(struct model_config *config, const char *text,
                         struct err *err)
{
    *err = (struct err){0};
    return model_config_parse(config, "config.json", text, strlen(text), err);
}

static void gpt2_small_is_read(void **state)
{
    (void)state;
    struct model_config config;
    struct err err;
    assert_int_equal(parse(&config, gpt2, &err), STATUS_OK);
    assert_int_equal(config.n_layer, 12);
    assert_int_equal(config.n_head, 12);
    assert_int_equal(config.d_model, 768);
    assert_int_equal(config.d_head, 64);
    assert_int_equal(config.d_mlp, 3072);
    assert_int_equal(config.n_ctx, 1024);
    assert_int_equal(config.n_vocab, 50257);
    assert_int_equal(config.bos, 50256);
    assert_true(config.ln_eps == 1e-5F);
    assert_int_equal(config.activation, ACTIVATION_GELU_NEW);
    assert_true(config.scale_attn && config.is_tied);
    assert_false(config.scale_attn_by_layer);
    assert_string_equal(config.banner, "");
    assert_true(model_config_score_scale(&config, 3) == 0.125F);
    config.scale_attn_by_layer = true;
    assert_true(model_config_score_scale(&config, 3) == 0.125F / 4);
    config.scale_attn = false;
    assert_true(model_config_score_scale(&config, 3) == 0.25F);
}

static void keys_that_change_the_mathematics_are_honoured(void **state)
{
    (void)state;
    struct model_config config;
    struct err err;
    const char *text =
        "{\"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
        "\"hidden_size\": 6, \"n_embd\": 6, \"max_position_embeddings\": 4, "
        "\"vocab_size\": 3, \"n_inner\": 7, \"layer_norm_epsilon\": 0.5, "
        "\"activation_function\": \"silu\", \"scale_attn_weights\": false, "
        "\"scale_attn_by_inverse_layer_idx\": true, \"bos_token_id\": 2, "
        "\"tie_word_embeddings\": false, \"reorder_and_upcast_attn\": true, "
        "\"add_cross_attention\": false, \"pruned_heads\": {}, "
        "\"quantization_config\": null, \"patchsweep_banner\": \"demo\"}";
    assert_int_equal(parse(&config, text, &err), STATUS_OK);
    assert_int_equal(config.n_layer, 1);
    assert_int_equal(config.n_head, 2);
    assert_int_equal(config.d_model, 6);
    assert_int_equal(config.n_ctx, 4);
    assert_int_equal(config.d_mlp, 7);
    assert_int_equal(config.bos, 2);
    assert_true(config.ln_eps == 0.5F);
    assert_int_equal(config.activation, ACTIVATION_SILU);
    assert_false(config.scale_attn);
    assert_true(config.scale_attn_by_layer);
    assert_false(config.is_tied);
    assert_string_equal(config.banner, "demo");
}

static void a_model_may_have_no_bos(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{" SIZES "}",
        "{" SIZES ", \"bos_token_id\": null}",
        "{" SIZES ", \"bos_token_id\": 50256}",
        "{" SIZES ", \"bos_token_id\": 29}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_config config;
        struct err err;
        assert_int_equal(parse(&config, rows[i], &err), STATUS_OK);
        assert_int_equal(config.bos, -1);
    }
}

static void what_is_not_computed_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *says;
    } rows[] = {
        {"\"activation_function\": \"tanh\"",
         "key activation_function: found \"tanh\", expected one of gelu_new "
         "gelu_pytorch_tanh gelu relu silu"},
        {"\"activation_function\": \"gelu\\u0000\"",
         "key activation_function: the string holds a NUL"},
        {"\"activation_function\": 3",
         "key activation_function: found a whole number, expected a string"},
        {"\"model_type\": \"gpt_neo\"",
         "key model_type: found \"gpt_neo\", expected \"gpt2\""},
        {"\"add_cross_attention\": true",
         "key add_cross_attention changes the model in a way patchsweep does "
         "not compute, expected false"},
        {"\"pruned_heads\": {\"0\": [1]}",
         "key pruned_heads changes the model in a way patchsweep does not "
         "compute, expected an empty map"},
        {"\"quantization_config\": {\"bits\": 4}",
         "key quantization_config changes the model in a way patchsweep does "
         "not compute, expected null"},
        {"\"scale_attn_weights\": 1",
         "key scale_attn_weights: found a whole number, expected true or "
         "false"},
        {"\"scale_attn_by_inverse_layer_idx\": \"no\"",
         "key scale_attn_by_inverse_layer_idx: found a string, expected true "
         "or false"},
        {"\"reorder_and_upcast_attn\": null",
         "key reorder_and_upcast_attn: found nothing, expected true or false"},
        {"\"tie_word_embeddings\": []",
         "key tie_word_embeddings: found a list, expected true or false"},
        {"\"layer_norm_epsilon\": 0",
         "key layer_norm_epsilon: found 0, expected a number above 0, at most "
         "1"},
        {"\"layer_norm_epsilon\": \"1e-5\"",
         "key layer_norm_epsilon: found a string, expected a number"},
        {"\"n_inner\": 0", "key n_inner: found 0, expected 1 to 16777216"},
        {"\"n_inner\": 4.5",
         "key n_inner: found a number, expected a whole number"},
        {"\"hidden_size\": 13", "key n_embd is 12, but key hidden_size is 13"},
        {"\"bos_token_id\": -1",
         "key bos_token_id: expected a token id of 0 or more, or null"},
        {"\"bos_token_id\": \"x\"",
         "key bos_token_id: expected a token id of 0 or more, or null"},
        {"\"patchsweep_banner\": \"a\\u001b[31m\"",
         "key patchsweep_banner: byte 1 is a control character"},
        {"\"patchsweep_banner\": {}",
         "key patchsweep_banner: found a map, expected a string"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_config config;
        struct err err;
        char text[400], says[300];
        snprintf(text, sizeof text, "{" SIZES ", %s}", rows[i].keys);
        snprintf(says, sizeof says, "config.json: %s", rows[i].says);
        assert_int_equal(parse(&config, text, &err), STATUS_INPUT);
        assert_string_equal(err.message, says);
    }
}

static void sizes_are_needed_and_bounded(void **state)
{
    (void)state;
    static const char *const keys[] = {"n_layer", "n_head", "n_embd",
                                       "n_positions", "vocab_size"};
    static const struct {
        const char *value, *says;
    } rows[] = {
        {"null", " is missing"},
        {"0", ": found 0, expected 1 to 16777216"},
        {"-3", ": found -3, expected 1 to 16777216"},
        {"16777217", ": found 16777217, expected 1 to 16777216"},
        {"9223372036854775807",
         ": found 9223372036854775807, expected 1 to 16777216"},
        {"2.0", ": found a number, expected a whole number"},
        {"\"2\"", ": found a string, expected a whole number"},
        {"true", ": found true or false, expected a whole number"},
    };
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct model_config config;
            struct err err;
            char text[400] = "{\"model_type\": \"gpt2\"", says[200];
            for (size_t j = 0; j < sizeof keys / sizeof *keys; j++)
                snprintf(text + strlen(text), sizeof text - strlen(text),
                         ", \"%s\": %s", keys[j], j == k ? rows[i].value : "6");
            snprintf(text + strlen(text), sizeof text - strlen(text), "}");
            snprintf(says, sizeof says, "config.json: key %s%s", keys[k],
                     rows[i].says);
            assert_int_equal(parse(&config, text, &err), STATUS_INPUT);
            assert_string_equal(err.message, says);
        }
    struct model_config config;
    struct err err;
    assert_int_equal(parse(&config,
                           "{\"n_layer\": 1, \"n_head\": 5, \"n_embd\": 12, "
                           "\"n_positions\": 1, \"vocab_size\": 1}",
                           &err),
                     STATUS_INPUT);
    assert_string_equal(
        err.message,
        "config.json: key n_embd: found 12, which n_head 5 does not divide");
    assert_int_equal(parse(&config, "[1]", &err), STATUS_INPUT);
    assert_string_equal(err.message,
                        "config.json: found a list, expected a map");
}

static void a_long_banner_is_refused(void **state)
{
    (void)state;
    struct model_config config;
    struct err err;
    char text[600], banner[300];
    for (size_t n = 254; n < 258; n++) {
        memset(banner, 'x', n);
        banner[n] = '\0';
        snprintf(text, sizeof text,
                 "{" SIZES ", \"patchsweep_banner\": \"%s\"}", banner);
        enum status expected = n < 256 ? STATUS_OK : STATUS_INPUT;
        assert_int_equal(parse(&config, text, &err), expected);
        if (n < 256) assert_string_equal(config.banner, banner);
    }
    assert_string_equal(
        err.message,
        "config.json: key patchsweep_banner has 257 bytes, at most 255 fit");
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof gpt2 - 1; n++) {
        struct model_config config;
        struct err err = {0};
        assert_int_equal(model_config_parse(&config, "c", gpt2, n, &err),
                         STATUS_INPUT);
        assert_ptr_equal(strstr(err.message, "c: "), err.message);
    }
}

static void every_flipped_bit_is_refused_or_read(void **state)
{
    (void)state;
    char text[sizeof gpt2];
    for (size_t bit = 0; bit < 8 * (sizeof gpt2 - 1); bit++) {
        struct model_config config;
        struct err err = {0};
        memcpy(text, gpt2, sizeof gpt2);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        if (model_config_parse(&config, "c", text, sizeof gpt2 - 1, &err)) {
            assert_int_equal(err.status, STATUS_INPUT);
            assert_ptr_equal(strstr(err.message, "c: "), err.message);
            continue;
        }
        assert_true(config.n_layer >= 1 && config.n_head >= 1);
        assert_true(config.n_ctx >= 1 && config.n_vocab >= 1);
        assert_int_equal(config.n_head * config.d_head, config.d_model);
        assert_true(config.d_mlp >= 1 && config.bos < config.n_vocab);
        assert_true(config.ln_eps > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_small_is_read),
        cmocka_unit_test(keys_that_change_the_mathematics_are_honoured),
        cmocka_unit_test(a_model_may_have_no_bos),
        cmocka_unit_test(what_is_not_computed_is_refused_by_name),
        cmocka_unit_test(sizes_are_needed_and_bounded),
        cmocka_unit_test(a_long_banner_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
