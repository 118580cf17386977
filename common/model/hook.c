#include "common/model/hook.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum hook_place place;
    const char *name;
    enum hook_shape shape;
} hooks[HOOK_COUNT] = {
#define HOOK_ROW(code, place, name, shape) [code] = {place, name, shape},
    HOOK_LIST(HOOK_ROW)
#undef HOOK_ROW
};

enum hook_place hook_place(enum hook hook) { return hooks[hook].place; }

void hook_set_shape(struct hook_view *view, const struct model_config *config,
                    size_t S)
{
    size_t H = (size_t)config->n_head, K = (size_t)config->d_head;
    view->n_dims = 2;
    view->dims[0] = S;
    view->dims[2] = 1;
    switch (hooks[view->hook].shape) {
    case HOOK_RESID:
        view->dims[1] = H * K;
        break;
    case HOOK_SCALE:
        view->dims[1] = 1;
        break;
    case HOOK_MLP:
        view->dims[1] = (size_t)config->d_mlp;
        break;
    case HOOK_HEADS:
        view->n_dims = 3;
        view->dims[1] = H;
        view->dims[2] = K;
        break;
    case HOOK_SCORES:
        view->n_dims = 3;
        view->dims[0] = H;
        view->dims[1] = view->dims[2] = S;
        break;
    }
}

enum hook hook_find(const char *name)
{
    int hook = 0;
    while (hook < HOOK_COUNT && strcmp(hooks[hook].name, name) != 0)
        hook++;
    return (enum hook)hook;
}

void hook_print_name(char *text, size_t size, enum hook hook, int layer)
{
    if (hooks[hook].place == HOOK_IN_BLOCK)
        snprintf(text, size, "blocks.%d.%s", layer, hooks[hook].name);
    else
        snprintf(text, size, "%s", hooks[hook].name);
}

bool hook_is_scores(enum hook hook) { return hooks[hook].shape == HOOK_SCORES; }

bool hook_is_mlp(enum hook hook) { return hooks[hook].shape == HOOK_MLP; }

int hook_layers(enum hook hook, const struct model_config *config)
{
    return hooks[hook].place == HOOK_IN_BLOCK ? config->n_layer : 1;
}

void hook_print_pattern(char *text, size_t size, enum hook hook)
{
    snprintf(text, size, "%s%s",
             hooks[hook].place == HOOK_IN_BLOCK ? "blocks.*." : "",
             hooks[hook].name);
}

const char *hook_last_word(enum hook hook)
{
    const char *dot = strrchr(hooks[hook].name, '.');
    return dot ? dot + 1 : hooks[hook].name;
}

bool hook_matches(const char *pattern, enum hook hook, int layer)
{
    char name[HOOK_NAME_BYTES];
    hook_print_name(name, sizeof name, hook, layer);
    return fnmatch(pattern, name, 0) == 0;
}
