/* Records as the JSON clients see.
 *
 * A prediction's keys stand in the order the public API gives them; a key that is not known yet is
 * absent, not null, but for output and error. Stored JSON (input, metrics) is spliced in as it is.
 * Files in an output are stored as "blob:<key>/<name>" and become links, or data: URLs where the
 * client could not use a plain http link; a model's own text that begins so is stored as "blob::".
 * Inputs that are secrets are never shown. Not here: errors (problem.c). */
#include "api/render.h"

#include <string.h>
#include <unistd.h>

#include "api/api_private.h"
#include "api/stream_link.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/base64.h"
#include "base/json.h"
#include "blob/blob.h"
#include "domain/prediction.h"
#include "registry/registry.h"
#include "store/store.h"

#define RENDER_REDACTED "**********"

static void write_time(struct buf *out, int64_t unix_us, int digits)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(unix_us, digits, true, text);
    buf_append_char(out, '"');
    buf_append_str(out, str_from(text));
    buf_append_char(out, '"');
}

static void write_string_or_null(struct buf *out, const char *text)
{
    if (text)
        json_write_string(str_from(text), out);
    else
        buf_append_str(out, S("null"));
}

/* ---- Outputs ----------------------------------------------------------------------------------
 */

struct output_writer {
    const struct render_options *options;
    int64_t expires_s;
    int64_t inline_left; /* bytes that may still be inlined */
    struct buf *out;
};

static bool read_whole(int fd, int64_t size, struct buf *bytes)
{
    if (!buf_reserve(bytes, (size_t)size))
        return false;
    while (bytes->len < (size_t)size) {
        ssize_t got = read(fd, bytes->ptr + bytes->len, (size_t)size - bytes->len);

        if (got <= 0)
            return false;
        bytes->len += (size_t)got;
    }
    return true;
}

/* The file as "data:<type>;base64,...". False, with nothing written, when it is too large or gone.
 */
static bool write_data_url(struct output_writer *writer, struct str ref)
{
    const struct blob_store *blobs = writer->options->api->blobs;
    char name[BLOB_REF_MAX];
    struct buf bytes;
    int64_t size;
    int fd;
    bool ok;

    if (!str_copy(ref, name, sizeof(name)) || !blob_read(blobs, ref, &fd, &size, NULL))
        return false;
    buf_init(&bytes, RENDER_INLINE_BYTES_MAX + 1);
    ok = size <= writer->inline_left && read_whole(fd, size, &bytes);
    close(fd);
    if (ok) {
        writer->inline_left -= size;
        buf_printf(writer->out, "\"data:%s;base64,", blob_content_type(name));
        base64_encode(buf_str(&bytes), BASE64_STANDARD, writer->out);
        buf_append_char(writer->out, '"');
    }
    buf_done(&bytes);
    return ok;
}

/* ref: what stands between "blob: and the closing quote. False when it is no file of ours. */
static bool write_blob(struct output_writer *writer, struct str ref)
{
    struct buf *out = writer->out;
    char path[4096];
    size_t start = out->len;

    if (!blob_path(writer->options->api->blobs, ref, path, sizeof(path)))
        return false;
    if (writer->options->inline_files && write_data_url(writer, ref))
        return true;
    buf_append_char(out, '"');
    buf_append_str(out, str_from(writer->options->base_url));
    if (!blob_link(writer->options->api->blobs, ref, writer->expires_s, out)) {
        if (!out->failed)
            out->len = start;
        return false;
    }
    buf_append_char(out, '"');
    return true;
}

/* Splice the output's text, replacing each string that starts with blob:. A quote that opens a
 * string is never preceded by a backslash, and "blob: cannot follow a quote that closes one. */
