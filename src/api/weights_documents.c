/* A model's weights as clients see them: see docs/weights.md. */
#include "api/weights_documents.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/installs.h"
#include "api/speeds.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "predict/manage.h"
#include "predict/predict.h"
#include "pull/pull.h"
#include "registry/registry.h"
#include "registry/weights.h"

/* A model that was never loaded is guessed to need this and twice its weights: they are mapped, and
 * copied as f32 in the order in which they are used; the rest is planes, of which each network has
 * others. */
#define GUESS_BYTES ((int64_t)256 << 20)
#define GUESS_FACTOR 2
#define LICENSE_BYTES_MAX 16384

static void write_text(const char *text, struct buf *out)
{
    if (text)
        json_write_string(str_from(text), out);
    else
        buf_append_str(out, S("null"));
}

static void write_number(int64_t number, struct buf *out) /* below 0: null */
{
    if (number >= 0)
        buf_printf(out, "%lld", (long long)number);
    else
        buf_append_str(out, S("null"));
}

static void write_time(int64_t unix_us, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE];

    if (unix_us > 0)
        clock_format(unix_us, 3, false, text);
    write_text(unix_us > 0 ? text : NULL, out);
}

/* ---- Licence ---------------------------------------------------------------------------------
 */

struct license {
    struct buf name, text; /* of all of them, one after the other */
    const char *url;       /* of the first that has one */
};

static void append(struct buf *out, const char *between, const char *text)
{
    if (!text || !*text)
        return;
    if (out->len > 0)
        buf_append_str(out, str_from(between));
    buf_append_str(out, str_from(text));
}

/* What the sources of the parts say, each licence once: `mimeo pull` shows it, too. */
static void names_of_sources(const struct registry_weights *weights, struct license *license)
{
    for (int i = 0; i < weights->part_count; i++)
        for (int k = 0; k < weights->parts[i].variant_count; k++) {
            const struct registry_weights_variant *variant = &weights->parts[i].variants[k];
            if (!variant->license ||
                str_find(buf_str(&license->name), str_from(variant->license)) >= 0)
                continue;
            append(&license->name, ", ", variant->license);
            if (!license->url)
                license->url = variant->license_url;
        }
}

/* False: there is none that we know of, or nothing is published. End with license_done. */
static bool license_read(const struct registry_model *model, struct license *license)
{
    const json_t *all = json_object_get(json_object_get(model->manifest, "weights"), "licenses");
    struct registry_weights *weights = NULL;

    buf_init(&license->name, LICENSE_BYTES_MAX);
    buf_init(&license->text, LICENSE_BYTES_MAX);
    license->url = NULL;
    if (!registry_weights_read(model->manifest, &weights, NULL))
        return false;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        append(&license->name, ", ", json_get_string(one, "name"));
        append(&license->text, " ", json_get_string(one, "text"));
        if (!license->url)
            license->url = json_get_string(one, "url");
    }
    if (json_array_size(all) == 0)
        names_of_sources(weights, license);
    if (!license->url)
        license->url = model->license_url;
    free(weights);
    return license->name.len > 0 || license->url;
}

static void license_done(struct license *license)
{
    buf_done(&license->name);
    buf_done(&license->text);
}

bool weights_document_has_license(const struct registry_model *model)
{
    struct license license;
    bool has = license_read(model, &license);

    license_done(&license);
    return has;
}

