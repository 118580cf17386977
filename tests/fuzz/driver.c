/* driver.c - a small stand-in for libFuzzer, for compilers without it.
 *
 *   fuzz_NAME [-max_total_time=SECONDS] [-seed=N] FOLDER-OR-FILE...
 *
 * Every seed is run as it is; then, until the time is over (5 s), seeds
 * mutated by a generator that depends on -seed alone (1): input number i is
 * the same on every machine. With files only, they are replayed and nothing
 * is mutated. An input that ends the program, or takes longer than
 * INPUT_S, is left in the file crash-PROGRAM of the current folder and the
 * exit status is 77. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the sanitizers, where they are linked in. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*call)(void));

enum {
    INPUT_S = 60,         /* the longest an input may take */
    MUTATED_MAX = 4096,   /* bytes of a mutated input */
    SEED_MAX = 1 << 20,   /* bytes of a seed */
    CHANGES_MAX = 8,      /* mutations on top of each other */
    EXIT_CRASH = 77,      /* as libFuzzer */
    NAME_MAX_BYTES = 4096 /* of a path */
};

struct seed {
    unsigned char *data;
    size_t n;
    char name[256];
};

/* What a signal handler needs to see. */
static struct {
    unsigned char *data; /* the input that is running */
    size_t n;
    const char *path; /* of the crash file */
    bool is_saved;
} running;

static void save_running(void)
{
    if (running.is_saved || !running.data) return;
    running.is_saved = true;
    int fd = open(running.path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) return;
    size_t done = 0;
    while (done < running.n) {
        ssize_t n = write(fd, running.data + done, running.n - done);
        if (n <= 0) break;
        done += (size_t)n;
    }
    close(fd);
    static const char says[] = "the input that failed is in ";
    if (write(2, says, sizeof says - 1) < 0 ||
        write(2, running.path, strlen(running.path)) < 0 ||
        write(2, "\n", 1) < 0)
        return;
}

static void on_signal(int number)
{
    (void)number;
    save_running();
    _exit(EXIT_CRASH);
}

static void run(const unsigned char *data, size_t n)
{
    /* exactly as large as the input, so that a read past it is seen */
    unsigned char *copy = malloc(n ? n : 1);
    if (!copy) exit(1);
    if (n) memcpy(copy, data, n);
    running.data = copy;
    running.n = n;
    alarm(INPUT_S);
    (void)LLVMFuzzerTestOneInput(copy, n);
    alarm(0);
    running.data = NULL;
    free(copy);
}

/* splitmix64 */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t random_below(uint64_t *state, size_t n)
{
    return n ? (size_t)(random_next(state) % n) : 0;
}

/* Make room for n bytes at place (fewer where the input is full). */
static size_t open_gap(unsigned char *data, size_t *used, size_t place,
                       size_t n)
{
    if (n > MUTATED_MAX - *used) n = MUTATED_MAX - *used;
    memmove(data + place + n, data + place, *used - place);
    *used += n;
    return n;
}

static void change(unsigned char *data, size_t *n, const struct seed *other,
                   uint64_t *state)
{
    static const unsigned char telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n',
                                            ' ',  '"',  '\'', '{',  '}',  '[',
                                            ']',  ':',  ',',  '-',  '0',  '9'};
    size_t place = random_below(state, *n + 1);
    size_t left = *n - place;
    switch (random_below(state, 7)) {
    case 0: /* a bit */
        if (left) data[place] ^= (unsigned char)(1u << random_below(state, 8));
        break;
    case 1: /* a byte */
        if (left) data[place] = (unsigned char)random_next(state);
        break;
    case 2: /* a telling byte */
        if (left) data[place] = telling[random_below(state, sizeof telling)];
        break;
    case 3: { /* a piece taken out */
        size_t gone = 1 + random_below(state, 16);
        if (gone > left) gone = left;
        memmove(data + place, data + place + gone, left - gone);
        *n -= gone;
        break;
    }
    case 4: { /* bytes put in */
        size_t more = open_gap(data, n, place, 1 + random_below(state, 8));
        bool is_telling = random_below(state, 2) == 0;
        for (size_t i = 0; i < more; i++)
            data[place + i] = is_telling
                                  ? telling[random_below(state, sizeof telling)]
                                  : (unsigned char)random_next(state);
        break;
    }
    case 5: { /* a piece of another seed put in */
        size_t from = random_below(state, other->n);
        size_t most = other->n - from > 256 ? 256 : other->n - from;
        size_t more = open_gap(data, n, place, random_below(state, most + 1));
        if (more) memcpy(data + place, other->data + from, more);
        break;
    }
    default: /* the rest cut off */
        if (random_below(state, 4) == 0) *n = place;
        break;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct seed *)a)->name,
                  ((const struct seed *)b)->name);
}

