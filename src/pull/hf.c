/* Weights from a Hugging Face hub, or from whatever HF_ENDPOINT names: one file of a repository,
 * over HTTP with resume. */
#include "pull/pull_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/fetch.h"

#define ENDPOINT_DEFAULT "https://huggingface.co"
#define REDIRECTS_MAX 5
#define STALL_TIMEOUT_MS 60000

static void on_progress(void *context, int64_t done, int64_t total)
{
    const struct pull_job *job = context;

    pull_progress(job, "downloading", done, total > 0 ? total : job->variant->size);
}

/* The size of what an earlier try left. Makes an empty file where there is none: fetch_file keeps
 * what it could get of a file that was there. */
static bool part_open(const char *path, int64_t *ret_size, struct err *err)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0 || fstat(fd, &status) != 0) {
        int failed = errno;
        if (fd >= 0)
            close(fd);
        return err_sys(err, ERR_INTERNAL, failed, "cannot write '%s': %s", path, strerror(failed));
    }
    close(fd);
    *ret_size = status.st_size;
    return true;
}

static bool url_make(const struct pull_job *job, char *ret_url, size_t size)
{
    const char *endpoint = job->options->hf_endpoint;
    struct str base = str_from(endpoint != NULL ? endpoint : ENDPOINT_DEFAULT);

    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    int len = snprintf(ret_url, size, "%.*s/%s/resolve/main/%s", STR_FMT(base),
                       job->variant->source + 3, job->variant->path);
    return len > 0 && (size_t)len < size;
}

bool pull_hf_fetch(const struct pull_job *job, struct err *err)
{
    char url[PULL_PATH_MAX], authorization[512] = "";
    const char *token = job->options->hf_token;
    int64_t have = 0;
    struct fetch_result result;

    if (!url_make(job, url, sizeof(url)))
        return err_set(err, ERR_INVALID, "the address of the file is too long");
    if (!part_open(job->target, &have, err))
        return false;
    if (token != NULL)
        snprintf(authorization, sizeof(authorization), "Bearer %s", token);
    struct fetch_options options = {
        .bytes_max = job->variant->size,
        .stall_timeout_ms = STALL_TIMEOUT_MS,
        .redirects_max = REDIRECTS_MAX,
        .allow_private = job->options->hf_endpoint != NULL, /* the operator named it */
        .authorization = token != NULL ? authorization : NULL,
        .resume_from = have < job->variant->size ? have : 0,
        .progress = on_progress,
        .context = (void *)job,
        .canceled = job->options->canceled,
    };
    if (have == job->variant->size) /* whole already; the check comes next */
        return true;
    if (!fetch_file(url, job->target, &options, &result, err))
        return err_while(err, "fetching %s", url);
    if (result.bytes != job->variant->size)
        return err_set(err, ERR_UNAVAILABLE, "the file came with %lld bytes instead of %lld",
                       (long long)result.bytes, (long long)job->variant->size);
    return true;
}