static void write_output(struct output_writer *writer, struct str output)
{
    struct str rest = output;
    ptrdiff_t at;

    if (output.len == 0) {
        buf_append_str(writer->out, S("null"));
        return;
    }
    while ((at = str_find(rest, S("\"blob:"))) >= 0) {
        struct str tail = str_skip(rest, (size_t)at + 6), ref, after;
        bool escaped = at > 0 && rest.ptr[at - 1] == '\\';

        buf_append_str(writer->out, (struct str){ rest.ptr, (size_t)at });
        if (!escaped && str_cut(tail, '"', &ref, &after) && write_blob(writer, ref)) {
            rest = after;
        } else {
            buf_append_str(writer->out, S("\"blob:"));
            rest = !escaped && str_starts(tail, S(":")) ? str_skip(tail, 1) : tail;
        }
    }
    buf_append_str(writer->out, rest);
}

void render_output(const struct render_options *options, struct str output, struct buf *out)
{
    struct output_writer writer = { .options = options, .out = out };

    writer.expires_s = clock_now_us() / 1000000 + options->api->link_lifetime_s;
    writer.inline_left = RENDER_INLINE_BYTES_MAX;
    write_output(&writer, output);
}

/* ---- Predictions ------------------------------------------------------------------------------
 */

/* The version a prediction was made with; NULL: it is not in the registry any more. */
static const struct registry_version *version_of(const struct render_options *options,
                                                 const struct prediction *prediction)
{
    const struct registry *registry = options->api->registry;
    const struct registry_model *model;
    struct str owner, name;

    if (options->version || !registry)
        return options->version;
    if (!str_cut(str_from(prediction->model), '/', &owner, &name))
        return NULL;
    model = registry_model_find(registry, owner, name);
    return model ? registry_version_find(model, str_from(prediction->version)) : NULL;
}

static void write_urls(const struct render_options *options, const struct prediction *prediction,
                       const struct registry_version *version, struct buf *out)
{
    struct str base = str_from(options->base_url), id = str_from(prediction->id);
    struct str kind = prediction->is_training ? S("/v1/trainings/") : S("/v1/predictions/");
    const struct str parts[] = { S(",\"urls\":{\"cancel\":\""), base, kind, id,
                                 S("/cancel\",\"get\":\""),     base, kind, id };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        buf_append_str(out, parts[i]);
    if (version && version->streams && !prediction->is_training) {
        buf_append_str(out, S("\",\"stream\":\""));
        stream_link_write(options->api, options->base_url, prediction->id, version->output_is_files,
                          out);
    }
    buf_append_str(out, S("\",\"web\":\""));
    buf_append_str(out, base);
    buf_append_str(out, S("/p/"));
    buf_append_str(out, id);
    buf_append_str(out, S("\"}"));
}

/* The input with its secrets made illegible. */
static void write_redacted(struct str input, const json_t *schema, struct buf *out)
{
    const json_t *properties = json_object_get(schema, "properties");
    json_t *json = NULL, *property;
    const char *name;

    if (!json_parse(input, &json, NULL)) {
        buf_append_str(out, S("{}"));
        return;
    }
    json_object_foreach((json_t *)properties, name,
                        property) if (registry_is_secret(property) && json_object_get(json, name))
        json_object_set_new(json, name, json_string(RENDER_REDACTED));
    json_write(json, true, out);
    json_decref(json);
}

static void write_input(const struct prediction *prediction, const struct registry_version *version,
                        struct buf *out)
{
    if (prediction->data_removed || prediction->input.len == 0)
        buf_append_str(out, S("{}"));
    else if (version && version->has_secrets)
        write_redacted(prediction->input,
                       prediction->is_training ? version->training_schema : version->input_schema,
                       out);
    else
        buf_append_str(out, prediction->input);
}

static void write_times(const struct prediction *prediction, struct buf *out)
{
    if (prediction->started_us) {
        buf_append_str(out, S(",\"started_at\":"));
        write_time(out, prediction->started_us, 6);
    }
    if (prediction->completed_us) {
        buf_append_str(out, S(",\"completed_at\":"));
        write_time(out, prediction->completed_us, 6);
    }
}

