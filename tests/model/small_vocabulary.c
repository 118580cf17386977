#include "tests/model/small_vocabulary.h"

#include <stdbool.h>

const char *const small_merges[SMALL_MERGES][2] = {
    {"ab", "a"}, {"a", "b"},   {"b", "a"},  {"a", "a"},           {"aa", "aa"},
    {"c", "ab"}, {"ab", "ab"}, {"a", "ba"}, {"ba", "ba"},         {"b", "b"},
    {"c", "c"},  {"cc", "ab"}, {"cc", "c"}, {"\u00c2", "\u0122"},
};

static const int again = 7; /* the merge that makes "aba" once more */

static bool is_itself(int byte)
{
    return (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
}

void small_token_write(struct buf *vocab, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int byte = (unsigned char)bytes[i], character = 0x100;
        for (int before = 0; before < byte; before++)
            character += !is_itself(before);
        buf_printf(vocab, "\\u%04x",
                   (unsigned int)(is_itself(byte) ? byte : character));
    }
}

void small_vocabulary_write(struct buf *vocab)
{
    for (int byte = 0; byte < 256; byte++) {
        const char text[] = {(char)byte};
        buf_printf(vocab, byte ? ", \"" : "{\"");
        small_token_write(vocab, text, 1);
        buf_printf(vocab, "\": %d", 255 - byte);
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
