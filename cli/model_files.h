/* model_files.h - a model folder, for commands that work without a job. */
#ifndef PATCHSWEEP_CLI_MODEL_FILES_H
#define PATCHSWEEP_CLI_MODEL_FILES_H

#include "common/base/err.h"
#include "common/model/config.h"
#include "common/model/tokenizer.h"
#include "common/model/weights.h"

struct model {
    struct model_config config;
    struct tokenizer *tokenizer; /* NULL where the folder has none */
    struct weights weights;      /* where asked for */
    struct digest digest;
    void *block; /* owned */
};

/* Open a model folder; its weights too where with_weights. Release with
 * model_files_close. */
enum status model_files_open(struct model *out, const char *folder,
                             bool with_weights, struct err *err) WARN_UNUSED;
void model_files_close(struct model *model);

#endif
