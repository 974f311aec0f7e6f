/* Taking a model's weights away again.
 *
 * Every step goes down from the weights folder by descriptors and follows no link, so that neither
 * a link in it nor one put there meanwhile leads out of it. Files that models share are hard
 * links (reuse.c): the other model's name for the same bytes stays. What a pull has left is removed
 * where pulls put it: a .pull that the operator has linked to another disk is followed, as they
 * do; a link in the place of the model's own folder there only goes itself. */
#include "pull/pull.h"
#include "pull/pull_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

/* *ret_fd -1: it is not there. */
static bool folder_open(int parent, const char *name, int *ret_fd, struct err *err)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *ret_fd = fd;
    if (fd >= 0 || errno == ENOENT)
        return true;
    if (errno == ELOOP || errno == ENOTDIR)
        return err_set(err, ERR_CONFLICT,
                       "The folder of the weights is a link; what it stands for has to be removed "
                       "by hand.");
    return err_sys(err, ERR_INTERNAL, errno, "cannot open the folder of the weights");
}

/* A link goes, too: itself, not what it stands for. */
static bool file_remove(int folder, const struct registry_weights_file *file, struct err *err)
{
    struct stat status;

    if (fstatat(folder, file->file, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ||
               err_sys(err, ERR_INTERNAL, errno, "cannot look at a weights file");
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
        return true; /* nothing of ours */
    return unlinkat(folder, file->file, 0) == 0 || errno == ENOENT ||
           err_sys(err, ERR_INTERNAL, errno, "cannot remove a weights file");
}

static bool files_remove(const struct registry_weights *weights, int folder, struct err *err)
{
    for (int i = 0; i < weights->part_count; i++)
        for (int k = 0; k < weights->parts[i].variant_count; k++) {
            const struct registry_weights_variant *variant = &weights->parts[i].variants[k];
            for (int n = 0; n < variant->file_count; n++)
                if (!file_remove(folder, &variant->files[n], err))
                    return false;
        }
    return true;
}

/* <weights folder>/<owner>/<name>: its files, then itself and its parent when they are empty. */
static bool model_remove(const struct pull_options *options, const struct registry_weights *weights,
                         int root, struct err *err)
{
    int owner = -1, model = -1;
    bool ok = folder_open(root, options->owner, &owner, err) &&
              (owner < 0 || folder_open(owner, options->name, &model, err));

    if (ok && model >= 0)
        ok = files_remove(weights, model, err);
    if (model >= 0) {
        fsync(model);
        close(model);
    }
    if (ok && owner >= 0 && unlinkat(owner, options->name, AT_REMOVEDIR) == 0)
        unlinkat(root, options->owner, AT_REMOVEDIR);
    if (owner >= 0)
        close(owner);
    return ok;
}

bool pull_remove(const struct pull_options *options, struct err *err)
{
    struct registry_weights *weights = NULL;
    struct pull_folders folders;
    int lock_fd = -1, root = -1;

    if (!pull_folders_name(options, &folders, err) ||
        !registry_weights_read(options->manifest, &weights, err))
        return false;
    bool ok = pull_lock_take(options, &folders, false, &lock_fd, err);
    if (ok) {
        root = open(options->weights_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ok = root >= 0 || err_sys(err, ERR_INTERNAL, errno, "cannot open the weights folder");
    }
    ok = ok && model_remove(options, weights, root, err) && file_remove_tree(folders.work, err);
    if (root >= 0)
        close(root);
    if (lock_fd >= 0)
        close(lock_fd);
    free(weights);
    return ok;
}
