#include "cli/node.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "common/model/kernels.h"

/* A whole number at the beginning of a file, or the most there is. */
static uint64_t read_number(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    if (!file) return UINT64_MAX;
    if (!fgets(text, sizeof text, file)) text[0] = '\0';
    (void)fclose(file);
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    return end == text ? UINT64_MAX : value;
}

static uint64_t environment_number(const char *name)
{
    const char *text = getenv(name);
    if (!text) return 0;
    return strtoull(text, NULL, 10);
}

size_t node_memory(void)
{
    static const char *const limits[] = {
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    const uint64_t mebibyte = 1 << 20;
    uint64_t least =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        uint64_t limit = read_number(limits[i]);
        if (limit < least) least = limit;
    }
    uint64_t slurm = environment_number("SLURM_MEM_PER_NODE");
    if (!slurm)
        slurm = environment_number("SLURM_MEM_PER_CPU") *
                environment_number("SLURM_CPUS_ON_NODE");
    if (slurm && slurm * mebibyte < least) least = slurm * mebibyte;
    return (size_t)least;
}

static void find_cpu(char *out, size_t n)
{
    char line[512];
    snprintf(out, n, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        colon += 1 + strspn(colon + 1, " ");
        snprintf(out, n, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    (void)fclose(file);
}

void node_describe(struct message_hello *hello)
{
    *hello = (struct message_hello){0};
    hello->pid = (uint64_t)getpid();
    hello->threads = 1;
    if (gethostname(hello->host, sizeof hello->host - 1) != 0)
        snprintf(hello->host, sizeof hello->host, "unknown");
    find_cpu(hello->cpu, sizeof hello->cpu);
    snprintf(hello->blas, sizeof hello->blas, "%s + %s", kernels_blas_core(),
             kernels_rows_name());
    snprintf(hello->revision, sizeof hello->revision, "%s", BUILD_REVISION);
}
