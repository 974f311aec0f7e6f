/* Where things are: the data folder, what lies in it, the programs beside this one. */
#ifndef MIMEO_CLI_PLACE_H
#define MIMEO_CLI_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct option_values;
struct store;

#define PLACE_PATH_MAX 4096

/* --data DIR, or $XDG_DATA_HOME/mimeo, or ~/.local/share/mimeo; absolute or as given. */
bool place_data_folder(const char *given, char ret_path[PLACE_PATH_MAX], struct err *err);

/* `given`, or <data folder>/<name>. */
bool place_in_data(const char *given, const char *data_folder, const char *name,
                   char ret_path[PLACE_PATH_MAX], struct err *err);

/* `given`, or the program `name` beside this one. */
bool place_beside_program(const char *given, const char *name, char ret_path[PLACE_PATH_MAX],
                          struct err *err);

/* Make the data folder (0700) and take its lock, which lasts as long as *ret_lock_fd is open.
 * ERR_CONFLICT when another server has it. */
bool place_lock_data(const char *data_folder, int *ret_lock_fd, struct err *err);

/* Open the store in the data folder, making both where they are absent. */
bool place_open_store(const char *data_folder, struct store **ret_store, struct err *err);

#endif
