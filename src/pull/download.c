/* Weights over HTTP, with resume: a file of a repository on a Hugging Face hub, or an asset of a
 * release on GitHub; or from whatever else the options name in their place. */
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

#define HF_ENDPOINT_DEFAULT "https://huggingface.co"
#define GITHUB_ENDPOINT_DEFAULT "https://github.com"
#define REDIRECTS_MAX 5
#define STALL_TIMEOUT_MS 60000

static void on_progress(void *context, int64_t done, int64_t total)
{
    const struct pull_job *job = context;

    pull_progress(job, "downloading", done, total > 0 ? total : job->file->size);
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

/* The address without its last slashes, so that others can be put behind. */
static struct str base_of(const char *endpoint, const char *fallback)
{
    struct str base = str_from(endpoint != NULL ? endpoint : fallback);

    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    return base;
}

static bool url_make(const struct pull_job *job, bool github, char *ret_url, size_t size)
{
    const struct pull_options *options = job->options;
    struct str base = github ? base_of(options->github_endpoint, GITHUB_ENDPOINT_DEFAULT)
                             : base_of(options->hf_endpoint, HF_ENDPOINT_DEFAULT);
    struct str repository, revision = S("main"), source = str_from(job->variant->source);

    source = str_skip(source, (size_t)str_find(source, S(":")) + 1);
    if (!str_cut(source, '@', &repository, &revision))
        repository = source;
    int len =
        snprintf(ret_url, size, "%.*s/%.*s/%s/%.*s/%s", STR_FMT(base), STR_FMT(repository),
                 github ? "releases/download" : "resolve", STR_FMT(revision), job->file->path);
    return len > 0 && (size_t)len < size;
}

static bool download(const struct pull_job *job, const char *url, bool github, int64_t have,
                     struct err *err)
{
    const struct pull_options *pull = job->options;
    const char *token = github ? NULL : pull->hf_token;
    const int64_t bytes_max = registry_weights_bytes_max(job->file);
    char authorization[512] = "";
    struct fetch_result result;

    if (token != NULL)
        snprintf(authorization, sizeof(authorization), "Bearer %s", token);
    struct fetch_options options = {
        .bytes_max = bytes_max,
        .stall_timeout_ms = STALL_TIMEOUT_MS,
        .redirects_max = REDIRECTS_MAX,
        /* The operator named it. */
        .allow_private = (github ? pull->github_endpoint : pull->hf_endpoint) != NULL,
        .authorization = token != NULL ? authorization : NULL,
        .resume_from = have < bytes_max ? have : 0,
        .progress = on_progress,
        .context = (void *)job,
        .canceled = pull->canceled,
    };
    if (!fetch_file(url, job->target, &options, &result, err))
        return err_while(err, "fetching %s", url);
    if (job->file->size_is_exact && result.bytes != job->file->size)
        return err_set(err, ERR_UNAVAILABLE, "the file came with %lld bytes instead of %lld",
                       (long long)result.bytes, (long long)job->file->size);
    return true;
}

bool pull_download_fetch(const struct pull_job *job, struct err *err)
{
    const bool github = job->variant->kind == REGISTRY_WEIGHTS_GITHUB;
    char url[PULL_PATH_MAX];
    int64_t have = 0;

    if (!url_make(job, github, url, sizeof(url)))
        return err_set(err, ERR_INVALID, "the address of the file is too long");
    if (!part_open(job->target, &have, err))
        return false;
    bool whole = job->file->size_is_exact && have == job->file->size;
    return (whole || download(job, url, github, have, err)) && pull_check(job, err);
}
