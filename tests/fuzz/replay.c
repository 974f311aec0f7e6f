/* The main() of a fuzzer built without libFuzzer: gives every file named on the command line, and
 * every file in the folders named there, to the fuzz target once. Not here: finding new inputs. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define REPLAY_BYTES_MAX ((size_t)64 << 20) /* seeds are small; this stops a wrong path early */

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    struct stat status;
    if (fstat(fileno(file), &status) != 0 || (size_t)status.st_size > REPLAY_BYTES_MAX) {
        fprintf(stderr, "%s: too large for a seed\n", path);
        fclose(file);
        return 1;
    }
    /* Exactly as long as the input, so that a sanitizer sees one byte too many. */
    size_t len = (size_t)status.st_size;
    uint8_t *bytes = malloc(len ? len : 1);
    int failed = !bytes || fread(bytes, 1, len, file) != len;
    fclose(file);
    if (failed)
        fprintf(stderr, "%s: cannot be read\n", path);
    else
        LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
    return failed;
}

static int replay_path(const char *path, int *count)
{
    DIR *folder = opendir(path);
    if (!folder) {
        ++*count;
        return replay_file(path);
    }
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char inner[4096];
        int len = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && len > 0 && (size_t)len < sizeof inner)
            failed |= replay_path(inner, count);
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0, count = 0;
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-') /* options are for libFuzzer */
            failed |= replay_path(argv[i], &count);
    printf("%d inputs replayed\n", count);
    return failed;
}