static void add_seed(struct seed **seeds, size_t *n, const char *path,
                     const char *name)
{
    struct seed seed = {.data = malloc(SEED_MAX)};
    struct seed *grown = realloc(*seeds, (*n + 1) * sizeof **seeds);
    FILE *file = fopen(path, "rb");
    if (!seed.data || !grown || !file) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    seed.n = fread(seed.data, 1, SEED_MAX, file);
    fclose(file);
    snprintf(seed.name, sizeof seed.name, "%s", name);
    *seeds = grown;
    (*seeds)[(*n)++] = seed;
}

/* Files of a folder, in order of their names. */
static void add_folder(struct seed **seeds, size_t *n, const char *folder)
{
    size_t before = *n;
    DIR *open_folder = opendir(folder);
    if (!open_folder) {
        fprintf(stderr, "cannot open %s\n", folder);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(open_folder)) != NULL;) {
        char path[NAME_MAX_BYTES];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
            add_seed(seeds, n, path, entry->d_name);
    }
    closedir(open_folder);
    if (*n > before)
        qsort(*seeds + before, *n - before, sizeof **seeds, by_name);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static size_t mutate(const struct seed *seeds, size_t n, uint64_t state,
                     double until_s)
{
    static unsigned char data[MUTATED_MAX];
    size_t runs = 0;
    for (; now_s() < until_s; runs++) {
        const struct seed *seed = &seeds[random_below(&state, n)];
        size_t used = seed->n < MUTATED_MAX ? seed->n : MUTATED_MAX;
        memcpy(data, seed->data, used);
        size_t changes = 1 + random_below(&state, CHANGES_MAX);
        for (size_t i = 0; i < changes; i++)
            change(data, &used, &seeds[random_below(&state, n)], &state);
        run(data, used);
    }
    return runs;
}

int main(int argc, char **argv)
{
    double start_s = now_s();
    double seconds = 5;
    uint64_t state = 1;
    struct seed *seeds = NULL;
    size_t n = 0;
    bool is_replay = false;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (strncmp(argv[i], "-max_total_time=", 16) == 0) {
            seconds = strtod(argv[i] + 16, NULL);
        } else if (strncmp(argv[i], "-seed=", 6) == 0) {
            state = strtoull(argv[i] + 6, NULL, 10);
        } else if (stat(argv[i], &info) == 0 && S_ISREG(info.st_mode)) {
            add_seed(&seeds, &n, argv[i], argv[i]);
            is_replay = true;
        } else {
            add_folder(&seeds, &n, argv[i]);
        }
    }
    char path[NAME_MAX_BYTES];
    const char *slash = strrchr(argv[0], '/');
    snprintf(path, sizeof path, "crash-%s", slash ? slash + 1 : argv[0]);
    running.path = path;
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_running);
    } else {
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
        signal(SIGFPE, on_signal);
        signal(SIGILL, on_signal);
    }
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);

    static unsigned char nothing[1];
    run(nothing, 0);
    for (size_t i = 0; i < n; i++)
        run(seeds[i].data, seeds[i].n);
    size_t n_mutated = 0;
    if (!is_replay) {
        const struct seed empty = {.data = nothing};
        n_mutated =
            mutate(n ? seeds : &empty, n ? n : 1, state, start_s + seconds);
    }
    printf("%zu seeds and %zu mutated inputs in %.1f s\n", n, n_mutated,
           now_s() - start_s);
    for (size_t i = 0; i < n; i++)
        free(seeds[i].data);
    free(seeds);
    return 0;
}
