#include "common/model/hook.h"

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
