/* What `mimeo run` does with a finished prediction's output: files are fetched, texts printed. */
#ifndef MIMEO_CLI_OUTPUT_H
#define MIMEO_CLI_OUTPUT_H

#include <stddef.h>

#include "mimeo.h"

/* given: -o PATH, or NULL. Prints each file's path, or the text, on standard output. */
bool output_save(struct mimeo_client *client, const json_t *output, const char *given,
                 struct mimeo_error *error);

/* The file for output `index` of `count`: "out.png" is out.png alone, out-0.png among several;
 * without `given` the name is the link's last part. False when it does not fit. */
bool output_name(const char *given, const char *url, int index, int count, char *ret_path,
                 size_t size);

/* Percent of the last progress bar (tqdm's "45%|####   | 9/20 [...]") in a model's logs; -1. */
int output_progress_percent(const char *logs);

#endif
