/* config.json: any bytes are refused in a sentence or give sound sizes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/model/config.h"
#include "common/model/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_config config;
    struct err err = {0};
    size_t bytes;
    if (model_config_parse(&config, "f", (const char *)data, size, &err)) {
        if (err.message[0] == '\0') abort();
        return 0;
    }
    if (config.n_layer < 1 || config.n_ctx < 1 || config.n_vocab < 1 ||
        config.d_head < 1 || config.d_mlp < 1 ||
        config.n_head * config.d_head != config.d_model ||
        config.bos >= config.n_vocab || !(config.ln_eps > 0))
        abort();
    if (weights_bytes(&bytes, &config, &err) == STATUS_OK && bytes % 64 != 0)
        abort();
    return 0;
}
