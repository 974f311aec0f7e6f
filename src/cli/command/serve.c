/* mimeo serve: the server, from its options to its end. */
#include <curl/curl.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/option.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/server.h"
#include "cli/usage.h"

static const char *const precisions[] = { "f32", "bf16", NULL };
static const char *const output_forms[] = { "auto", "url", "data", NULL };
static const char *const yes_or_no[] = { "yes", "no", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", "off", NULL };

#define DAY_S 86400
#define READY_URL_SIZE 320 /* a host name has at most 253 characters */

#define TEXT(NAME, VALUE, FALLBACK, HELP)                                                          \
    {                                                                                              \
        .name = NAME, .type = OPTION_STRING, .value = VALUE, .fallback = FALLBACK, .help = HELP    \
    }
#define NUMBER(NAME, VALUE, FALLBACK, MIN, MAX, HELP)                                              \
    {                                                                                              \
        .name = NAME, .type = OPTION_INTEGER, .value = VALUE, .fallback = FALLBACK, .min = MIN,    \
        .max = MAX, .help = HELP                                                                   \
    }
#define CHOICE(NAME, FALLBACK, CHOICES, HELP)                                                      \
    {                                                                                              \
        .name = NAME, .type = OPTION_CHOICE, .value = "WHICH", .fallback = FALLBACK,               \
        .choices = CHOICES, .help = HELP                                                           \
    }

static const struct option_row serve_options[] = {
    TEXT("config", "FILE", NULL, "Read options from this YAML file (`listen: ...`)."),
    TEXT("listen", "HOST:PORT", "127.0.0.1:8080", "Where to listen; port 0 takes a free one."),
    TEXT("data", "DIR", NULL, "Records, outputs, weights; ~/.local/share/mimeo when not given."),
    TEXT("runner", "PATH", NULL, "The mimeo-runner program; the one beside this program."),
    TEXT("weights", "DIR", NULL, "Models' weights; DATA/weights."),
    TEXT("manifests", "DIR", NULL, "Your own models' manifests; DATA/models."),
    { .name = "token",
      .type = OPTION_STRING,
      .value = "TOKEN",
      .help = "A token to take besides those stored; better given as MIMEO_TOKEN.",
      .secret = true },
    TEXT("public-url", "URL", NULL, "How clients reach this server, for the links in answers."),
    TEXT("trusted-proxies", "LIST", NULL, "Addresses whose X-Forwarded-... headers count."),
    TEXT("tls-cert", "FILE", NULL, "Serve https with this certificate (PEM)."),
    TEXT("tls-key", "FILE", NULL, "The certificate's private key (PEM)."),
    { .name = "allow-private-urls",
      .type = OPTION_BOOLEAN,
      .help = "Fetch inputs and call webhooks on private addresses, too." },
    CHOICE("sync-output", "auto", output_forms,
           "Files in an answer to `Prefer: wait`: links, data URLs, or data URLs without TLS."),
    CHOICE("picture-metadata", "yes", yes_or_no,
           "Do PNG, JPEG and WebP outputs say how they were made?"),
    NUMBER("link-lifetime", "SECONDS", "3600", 1, 30 * DAY_S, "How long links to outputs work."),
    NUMBER("retention", "SECONDS", "3600", 0, 3650 * DAY_S,
           "How long predictions keep input, output and logs after their end; 0: for ever."),
    NUMBER("creates-per-minute", "N", "600", 1, 100000000,
           "Predictions a token may make a minute."),
    NUMBER("calls-per-minute", "N", "3000", 1, 100000000, "Other calls a token may make a minute."),
    { .name = "plan",
      .type = OPTION_LIST,
      .value = "NAME:LIMITS",
      .help = "A plan for accounts, as `team:per-day=500,creates=60,calls=600,credit=yes`." },
    TEXT("default-plan", "NAME", "unlimited", "The plan of accounts that were given none."),
    { .name = "strict-names",
      .type = OPTION_BOOLEAN,
      .help = "As on Replicate, run only official models by their name alone." },
    { .name = "abort-unstarted",
      .type = OPTION_BOOLEAN,
      .help = "A deadline before the start gives `aborted`, which most clients do not know." },
    TEXT("hosts", "LIST", NULL, "Names this server has on loopback, besides localhost; * for any."),
    { .name = "without-ui", .type = OPTION_BOOLEAN, .help = "Serve the API only, not the page." },
    TEXT("cors-origins", "LIST", NULL, "Web pages that may call the API from browsers; * for all."),
    NUMBER("gzip-min", "BYTES", "2048", 0, 1 << 30,
           "Compress answers from this size on, where asked; 0: never."),
    NUMBER("webhook-timeout", "MS", "10000", 100, 600000, "For a webhook receiver's answer."),
    NUMBER("webhook-first-retry", "MS", "5000", 1, 3600000, "Then twice as long each time."),
    NUMBER("webhook-give-up", "SECONDS", "259200", 1, 30 * DAY_S, "Retries end after that."),
    NUMBER("deployment-quiet", "SECONDS", "900", 0, DAY_S,
           "A deployment is deleted only when unused that long."),
    NUMBER("queue-limit", "N", "1000", 1, 1000000, "Predictions that may wait per model version."),
    NUMBER("idle-timeout", "SECONDS", "600", 1, 30 * DAY_S, "Unload a model unused that long."),
    NUMBER("run-timeout", "SECONDS", "1800", 0, 7 * DAY_S, "Limit of one prediction; 0: none."),
    NUMBER("start-timeout", "SECONDS", "600", 1, DAY_S, "Limit of loading a model."),
    NUMBER("cancel-grace", "MS", "2000", 0, 600000, "From a cancel to the end by force."),
    NUMBER("memory-budget", "MIB", "0", 0, 1 << 26, "Memory for all models; 0: by the machine."),
    NUMBER("threads", "N", "0", 0, 1024, "Threads per model; 0: all cores."),
    CHOICE("precision", "f32", precisions, "Arithmetic of the models."),
    NUMBER("connections", "N", "1000", 8, 100000, "Connections held at once."),
    NUMBER("drain-timeout", "SECONDS", "30", 0, DAY_S, "What is under way may take at the end."),
    CHOICE("log-level", "info", log_levels, "Lines on standard error."),
    { .name = NULL },
};

/* ---- Signals --------------------------------------------------------------------------------- */

static sem_t signaled; /* a signal came: look which */
static atomic_int stop_signals;
static atomic_bool reload_wanted;

/* The first signal asks for a graceful end, the second ends at once. */
static void on_stop_signal(int signal_number)
{
    int saved = errno;

    if (atomic_fetch_add(&stop_signals, 1) > 0)
        _exit(128 + signal_number);
    sem_post(&signaled);
    errno = saved;
}

static void on_reload_signal(int signal_number)
{
    int saved = errno;

    (void)signal_number;
    atomic_store(&reload_wanted, true);
    sem_post(&signaled);
    errno = saved;
}

static void signals_prepare(void)
{
    struct sigaction action = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };
    struct sigaction reload = { .sa_handler = on_reload_signal, .sa_flags = SA_RESTART };

    sem_init(&signaled, 0, 0);
    sigemptyset(&action.sa_mask);
    sigemptyset(&reload.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &reload, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- Telling that we are ready --------------------------------------------------------------- */

/* For service managers that wait (systemd's Type=notify): "READY=1" to the socket it names. */
static void manager_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    close(fd);
}

/* Does standard output go to systemd's journal? It names the journal's stream in the environment,
 * which other programs inherit. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct str device, inode;
    int64_t device_number, inode_number;
    struct stat status;

    return stream != NULL && str_cut(str_from(stream), ':', &device, &inode) &&
           str_to_int64(device, &device_number) && str_to_int64(inode, &inode_number) &&
           fstat(fd, &status) == 0 && (int64_t)status.st_dev == device_number &&
           (int64_t)status.st_ino == inode_number;
}

/* Standard output: the line that scripts wait for, and where the page is, the link that signs in.
 * Not when standard output goes to a journal: a link is no thing to keep. */
static void ready_print(const struct option_values *values, struct server *server)
{
    char code[TOKENS_TEXT_SIZE];
    struct err err = { 0 };
    char url[READY_URL_SIZE];
    struct str listen = str_from(option_string(values, "listen"));
    size_t host_len = listen.len;

    while (host_len > 0 && listen.ptr[host_len - 1] != ':')
        host_len--;
    snprintf(url, sizeof(url), "%s://%.*s:%d",
             option_string(values, "tls-cert") != NULL ? "https" : "http",
             host_len > 0 ? (int)host_len - 1 : 0, listen.ptr, server_port(server));
    printf("listening on %s\n", url);
    if (!is_journal(STDOUT_FILENO) && server_sign_in_code(server, code, &err))
        printf("sign in at %s/sign-in#code=%s\n", url, code);
    fflush(stdout);
    if (err.kind != ERR_NONE && err.kind != ERR_NOT_FOUND)
        log_error(LOG_WARN, "sign_in_link_failed", &err, "pid=%d", (int)getpid());
}

/* Level, plans, rates and manifests again from the same places; the rest needs a restart. A mistake
 * in them is logged, and what was before stays. */
static void reload(const struct option_values *values, struct server *server)
{
    struct option_values *again;
    enum log_level level = LOG_INFO;
    struct err err = { 0 };

    manager_notify("RELOADING=1");
    if (!option_parse_again(values, &again, &err)) {
        log_error(LOG_ERROR, "reload_failed", &err, "pid=%d", (int)getpid());
    } else {
        log_level_from_name(option_string(again, "log-level"), &level);
        if (server_reload(server, again, &err)) {
            log_set_level(level);
            log_event(LOG_INFO, "reloaded", "pid=%d", (int)getpid());
        } else {
            log_error(LOG_ERROR, "reload_failed", &err, "pid=%d", (int)getpid());
        }
        option_values_free(again);
    }
    manager_notify("READY=1");
}

/* Until a signal asks for the end. */
static void serve_until_stopped(const struct option_values *values, struct server *server)
{
    while (atomic_load(&stop_signals) == 0) {
        if (sem_wait(&signaled) == 0 && atomic_exchange(&reload_wanted, false))
            reload(values, server);
    }
}

static int serve_run(const struct option_values *values, int argc, char **argv)
{
    struct server *server = NULL;
    enum log_level level = LOG_INFO;
    struct err err = { 0 };

    if (argc > 0)
        return cli_misuse("serve takes no argument '%.40s'", argv[0]);
    if ((option_string(values, "tls-cert") == NULL) != (option_string(values, "tls-key") == NULL))
        return cli_misuse("--tls-cert and --tls-key go together");
    log_level_from_name(option_string(values, "log-level"), &level);
    log_set_level(level);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    signals_prepare();
    if (!server_start(values, &server, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    ready_print(values, server);
    manager_notify("READY=1");
    serve_until_stopped(values, server);
    int drain_s = (int)option_integer(values, "drain-timeout");
    manager_notify("STOPPING=1");
    log_event(LOG_INFO, "stopping", "drain_s=%d", drain_s);
    server_stop(server, drain_s * 1000);
    log_event(LOG_INFO, "stopped", "pid=%d", (int)getpid());
    curl_global_cleanup();
    return CLI_OK;
}

const struct cli_command cli_command_serve = {
    .name = "serve",
    .arguments = "",
    .summary = "Serve the API: models, predictions, files.",
    .options = serve_options,
    .run = serve_run,
};
