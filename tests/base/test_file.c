/* Files: read whole, written whole or not at all, paths put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "tests/base/fail_alloc.h"

/* An empty folder for each test. */
static int make_folder(void **state)
{
    char *folder = strdup("/tmp/patchsweep-test-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    int status = system(command);
    free(*state);
    return status;
}

static size_t count_files(const char *folder)
{
    size_t n = 0;
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(open_folder);
    return n;
}

static char *in_folder(void **state, const char *name)
{
    struct err err = {0};
    char *path = file_join(*state, name, &err);
    assert_non_null(path);
    return path;
}

static void what_is_written_is_read_and_nothing_else_is_left(void **state)
{
    const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300001};
    char *path = in_folder(state, "f");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct err err = {0};
        struct buf buf = {0};
        unsigned char *data = malloc(sizes[i] + 1);
        assert_non_null(data);
        for (size_t j = 0; j < sizes[i]; j++)
            data[j] = (unsigned char)(j * 7 + i);
        assert_int_equal(file_write(path, data, sizes[i], &err), STATUS_OK);
        buf_u8(&buf, 'h'); /* what was in the buffer stays */
        assert_int_equal(file_read(&buf, path, sizes[i], &err), STATUS_OK);
        assert_int_equal(buf.n, sizes[i] + 1);
        assert_int_equal(buf.data[0], 'h');
        assert_memory_equal(buf.data + 1, data, sizes[i]);
        assert_int_equal(count_files(*state), 1);
        buf_free(&buf);
        free(data);
    }
    free(path);
}

static void a_file_over_the_limit_is_refused_by_name(void **state)
{
    char *path = in_folder(state, "f");
    struct err err = {0};
    struct buf buf = {0};
    assert_int_equal(file_write(path, "12345", 5, &err), STATUS_OK);
    assert_int_equal(file_read(&buf, path, 4, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "4 bytes"));
    buf_free(&buf);
    free(path);
}

static void what_is_not_there_is_told_by_name(void **state)
{
    char *path = in_folder(state, "none/f");
    struct err err = {0};
    struct buf buf = {0};
    assert_int_equal(file_read(&buf, path, 0, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "No such file"));
    err_clear(&err);
    assert_int_equal(file_write(path, "x", 1, &err), STATUS_IO);
    assert_non_null(strstr(err.message, path));
    assert_false(file_exists(path));
    err_clear(&err);
    assert_int_equal(file_read(&buf, *state, 0, &err), STATUS_IO);
    buf_free(&buf);
    free(path);
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
    char *path = in_folder(state, "f");
    struct err err = {0};
    assert_int_equal(file_write(path, "old", 3, &err), STATUS_OK);
    for (size_t n = 1;; n++) {
        struct buf buf = {0};
        err_clear(&err);
        fail_alloc_start(n);
        enum status status = file_write(path, "new", 3, &err);
        bool is_failed = fail_alloc_stop();
        assert_int_equal(fail_alloc_live(), 0);
        assert_int_equal(status, is_failed ? STATUS_MEMORY : STATUS_OK);
        err_clear(&err);
        assert_int_equal(file_read(&buf, path, 0, &err), STATUS_OK);
        assert_memory_equal(buf.data, is_failed ? "old" : "new", 3);
        assert_int_equal(count_files(*state), 1);
        buf_free(&buf);
        if (!is_failed) break;
        assert_true(n < 100);
    }
    /* a folder in the file's place: the rename fails, nothing is left over */
    char *folder = in_folder(state, "d");
    assert_int_equal(file_make_folder(folder, &err), STATUS_OK);
    assert_int_equal(file_write(folder, "x", 1, &err), STATUS_IO);
    assert_int_equal(count_files(*state), 2);
    free(folder);
    free(path);
}

static void folders_are_made_with_their_parents(void **state)
{
    char *path = in_folder(state, "a/b//c/");
    char *file = in_folder(state, "a/f");
    char *under = in_folder(state, "a/f/g");
    struct err err = {0};
    assert_int_equal(file_make_folder(path, &err), STATUS_OK);
    assert_int_equal(file_make_folder(path, &err), STATUS_OK);
    assert_true(file_exists(path));
    assert_int_equal(file_sync_folder(path, &err), STATUS_OK);
    assert_int_equal(file_write(file, "x", 1, &err), STATUS_OK);
    assert_int_equal(file_make_folder(file, &err), STATUS_IO);
    err_clear(&err);
    assert_int_equal(file_make_folder(under, &err), STATUS_IO);
    err_clear(&err);
    assert_int_equal(file_sync_folder(file, &err), STATUS_IO);
    free(under);
    free(file);
    free(path);
}

static void paths_are_joined_and_parted(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name, *path, *parent;
    } rows[] = {
        {"a", "b", "a/b", "a"},
        {"", "b", "b", "."},
        {NULL, "b", "b", "."},
        {"a", "/b", "/b", "/"},
        {"/a/b", "c/d", "/a/b/c/d", "/a/b/c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        char *path = file_join(rows[i].folder, rows[i].name, &err);
        assert_string_equal(path, rows[i].path);
        char *parent = file_folder(path, &err);
        assert_string_equal(parent, rows[i].parent);
        free(parent);
        free(path);
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    size_t product;
    assert_true(mem_multiply(&product, SIZE_MAX, 1));
    assert_false(mem_multiply(&product, SIZE_MAX / 2 + 1, 2));
    assert_true(mem_multiply(&product, SIZE_MAX, 0));
    assert_null(mem_calloc(SIZE_MAX / 2, 3, "it", &err));
    assert_int_equal(err.status, STATUS_MEMORY);
    err_clear(&err);
    assert_null(mem_calloc_aligned(SIZE_MAX - 8, 1, "it", &err));
    assert_int_equal(err.status, STATUS_MEMORY);
    err_clear(&err);
    uint64_t *array = NULL;
    size_t capacity = 0;
    assert_int_equal(mem_grow(&array, &capacity, 3, 8, "it", &err), 0);
    array[2] = 5;
    assert_int_equal(mem_grow(&array, &capacity, SIZE_MAX / 4, 8, "it", &err),
                     STATUS_MEMORY);
    err_clear(&err);
    assert_int_equal(array[2], 5);
    assert_int_equal(mem_grow(&array, &capacity, 1000, 8, "it", &err), 0);
    assert_int_equal(array[2], 5);
    assert_int_equal(array[999], 0);
    free(array);
    double *aligned = mem_calloc_aligned(3, 8, "it", &err);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    assert_true(aligned[2] == 0);
    free(aligned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_is_written_is_read_and_nothing_else_is_left, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(
            a_file_over_the_limit_is_refused_by_name, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told_by_name,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_the_old_file,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents,
                                        make_folder, remove_folder),
        cmocka_unit_test(paths_are_joined_and_parted),
        cmocka_unit_test(sizes_that_overflow_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