/* All of them apart, for who wants to show each with its link. */
static void write_licenses(const struct registry_model *model, struct buf *out)
{
    const json_t *all = json_object_get(json_object_get(model->manifest, "weights"), "licenses");

    buf_append_str(out, S(",\"all\":["));
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        buf_append_str(out, i > 0 ? S(",{\"name\":") : S("{\"name\":"));
        write_text(json_get_string(one, "name"), out);
        buf_append_str(out, S(",\"url\":"));
        write_text(json_get_string(one, "url"), out);
        buf_append_str(out, S(",\"text\":"));
        write_text(json_get_string(one, "text"), out);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

static void write_license(const struct registry_model *model, bool must_accept, struct buf *out)
{
    struct license license;

    buf_append_str(out, S(",\"license\":"));
    if (license_read(model, &license)) {
        buf_append_str(out, S("{\"name\":"));
        json_write_string(license.name.len > 0 ? buf_str(&license.name) : S("See the link"), out);
        buf_append_str(out, S(",\"url\":"));
        write_text(license.url, out);
        buf_printf(out, ",\"must_accept\":%s,\"text\":", must_accept ? "true" : "false");
        if (license.text.len > 0)
            json_write_string(buf_str(&license.text), out);
        else
            buf_append_str(out, S("null"));
        write_licenses(model, out);
        buf_append_char(out, '}');
    } else {
        buf_append_str(out, S("null"));
    }
    license_done(&license);
}

/* ---- Parts -----------------------------------------------------------------------------------
 */

struct sums {
    bool complete;     /* all that is needed is here */
    bool missing;      /* something, needed or not, is not here */
    int64_t needed;    /* bytes of the parts that are not optional */
    int64_t left;      /* of these, still to be fetched */
    int64_t installed; /* of all */
};

static struct sums sums_of(const struct pull_facts *facts)
{
    struct sums sums = { .complete = true };

    for (int i = 0; i < facts->part_count; i++) {
        const struct pull_part *part = &facts->parts[i];
        sums.missing = sums.missing || !part->installed;
        if (part->installed)
            sums.installed += part->bytes;
        if (part->optional)
            continue;
        sums.complete = sums.complete && part->installed;
        sums.needed += part->bytes;
        sums.left += part->left_bytes;
    }
    return sums;
}

static void write_parts(const struct pull_facts *facts, struct buf *out)
{
    buf_append_str(out, S(",\"parts\":["));
    for (int i = 0; i < facts->part_count; i++) {
        const struct pull_part *part = &facts->parts[i];
        buf_append_str(out, i > 0 ? S(",{\"name\":") : S("{\"name\":"));
        write_text(part->name, out);
        buf_append_str(out, S(",\"description\":"));
        write_text(part->description, out);
        buf_printf(out, ",\"optional\":%s,\"installed\":%s,\"bytes\":%lld}",
                   part->optional ? "true" : "false", part->installed ? "true" : "false",
                   (long long)part->bytes);
    }
    buf_append_char(out, ']');
}

/* ---- Install, speed, price, runners ----------------------------------------------------------
 */

static void write_install(const struct install *install, struct buf *out)
{
    static const char *const states[] = { "running", "failed", "canceled", "succeeded" };

    buf_append_str(out, S(",\"install\":"));
    if (!install) {
        buf_append_str(out, S("null"));
        return;
    }
    buf_printf(out, "{\"state\":\"%s\",\"step\":", states[install->state]);
    write_text(install->step, out);
    buf_printf(out, ",\"done_bytes\":%lld,\"total_bytes\":", (long long)install->done_bytes);
    write_number(install->total_bytes, out);
    buf_append_str(out, S(",\"bytes_per_second\":"));
    write_number(install->bytes_per_second, out);
    buf_append_str(out, S(",\"error\":"));
    write_text(install->error[0] ? install->error : NULL, out);
    buf_append_str(out, S(",\"started_at\":"));
    write_time(install->started_us, out);
    buf_append_str(out, S(",\"completed_at\":"));
    write_time(install->completed_us, out);
    buf_append_char(out, '}');
}

static void write_speed(const struct api *api, const char *model, struct buf *out)
{
    struct speed speed;

    if (speeds_get(api->speeds, model, &speed))
        buf_printf(out, ",\"speed\":{\"runs\":%d,\"p50_s\":%.6f,\"p95_s\":%.6f}", speed.runs,
                   speed.p50_s, speed.p95_s);
    else
        buf_append_str(out, S(",\"speed\":null"));
}

static void write_price_of(const char *name, int64_t microusd, struct buf *out)
{
    if (microusd > 0)
        buf_printf(out, "\"%s\":%.6g", name, (double)microusd / 1e6);
    else
        buf_printf(out, "\"%s\":null", name);
}

/* What a prediction costs, in US dollars. */
static void write_price(const struct registry_price *price, struct buf *out)
{
    buf_append_str(out, S(",\"price\":"));
    if (price->per_second_microusd + price->per_image_microusd + price->per_run_microusd == 0) {
        buf_append_str(out, S("null"));
        return;
    }
    buf_append_char(out, '{');
    write_price_of("per_second", price->per_second_microusd, out);
    buf_append_char(out, ',');
    write_price_of("per_image", price->per_image_microusd, out);
    buf_append_char(out, ',');
    write_price_of("per_run", price->per_run_microusd, out);
    buf_append_char(out, '}');
}

struct count {
    const char *model;
    int runners;
};

static void count_runner(void *context, const struct predict_runner_info *info)
{
    struct count *count = context;

    count->runners += strcmp(info->model, count->model) == 0 && strcmp(info->state, "ending") != 0;
}

/* ---- The whole -------------------------------------------------------------------------------
 */

static const char *state_of(const struct registry_model *model, const struct sums *sums,
                            const struct install *install)
{
    if (!model->native_model || !model->by_name)
        return "unsupported";
    if (sums->complete || model->by_name->weights_folder) /* a folder of its own came with it */
        return "ready";
    return install && install->state == INSTALL_RUNNING ? "installing" : "needs_weights";
}

/* Below 0: nobody knows. */
static int64_t memory_of(const struct api *api, const struct registry_model *model,
                         const struct sums *sums)
{
    int64_t measured = predict_footprint(api->predict, model->full_name);

    if (measured > 0)
        return measured;
    return model->native_model && sums->needed > 0 ? GUESS_BYTES + GUESS_FACTOR * sums->needed : -1;
}

void weights_document_write(const struct api *api, const struct registry_model *model,
                            struct buf *out)
{
    struct count count = { .model = model->full_name };
    struct pull_facts facts = { 0 };
    struct pull_options options;
    struct install install;

    installs_fill(api->installs, model, &options);
    bool has_install = installs_get(api->installs, model->full_name, &install);
    pull_inspect(&options, &facts, NULL); /* weights that cannot be read: as for runners, none */
    predict_each_runner(api->predict, count_runner, &count);
    struct sums sums = sums_of(&facts);
    int64_t memory = memory_of(api, model, &sums);
    buf_append_str(out, S("{\"model\":"));
    write_text(model->full_name, out);
    buf_printf(out, ",\"state\":\"%s\",\"fits\":%s,\"memory_bytes\":",
               state_of(model, &sums, has_install ? &install : NULL),
               memory <= predict_memory_budget(api->predict) ? "true" : "false");
    write_number(memory, out);
    buf_printf(out, ",\"download_bytes\":%lld,\"installed_bytes\":%lld", (long long)sums.left,
               (long long)sums.installed);
    write_license(model, sums.missing, out);
    write_parts(&facts, out);
    write_install(has_install ? &install : NULL, out);
    write_speed(api, model->full_name, out);
    write_price(&model->price, out);
    buf_printf(out, ",\"runners\":%d}", count.runners);
}
