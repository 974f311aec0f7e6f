/* Training: the end of one that has succeeded. What the model has learned becomes a new version,
 * made by whoever set options.trained, and the record names it:
 *
 *   {"version": "OWNER/NAME:<id>", "weights": "blob:<ref of the main file>"}
 *
 * Not here: how a training runs; it is a run like any other, with inputs of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "blob/blob.h"
#include "predict/predict_private.h"

/* Ask for the version. ret_id stays "" when nobody makes versions. */
static bool make_version(struct run *run, char ret_id[65], struct err *err)
{
    const struct predict_options *options = &run->predict->options;
    size_t count = (size_t)run->output_count;
    char(*paths)[4400] = calloc(count, sizeof *paths);
    struct predict_weights *weights = calloc(count, sizeof *weights);
    bool ok = paths && weights;
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "There is no memory for the names of the weights.");
    for (size_t i = 0; ok && i < count; i++) {
        const struct run_file *file = &run->outputs[i];
        weights[i] = (struct predict_weights){ file->name, paths[i] };
        ok = blob_path(options->blobs, str_from(file->ref), paths[i], sizeof paths[i]) ||
             err_set(err, ERR_INTERNAL, "The path of the weights is too long.");
    }
    ret_id[0] = '\0';
    if (ok && options->trained)
        ok = options->trained(options->trained_context, &run->record, weights, (int)count, ret_id,
                              err);
    free(paths);
    free(weights);
    return ok;
}

bool training_write_output(struct run *run, struct err *err)
{
    char id[65], version[512], main_file[200];
    if (run->output_count == 0)
        return err_set(err, ERR_MODEL, "The training gave no weights.");
    if (!make_version(run, id, err))
        return false;
    /* The record names the main file only; the others have their copies with the version. */
    for (int i = 1; i < run->output_count; i++) {
        blob_remove(run->predict->options.blobs, run->id, str_from(run->outputs[i].ref), NULL);
        run->outputs[i].ref[0] = '\0';
    }
    run->output_count = 1;
    snprintf(version, sizeof version, "%.300s:%s",
             run->record.destination ? run->record.destination : run->record.model, id);
    snprintf(main_file, sizeof main_file, "blob:%s", run->outputs[0].ref);
    json_t *output = json_object();
    if (id[0])
        json_object_set_new(output, "version", json_string(version));
    json_object_set_new(output, "weights", json_string(main_file));
    buf_clear(&run->end_output);
    bool ok = json_write(output, false, &run->end_output);
    json_decref(output);
    return ok || err_set(err, ERR_NO_MEMORY, "There is no memory for the training's output.");
}

bool training_take_back(struct predict *predict, const struct prediction *record, struct err *err)
{
    const struct predict_options *options = &predict->options;
    char id[65];
    return !record->is_training || !options->trained ||
           options->trained(options->trained_context, record, NULL, 0, id, err);
}
