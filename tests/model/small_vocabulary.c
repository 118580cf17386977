#include "tests/model/small_vocabulary.h"

#include <stdbool.h>

const char *const small_merges[SMALL_MERGES][2] = {
    {"ab", "a"}, {"a", "b"},   {"b", "a"},  {"a", "a"},           {"aa", "aa"},
    {"c", "ab"}, {"ab", "ab"}, {"a", "ba"}, {"ba", "ba"},         {"b", "b"},
    {"c", "c"},  {"cc", "ab"}, {"cc", "c"}, {"\u00c2", "\u0122"},
};

static const int again = 7; /* the merge that makes "aba" once more */

void small_vocabulary_write(struct buf *vocab)
{
    int next = 0x100;
    for (int byte = 0; byte < 256; byte++) {
        bool is_itself =
            (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        buf_printf(vocab, "%s\"\\u%04x\": %d", byte ? ", " : "{",
                   (unsigned int)(is_itself ? byte : next++), 255 - byte);
    }
    int id = 256;
    for (int i = 0; i < SMALL_MERGES; i++)
        if (i != again)
            buf_printf(vocab, ", \"%s%s\": %d", small_merges[i][0],
                       small_merges[i][1], id++);
    buf_printf(vocab, ", \"<|endoftext|>\": %d}\n", id);
}

void small_merges_write(struct buf *merges)
{
    buf_printf(merges, "#version: 0.2\n");
    for (int i = 0; i < SMALL_MERGES; i++)
        buf_printf(merges, "%s %s\n", small_merges[i][0], small_merges[i][1]);
}
