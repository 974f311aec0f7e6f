/* What this machine has, as the SKUs that clients know. */
#include "api/hardware.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

#define GPU_FOLDER "/proc/driver/nvidia/gpus"
#define GPUS_MAX 64 /* entries looked at */
#define LINE_BYTES 512

/* The text after "key<blanks>:" of the first line of a file that has it. */
static bool read_value(const char *path, const char *key, char *ret_text, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[LINE_BYTES];
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        struct str head, tail;

        found = str_cut(str_from(line), ':', &head, &tail) &&
                str_equal(str_trim(head), str_from(key)) && str_trim(tail).len > 0 &&
                str_copy(str_trim(tail), ret_text, size);
    }
    if (file)
        fclose(file);
    return found;
}

static void write_entry(const char *sku, const char *name, struct buf *out)
{
    buf_printf(out, "{\"sku\":\"%s\",\"name\":", sku);
    json_write_string(str_from(name), out);
    buf_append_char(out, '}');
}

static void write_processor(struct buf *out)
{
    char model[LINE_BYTES], name[LINE_BYTES + 64];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!read_value("/proc/cpuinfo", "model name", model, sizeof(model)))
        str_copy(S("CPU"), model, sizeof(model));
    snprintf(name, sizeof(name), "%s (%ld %s)", model, cores, cores == 1 ? "core" : "cores");
    write_entry("cpu", name, out);
}

static const char *sku_of(const char *model)
{
    static const struct {
        const char *word, *sku;
    } known[] = {
        { "H200", "gpu-h200" }, { "H100", "gpu-h100" },     { "A100", "gpu-a100-large" },
        { "L40S", "gpu-l40s" }, { "A40", "gpu-a40-large" }, { "T4", "gpu-t4" },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(model, known[i].word))
            return known[i].sku;
    return "gpu";
}

/* Each kind once. Without the driver's folder one GPU without a name. */
static void write_gpus(struct buf *out)
{
    DIR *folder = opendir(GPU_FOLDER);
    char path[LINE_BYTES], model[LINE_BYTES];
    const char *seen[GPUS_MAX];
    const struct dirent *entry;
    int count = 0;

    while (folder && count < GPUS_MAX && (entry = readdir(folder))) {
        bool again = false;

        snprintf(path, sizeof(path), GPU_FOLDER "/%s/information", entry->d_name);
        if (entry->d_name[0] == '.' || !read_value(path, "Model", model, sizeof(model)))
            continue;
        for (int i = 0; i < count; i++)
            again = again || strcmp(seen[i], sku_of(model)) == 0;
        if (again)
            continue;
        seen[count++] = sku_of(model);
        buf_append_char(out, ',');
        write_entry(seen[count - 1], model, out);
    }
    if (folder)
        closedir(folder);
    if (count == 0) {
        buf_append_char(out, ',');
        write_entry("gpu", "Nvidia GPU", out);
    }
}

void hardware_list(struct buf *out)
{
    buf_append_char(out, '[');
    write_processor(out);
    if (access("/dev/nvidia0", F_OK) == 0)
        write_gpus(out);
    buf_append_char(out, ']');
}