/* Keys that only some predictions have. */
static void write_rest(const struct prediction *prediction, struct buf *out)
{
    if (prediction->metrics.len > 0) {
        buf_append_str(out, S(",\"metrics\":"));
        buf_append_str(out, prediction->metrics);
    }
    if (prediction->deployment) {
        buf_append_str(out, S(",\"deployment\":"));
        json_write_string(str_from(prediction->deployment), out);
    }
    if (prediction->deadline_us) {
        buf_append_str(out, S(",\"deadline\":"));
        write_time(out, prediction->deadline_us, 3);
    }
    if (prediction->webhook) {
        buf_append_str(out, S(",\"webhook\":"));
        json_write_string(str_from(prediction->webhook), out);
    }
    if (prediction->webhook_events_filter.len > 0) {
        buf_append_str(out, S(",\"webhook_events_filter\":"));
        buf_append_str(out, prediction->webhook_events_filter);
    }
}

/* A prediction that still runs, as a client that waited in vain must see it: every official client
 * takes any status but "starting" for the end. */
static struct prediction not_begun(const struct prediction *prediction)
{
    struct prediction shown = *prediction;

    shown.status = PREDICTION_STARTING;
    shown.output = shown.logs = shown.metrics = (struct str){ NULL, 0 };
    shown.started_us = 0;
    return shown;
}

void render_prediction(const struct render_options *options, const struct prediction *prediction,
                       struct buf *out)
{
    const struct registry_version *version = version_of(options, prediction);
    struct output_writer writer = { .options = options, .out = out };
    struct prediction hidden;

    writer.expires_s = clock_now_us() / 1000000 + options->api->link_lifetime_s;
    writer.inline_left = RENDER_INLINE_BYTES_MAX;
    if (options->as_starting && !prediction_status_is_terminal(prediction->status)) {
        hidden = not_begun(prediction);
        prediction = &hidden;
    }
    buf_reserve(out, 900 + prediction->input.len); /* with little input: 1 KiB, quick to get */
    buf_append_str(out, S("{\"id\":\""));
    buf_append_str(out, str_from(prediction->id));
    buf_append_str(out, S("\",\"model\":"));
    json_write_string(str_from(prediction->model), out);
    buf_append_str(out, S(",\"version\":"));
    json_write_string(str_from(prediction->version), out);
    buf_append_str(out, S(",\"input\":"));
    write_input(prediction, version, out);
    buf_append_str(out, S(",\"logs\":"));
    json_write_string(prediction->data_removed ? S("") : prediction->logs, out);
    buf_append_str(out, S(",\"output\":"));
    write_output(&writer, prediction->data_removed ? S("") : prediction->output);
    buf_append_str(out, prediction->data_removed ? S(",\"data_removed\":true,\"error\":")
                                                 : S(",\"data_removed\":false,\"error\":"));
    write_string_or_null(out, prediction->error);
    buf_append_str(out, S(",\"source\":"));
    json_write_string(str_from(prediction->source ? prediction->source : "api"), out);
    buf_append_str(out, S(",\"status\":\""));
    buf_append_str(out, str_from(prediction_status_name(prediction->status)));
    buf_append_str(out, S("\",\"created_at\":"));
    write_time(out, prediction->created_us, 3);
    write_times(prediction, out);
    write_urls(options, prediction, version, out);
    write_rest(prediction, out);
    buf_append_char(out, '}');
}

/* ---- Files ------------------------------------------------------------------------------------
 */

void render_file(const char *base_url, const struct store_file *file, struct buf *out)
{
    buf_printf(out, "{\"id\":\"%s\",\"name\":", file->id);
    json_write_string(str_from(file->name), out);
    buf_append_str(out, S(",\"content_type\":"));
    json_write_string(str_from(file->content_type), out);
    buf_printf(out,
               ",\"size\":%lld,\"etag\":\"%s\",\"checksums\":{\"sha256\":\"%s\",\"md5\":\"%s\"}",
               (long long)file->size, file->md5, file->sha256, file->md5);
    buf_append_str(out, S(",\"metadata\":"));
    buf_append_str(out, file->metadata.len ? file->metadata : S("{}"));
    buf_append_str(out, S(",\"created_at\":"));
    write_time(out, file->created_us, 3);
    buf_append_str(out, S(",\"expires_at\":"));
    write_time(out, file->expires_us, 3);
    buf_printf(out, ",\"urls\":{\"get\":\"%s/v1/files/%s\"}}", base_url, file->id);
}

