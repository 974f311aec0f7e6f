/* What a training has learned becomes a version of its destination.
 *
 * The files are copied to a folder beside their place, and hashed on the way; the hash is the
 * version's id. The model's document notes it, the folder gets its name, and the document and the
 * registry get the version. Each step can be repeated; a version that the same training made before
 * is removed. So is, by the note, what there is of the version when the training then ends in
 * another way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/model_documents.h"
#include "api/model_documents_private.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "domain/prediction.h"
#include "predict/predict.h"
#include "registry/registry.h"

#define COPY_BYTES (256u << 10)
#define PATH_SIZE 4096

struct made { /* a version that is about to be */
    const struct prediction *training;
    const struct registry_version *base;
    char id[2 * HASH_SHA256_BYTES + 1];
};

/* ---- Files ------------------------------------------------------------------------------------
 */

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        len -= (size_t)put;
    }
    return true;
}

/* Copy what is left of one file, hashing it. */
static bool pump(int in, int out, struct hash_stream *hash)
{
    char *bytes = malloc(COPY_BYTES);
    ssize_t got = 1;

    while (bytes && got != 0) {
        got = read(in, bytes, COPY_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || !write_all(out, bytes, (size_t)got))
            break;
        hash_stream_update(hash, (struct str){ bytes, (size_t)got });
    }
    free(bytes);
    return bytes && got == 0 && fsync(out) == 0;
}

static bool copy_one(const struct predict_weights *weights, const char *folder,
                     struct hash_stream *hash, struct err *err)
{
    char path[PATH_SIZE];
    int in, out = -1, len;
    bool ok;

    len = snprintf(path, sizeof(path), "%s/%s", folder, weights->name);
    if (len < 0 || (size_t)len >= sizeof(path) || strchr(weights->name, '/') ||
        weights->name[0] == '.')
        return err_set(err, ERR_MODEL, "The training has named its weights \"%.60s\"",
                       weights->name);
    in = open(weights->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in >= 0)
        out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    hash_stream_update(hash, (struct str){ weights->name, strlen(weights->name) + 1 });
    ok = out >= 0 && pump(in, out, hash);
    if (!ok)
        err_sys(err, ERR_INTERNAL, errno, "trained weights could not be kept");
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return ok;
}

/* All files into a folder of that name, made anew; the hash of the destination's name, the base's
 * id and all files is the id. */
static bool copy_all(struct made *made, const struct predict_weights *weights, int count,
                     const char *folder, struct err *err)
{
    unsigned char digest[HASH_SHA256_BYTES];
    struct hash_stream *hash;
    bool ok = file_remove_tree(folder, err) && file_make_folders(folder, 0755, err);

    if (!ok)
        return false;
    hash = hash_stream_new();
    if (!hash)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for trained weights");
    /* Two models, even of two accounts, may learn the same from the same: each has its own. */
    hash_stream_update(hash, str_from(made->training->destination));
    hash_stream_update(hash, (struct str){ "", 1 });
    hash_stream_update(hash, str_from(made->base->id));
    for (int i = 0; ok && i < count; i++)
        ok = copy_one(&weights[i], folder, hash, err);
    hash_stream_finish(hash, digest, NULL);
    hash_hex(digest, sizeof(digest), made->id);
    return ok && file_sync_folder(folder, err);
}

/* The copied folder gets its name; the same weights may be there from before. */
static bool name_folder(struct model_documents *documents, const struct made *made,
                        const char *copied, struct err *err)
{
    char path[PATH_SIZE], parent[PATH_SIZE];

    if (!model_documents_weights_path(documents, made->training->destination, made->id, path,
                                      sizeof(path)))
        return err_set(err, ERR_MODEL, "The name of the trained model is too long");
    str_copy(str_from(path), parent, sizeof(parent));
    *strrchr(parent, '/') = '\0';
    if (rename(copied, path) == 0)
        return file_sync_folder(parent, err);
    if (errno == EEXIST || errno == ENOTEMPTY)
        return file_remove_tree(copied, err);
    return err_sys(err, ERR_INTERNAL, errno, "trained weights could not be kept");
}

/* ---- The version ------------------------------------------------------------------------------
 */

/* The destination runs what the base runs. */
static bool set_runner(json_t *manifest, const struct registry_model *base, struct err *err)
{
    static const char *const inherited[] = { "schema", "train", "streams" };
    const char *model = json_get_string(manifest, "model");
    int failed = 0;

    if (model && base->native_model && strcmp(model, base->native_model) != 0)
        return err_set(err, ERR_MODEL, "The destination is a model of another kind (%.60s)", model);
    failed |= json_object_set_new(manifest, "runner", json_string(base->runner));
    if (base->native_model)
        failed |= json_object_set_new(manifest, "model", json_string(base->native_model));
    for (size_t i = 0; i < ARRAY_LEN(inherited); i++) {
        json_t *value = json_object_get(base->manifest, inherited[i]);

        if (value && !json_object_get(manifest, inherited[i]))
            failed |= json_object_set(manifest, inherited[i], value);
    }
    return !failed || err_set(err, ERR_NO_MEMORY, "not enough memory for a version");
}

