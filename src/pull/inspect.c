/* What of a model's weights is here, and what is still to be fetched: by names and sizes, without
 * reading a file. Not here: fetching (pull.c), what the manifest says (registry/weights.h). */
#include "pull/pull.h"
#include "pull/pull_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"

#define ONLY_PART_NAME "weights"

_Static_assert(sizeof(((struct pull_facts *)0)->parts) / sizeof(struct pull_part) ==
                   REGISTRY_WEIGHTS_PARTS_MAX,
               "as many as a manifest may have");

/* Of one file that is not installed, by what an earlier pull has left of it. */
static int64_t partial_bytes(const struct pull_folders *folders,
                             const struct registry_weights_file *file)
{
    char target[PULL_PATH_MAX];
    struct stat status;

    pull_target_name(folders, file, target);
    if (lstat(target, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    return status.st_size < file->size ? status.st_size : file->size;
}

static int64_t left_bytes(const struct pull_folders *folders,
                          const struct registry_weights_variant *variant)
{
    char path[PULL_PATH_MAX];
    int64_t left = 0;

    for (int i = 0; i < variant->file_count; i++) {
        const struct registry_weights_file *file = &variant->files[i];
        if (!registry_weights_has_file(file, folders->model, true, path, sizeof(path)))
            left += file->size - partial_bytes(folders, file);
    }
    return left;
}

/* A user's own files may have other sizes than the published ones. */
static int64_t installed_bytes(const struct pull_folders *folders,
                               const struct registry_weights_variant *variant)
{
    char path[PULL_PATH_MAX];
    struct stat status;
    int64_t bytes = 0;

    for (int i = 0; i < variant->file_count; i++)
        if (registry_weights_has_file(&variant->files[i], folders->model, false, path,
                                      sizeof(path)) &&
            stat(path, &status) == 0)
            bytes += status.st_size;
    return bytes;
}

static struct pull_part part_inspect(const struct pull_options *options,
                                     const struct pull_folders *folders,
                                     const struct registry_weights_part *part)
{
    const struct registry_weights_variant *variant =
        registry_weights_find(part, folders->model, !options->any_size);
    struct pull_part fact = {
        .name = part->name != NULL ? part->name : ONLY_PART_NAME,
        .description = part->description,
        .optional = part->optional,
        .installed = variant != NULL,
    };

    if (variant != NULL) {
        fact.bytes = installed_bytes(folders, variant);
    } else {
        fact.bytes = pull_variant_bytes(&part->variants[0]);
        fact.left_bytes = left_bytes(folders, &part->variants[0]);
    }
    return fact;
}

bool pull_inspect(const struct pull_options *options, struct pull_facts *ret_facts, struct err *err)
{
    struct registry_weights *weights = NULL;
    struct pull_folders folders;
    struct err why = { 0 };

    if (!pull_folders_name(options, &folders, err))
        return false;
    memset(ret_facts, 0, sizeof(*ret_facts));
    if (!registry_weights_read(options->manifest, &weights, &why)) {
        if (why.kind == ERR_NOT_FOUND)
            return true;
        if (err != NULL)
            *err = why;
        return false;
    }
    ret_facts->part_count = weights->part_count;
    for (int i = 0; i < weights->part_count; i++)
        ret_facts->parts[i] = part_inspect(options, &folders, &weights->parts[i]);
    free(weights);
    return true;
}