/* ---- Models -----------------------------------------------------------------------------------
 */

void render_version(const struct registry_version *version, struct buf *out)
{
    buf_append_str(out, S("{\"id\":"));
    json_write_string(str_from(version->id), out);
    buf_append_str(out, S(",\"created_at\":"));
    json_write_string(str_from(version->created_at), out);
    buf_append_str(out, S(",\"cog_version\":"));
    json_write_string(str_from(version->cog_version), out);
    buf_append_str(out, S(",\"openapi_schema\":"));
    json_write(version->openapi_schema, false, out);
    buf_append_char(out, '}');
}

/* What official clients need in any prediction, where the manifest's example leaves it out. */
static json_t *example_defaults(const char *base_url, const struct registry_model *model,
                                const char *id)
{
    const struct registry_version *version = model->version_count ? &model->versions[0] : NULL;
    const char *created_at = version ? version->created_at : model->created_at;

    return json_pack(
        "{s:s, s:s, s:s, s:{}, s:s, s:n, s:b, s:n, s:s, s:s, s:s, s:s, s:{}, s:{s:o, s:o}}", "id",
        id, "model", model->full_name, "version", version ? version->id : "hidden", "input", "logs",
        "", "output", "data_removed", 0, "error", "status", "succeeded", "created_at", created_at,
        "started_at", created_at, "completed_at", created_at, "metrics", "urls", "cancel",
        json_sprintf("%s/v1/predictions/%s/cancel", base_url, id), "get",
        json_sprintf("%s/v1/predictions/%s", base_url, id));
}

bool render_example(const char *base_url, const struct registry_model *model, struct buf *out)
{
    const char *id = json_get_string(model->default_example, "id");
    json_t *example, *defaults;

    if (!model->default_example)
        return false;
    example = json_copy((json_t *)model->default_example);
    defaults = example_defaults(base_url, model, id ? id : "00000000000000000000000000");
    if (example && defaults)
        json_object_update_missing(example, defaults);
    if (!example || !json_write(example, false, out))
        out->failed = true;
    json_decref(example);
    json_decref(defaults);
    return true;
}

void render_collection_open(const struct registry_collection *collection, struct buf *out)
{
    buf_append_str(out, S("{\"name\":"));
    json_write_string(str_from(collection->name), out);
    buf_append_str(out, S(",\"slug\":"));
    json_write_string(str_from(collection->slug), out);
    buf_append_str(out, S(",\"description\":"));
    json_write_string(str_from(collection->description), out);
}

void render_model(const char *base_url, const struct registry_model *model, int64_t run_count,
                  struct buf *out)
{
    buf_append_str(out, S("{\"cover_image_url\":"));
    write_string_or_null(out, model->cover_image_url);
    buf_append_str(out, S(",\"created_at\":"));
    json_write_string(str_from(model->created_at), out);
    buf_append_str(out, S(",\"default_example\":"));
    if (!render_example(base_url, model, out))
        buf_append_str(out, S("null"));
    buf_append_str(out, S(",\"description\":"));
    json_write_string(str_from(model->description), out);
    buf_append_str(out, S(",\"github_url\":"));
    write_string_or_null(out, model->github_url);
    buf_append_str(out,
                   model->is_official ? S(",\"is_official\":true") : S(",\"is_official\":false"));
    buf_append_str(out, S(",\"latest_version\":"));
    if (model->version_count > 0)
        render_version(&model->versions[0], out);
    else
        buf_append_str(out, S("null"));
    buf_append_str(out, S(",\"license_url\":"));
    write_string_or_null(out, model->license_url);
    buf_printf(out, ",\"name\":\"%s\",\"owner\":\"%s\",\"paper_url\":", model->name, model->owner);
    write_string_or_null(out, model->paper_url);
    buf_printf(out, ",\"run_count\":%lld,\"url\":\"%s/%s\",\"visibility\":\"%s\",\"weights_url\":",
               (long long)(model->run_count + run_count), base_url, model->full_name,
               model->visibility);
    write_string_or_null(out, model->weights_url);
    buf_append_char(out, '}');
}