static bool has_version(const json_t *manifest, const char *id)
{
    const json_t *versions = json_object_get(manifest, "versions");

    for (size_t i = 0; i < json_array_size(versions); i++) {
        const char *one = json_get_string(json_array_get(versions, i), "id");

        if (one && strcmp(one, id) == 0)
            return true;
    }
    return false;
}

static bool add_version(json_t *manifest, const struct made *made, struct err *err)
{
    json_t *versions = json_object_get(manifest, "versions"), *version;
    char now[CLOCK_TEXT_SIZE];

    if (!json_is_array(versions)) {
        versions = json_array();
        json_object_set_new(manifest, "versions", versions);
    }
    clock_format(clock_now_us(), 6, true, now);
    version = json_pack("{s:s, s:s, s:s, s:o}", "id", made->id, "created_at", now, "cog_version",
                        made->base->cog_version, "weights_folder",
                        json_sprintf("%s/%s", made->training->destination, made->id));
    return json_array_append_new(versions, version) == 0 ||
           err_set(err, ERR_NO_MEMORY, "not enough memory for a version");
}

static bool is_leaving(const json_t *deleting, const char *id)
{
    for (size_t i = 0; i < json_array_size(deleting); i++)
        if (strcmp(json_string_value(json_array_get(deleting, i)), id) == 0)
            return true;
    return false;
}

/* Before there is anything with the version's name. */
static bool note(void *context, json_t *document, struct err *err)
{
    const struct made *made = context;
    json_t *trained = json_object_get(document, "trained");
    const char *before = json_get_string(trained, made->training->id);

    if (is_leaving(json_object_get(document, "deleting"), made->id))
        return err_set(err, ERR_UNAVAILABLE, "the same version is still being removed");
    if (before && strcmp(before, made->id) == 0)
        return true;
    return (model_document_forget_trained(document, made->training->id) &&
            json_object_set_new(trained, made->training->id, json_string(made->id)) == 0) ||
           err_set(err, ERR_NO_MEMORY, "not enough memory for a version");
}

static bool record(void *context, json_t *document, struct err *err)
{
    const struct made *made = context;
    json_t *manifest = json_object_get(document, "manifest");

    return set_runner(manifest, made->base->model, err) &&
           (has_version(manifest, made->id) || add_version(manifest, made, err));
}

static bool make(struct model_documents *documents, struct made *made,
                 const struct predict_weights *weights, int count, const char *folder,
                 struct err *err)
{
    const char *destination = made->training->destination;
    const struct registry_model *model;

    made->base =
        registry_resolve(model_documents_registry(documents), str_from(made->training->version));
    if (!made->base)
        return err_set(err, ERR_MODEL, "The version that was trained is gone");
    if (copy_all(made, weights, count, folder, err) &&
        model_documents_change(documents, destination, note, made, &model, err) &&
        name_folder(documents, made, folder, err) &&
        model_documents_change(documents, destination, record, made, &model, err))
        return true;
    if (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID || err->kind == ERR_CONFLICT)
        err->kind = ERR_MODEL; /* trying again would not help */
    return false;
}

/* The training did not succeed: what it has made, if anything, goes. */
static bool forget(void *context, json_t *document, struct err *err)
{
    const struct made *made = context;

    return model_document_forget_trained(document, made->training->id) ||
           err_set(err, ERR_NO_MEMORY, "not enough memory for a model");
}

static bool take_back(struct model_documents *documents, struct made *made, struct err *err)
{
    const struct registry_model *model;
    struct err why = { 0 };

    if (model_documents_change(documents, made->training->destination, forget, made, &model,
                               &why) ||
        why.kind == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool model_documents_trained(void *context, const struct prediction *training,
                             const struct predict_weights *weights, int count,
                             char ret_version_id[65], struct err *err)
{
    struct model_documents *documents = context;
    struct made made = { .training = training };
    char name[64], folder[PATH_SIZE];
    bool ok;

    snprintf(name, sizeof(name), ".%s.new", training->id);
    if (!model_documents_weights_path(documents, training->destination, name, folder,
                                      sizeof(folder)))
        return err_set(err, ERR_MODEL, "The name of the trained model is too long");
    ok = count > 0 ? make(documents, &made, weights, count, folder, err)
                   : take_back(documents, &made, err);
    if (!ok || count == 0)
        file_remove_tree(folder, NULL);
    str_copy(str_from(made.id), ret_version_id, sizeof(made.id));
    return ok;
}
