/* What is counted and fetched behind the routes: the history, the models' speeds, the installs of
 * weights; fed with what calls and predictions end with. Private to api/. */
#ifndef MIMEO_API_FIGURES_H
#define MIMEO_API_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

struct api;
struct api_options;
struct err;
struct history_level;

/* Fill api->history, ->speeds and ->installs; api->store and ->predict are there. */
bool figures_start(struct api *api, const struct api_options *options, struct err *err);
/* No call is under way any more. Fine when it was not started. */
void figures_stop(struct api *api);

/* Memory of this process, without its runners, in bytes; 0: not told. Any thread. */
int64_t figures_server_bytes(void);
/* What the data folder takes on the disk, counted at most once a minute; below 0: it holds too many
 * files to be counted, or is being counted. May block for a moment. */
int64_t figures_data_bytes(struct api *api);
/* How things are now. Any thread. */
void figures_look(const struct api *api, struct history_level *ret_level);

#endif
