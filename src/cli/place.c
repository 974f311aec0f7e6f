/* Paths and the lock. */
#include "cli/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "store/store.h"

#define FOLDER_MODE 0700

static bool path_print(char ret_path[PLACE_PATH_MAX], struct err *err, const char *folder,
                       const char *name)
{
    int len = snprintf(ret_path, PLACE_PATH_MAX, "%s%s%s", folder, name[0] != 0 ? "/" : "", name);

    return (len >= 0 && len < PLACE_PATH_MAX) || err_set(err, ERR_INVALID, "a path is too long");
}

bool place_data_folder(const char *given, char ret_path[PLACE_PATH_MAX], struct err *err)
{
    const char *base = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");

    if (given != NULL)
        return path_print(ret_path, err, given, "");
    if (base != NULL && base[0] == '/')
        return path_print(ret_path, err, base, "mimeo");
    if (home != NULL && home[0] == '/')
        return path_print(ret_path, err, home, ".local/share/mimeo");
    return err_set(err, ERR_INVALID, "there is no home folder: say where with --data DIR");
}

bool place_in_data(const char *given, const char *data_folder, const char *name,
                   char ret_path[PLACE_PATH_MAX], struct err *err)
{
    return given != NULL ? path_print(ret_path, err, given, "")
                         : path_print(ret_path, err, data_folder, name);
}

bool place_beside_program(const char *given, const char *name, char ret_path[PLACE_PATH_MAX],
                          struct err *err)
{
    char program[PLACE_PATH_MAX];

    if (given != NULL)
        return path_print(ret_path, err, given, "");
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot tell where this program is");
    program[len] = 0;
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = 0;
    return path_print(ret_path, err, program, name);
}

/* Who holds the lock, for the message; 0 when the file does not say. */
static long lock_owner(int fd)
{
    char text[32];
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

    if (len <= 0)
        return 0;
    text[len] = 0;
    return strtol(text, NULL, 10);
}

#define LOCK_TRIES 100
#define LOCK_RETRY_US 20000 /* 2 s in all */

bool place_lock_data(const char *data_folder, int *ret_lock_fd, struct err *err)
{
    char path[PLACE_PATH_MAX];

    if (!file_make_folders(data_folder, FOLDER_MODE, err) ||
        !path_print(path, err, data_folder, "lock"))
        return false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot write to the data folder '%s': %s",
                       data_folder, strerror(errno));
    /* A server that was killed a moment ago may have left a child between fork and exec that still
     * shares the lock: give it time to go before calling it another server. */
    int tries = LOCK_TRIES;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0 && --tries > 0)
        usleep(LOCK_RETRY_US);
    if (tries == 0) {
        long owner = lock_owner(fd);
        close(fd);
        return err_set(err, ERR_CONFLICT,
                       "another server (process %ld) uses the data folder '%s'; "
                       "stop it or choose another with --data DIR",
                       owner, data_folder);
    }
    if (ftruncate(fd, 0) == 0)
        dprintf(fd, "%ld\n", (long)getpid());
    *ret_lock_fd = fd;
    return true;
}

bool place_open_store(const char *data_folder, struct store **ret_store, struct err *err)
{
    char path[PLACE_PATH_MAX], location[PLACE_PATH_MAX + 16];

    if (!file_make_folders(data_folder, FOLDER_MODE, err) ||
        !path_print(path, err, data_folder, "mimeo.db"))
        return false;
    snprintf(location, sizeof(location), "sqlite:%s", path);
    return store_open(location, ret_store, err) ||
           err_while(err, "opening the store in '%s'", data_folder);
}
