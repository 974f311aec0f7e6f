/* The files that a registry is made from: built-in ones (models/, catalogue/; embedded) and those
 * of a user's folder. Not here: what stands in them (manifest.c, catalogue.c). */
#include "registry/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/embed.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "registry/catalogue.h"
#include "registry/registry.h"

#define LOAD_FILE_BYTES (1u << 20) /* what the YAML reader takes */
#define LOAD_FILES_MAX 10000       /* in one folder: more is a mistake in its name */
#define LOAD_PATH_SIZE 4096

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "not enough memory for the manifests");
}

static bool add_manifest(json_t *manifests, struct str yaml, struct err *err)
{
    json_t *manifest = NULL;
    char full_name[256]; /* two names of at most 100 */

    if (!registry_manifest_parse(yaml, &manifest, err))
        return false;
    snprintf(full_name, sizeof(full_name), "%s/%s", json_get_string(manifest, "owner"),
             json_get_string(manifest, "name"));
    if (json_object_get(manifests, full_name)) {
        json_decref(manifest);
        return err_set(err, ERR_INVALID, "%.180s has a manifest already", full_name);
    }
    return json_object_set_new(manifests, full_name, manifest) == 0 || no_memory(err);
}

/* One file's text to where it belongs, by its name. */
static bool add_file(struct loaded *loaded, json_t *manifests, const char *name, struct str yaml,
                     struct err *err)
{
    if (strcmp(name, "functions.yaml") == 0)
        return catalogue_read_functions(yaml, loaded->functions, err);
    if (strcmp(name, "collections.yaml") == 0)
        return catalogue_read_collections(yaml, loaded->collections, err);
    return add_manifest(manifests, yaml, err);
}

static bool load_embedded(struct loaded *loaded, const struct embed_file *files, struct err *err)
{
    for (const struct embed_file *file = files; file->name; file++) {
        struct str yaml = { (const char *)file->data, file->len };

        if (!add_file(loaded, loaded->built_in, file->name, yaml, err)) {
            if (err && err->kind == ERR_INVALID)
                err->kind = ERR_INTERNAL;
            return err_while(err, "reading the built-in file %s", file->name);
        }
    }
    return true;
}

static int is_yaml_entry(const struct dirent *entry)
{
    struct str name = str_from(entry->d_name);

    return entry->d_name[0] != '.' && (str_ends(name, S(".yaml")) || str_ends(name, S(".yml")));
}

static bool load_file(struct loaded *loaded, const char *folder, const char *name, struct err *err)
{
    struct buf yaml;
    char path[LOAD_PATH_SIZE], detail[sizeof(err->detail)];
    int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    bool ok;

    if (len < 0 || (size_t)len >= sizeof(path))
        return err_set(err, ERR_INVALID, "the path of '%.100s' is too long", name);
    buf_init(&yaml, LOAD_FILE_BYTES);
    ok = file_read(path, &yaml, err) && add_file(loaded, loaded->folder, name, buf_str(&yaml), err);
    buf_done(&yaml);
    if (!ok && err) { /* the file's name belongs into the sentence the operator sees */
        str_copy(str_from(err->detail), detail, sizeof(detail));
        err_set(err, err->kind, "%.90s: %.160s", path, detail);
    }
    return ok;
}

static bool load_folder(struct loaded *loaded, const char *folder, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_yaml_entry, alphasort);
    bool ok = true;

    if (count < 0 && errno == ENOENT)
        return true;
    if (count < 0)
        return err_sys(err, ERR_INVALID, errno, "cannot read the manifests folder '%.150s'",
                       folder);
    if (count > LOAD_FILES_MAX)
        ok = err_set(err, ERR_TOO_LARGE, "'%.150s' has more than %d manifests", folder,
                     LOAD_FILES_MAX);
    for (int i = 0; i < count; i++) {
        if (ok)
            ok = load_file(loaded, folder, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

bool load_files(const char *folder, struct loaded *ret_loaded, struct err *err)
{
    *ret_loaded = (struct loaded){ json_object(), json_object(), json_object(), json_object() };
    if (!ret_loaded->built_in || !ret_loaded->folder || !ret_loaded->functions ||
        !ret_loaded->collections)
        return no_memory(err);
    return load_embedded(ret_loaded, embed_models, err) &&
           load_embedded(ret_loaded, embed_catalogue, err) &&
           (!folder || load_folder(ret_loaded, folder, err));
}

void load_done(struct loaded *loaded)
{
    json_decref(loaded->built_in);
    json_decref(loaded->folder);
    json_decref(loaded->functions);
    json_decref(loaded->collections);
}

static bool add_native(json_t *native, const json_t *models, struct err *err)
{
    if (!json_is_array(models))
        return err_set(err, ERR_INTERNAL, "the runner's description has no list of models");
    for (size_t i = 0; i < json_array_size(models); i++) {
        json_t *model = json_array_get(models, i);
        const char *name = json_get_string(model, "name");

        if (!name)
            return err_set(err, ERR_INTERNAL, "the runner describes a model without a name");
        if (json_object_set(native, name, model) != 0)
            return no_memory(err);
    }
    return true;
}

bool load_description(const char *text, json_t **ret_native, struct err *err)
{
    json_t *description = NULL, *native = json_object();
    bool ok;

    if (!native)
        return no_memory(err);
    if (!text) {
        *ret_native = native;
        return true;
    }
    if (!json_parse(str_from(text), &description, err)) {
        json_decref(native);
        return err_while(err, "reading what the runner says of its models");
    }
    ok = add_native(native, json_object_get(description, "models"), err);
    json_decref(description);
    if (ok)
        *ret_native = native;
    else
        json_decref(native);
    return ok;
}
