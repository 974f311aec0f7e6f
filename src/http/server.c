/* The life of the server: options, the listening socket, TLS, start and stop. Calls: call.c. */
#include "http/server_private.h"

#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/work.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVER_ARENA_BYTES_MAX (64u << 10)
#define SERVER_BACKLOG 1024
#define SERVER_LOOP_STACK_BYTES (256u << 10)
#define SERVER_LOOPS 2u /* reading, checking and rendering use more than one core at full load */
#define SERVER_CONNECTION_BYTES                                                                    \
    (16u << 10) /* request line and headers; cleared for every request */
#define SERVER_CONNECTIONS_MIN 16
#define SERVER_OTHER_FDS 128 /* kept free for files, the store, runners */
#define SERVER_PEM_BYTES_MAX (1u << 20)

/* ---- The listening socket ----------------------------------------------------------------- */

static bool parse_listen(const char *listen_on, char host[256], char port[8], struct err *err)
{
    struct str text = str_from(listen_on), name, number;
    bool ok;
    if (str_starts(text, S("["))) {
        ok = str_cut(str_skip(text, 1), ']', &name, &number) && str_starts(number, S(":"));
        number = ok ? str_skip(number, 1) : number;
    } else {
        ok = str_cut(text, ':', &name, &number) && str_find(number, S(":")) < 0;
    }
    int64_t value;
    ok = ok && str_to_int64(number, &value) && value >= 0 && value <= 65535 &&
         str_copy(name, host, 256) && str_copy(number, port, 8);
    if (!ok)
        return err_set(err, ERR_INVALID, "'%s' is not an address to listen on (HOST:PORT).",
                       listen_on);
    return true;
}

/* A bound, listening, non-blocking socket, or -1. */
static int open_listener(const char *listen_on, struct err *err)
{
    char host[256], port[8];
    if (!parse_listen(listen_on, host, port, err))
        return -1;
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (failed) {
        err_set(err, ERR_INVALID, "Cannot listen on '%s': %s.", listen_on, gai_strerror(failed));
        return -1;
    }
    int on = 1, sys = 0;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SERVER_BACKLOG) != 0)
        sys = errno;
    freeaddrinfo(found);
    if (!sys)
        return fd;
    if (fd >= 0)
        close(fd);
    if (sys == EADDRINUSE)
        err_sys(err, ERR_CONFLICT, sys, "The address %s is already taken.", listen_on);
    else
        err_sys(err, ERR_INVALID, sys, "Cannot listen on %s.", listen_on);
    return -1;
}

/* The port, and how to call this server when a request does not say. */
static bool learn_address(struct http_server *server, int fd, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char text[INET6_ADDRSTRLEN] = "";
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return err_sys(err, ERR_INTERNAL, errno, "The server does not know its own address.");
    struct buf host;
    buf_init(&host, sizeof server->base_url.fallback - 1);
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;
        server->port = ntohs(v6->sin6_port);
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        bool any = strcmp(text, "::") == 0;
        server->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        buf_printf(&host, "%s%s%s:%d", any ? "" : "[", any ? "localhost" : text, any ? "" : "]",
                   server->port);
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
        server->port = ntohs(v4->sin_port);
        server->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        buf_printf(&host, "%s:%d", strcmp(text, "0.0.0.0") == 0 ? "localhost" : text, server->port);
    }
    bool ok = str_copy(buf_str(&host), server->base_url.fallback, sizeof server->base_url.fallback);
    buf_done(&host);
    return ok || err_set(err, ERR_INTERNAL, "The server does not know its own address.");
}

/* ---- TLS ---------------------------------------------------------------------------------- */

/* libmicrohttpd only says "failed"; find out before what is wrong. */
static bool check_pems(const char *certificate_path, struct str certificate, const char *key_path,
                       struct str key, struct err *err)
{
    BIO *certificate_bio = BIO_new_mem_buf(certificate.ptr, (int)certificate.len);
    BIO *key_bio = BIO_new_mem_buf(key.ptr, (int)key.len);
    X509 *x509 = certificate_bio ? PEM_read_bio_X509(certificate_bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *private =
        key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    bool ok = true;
    if (!x509)
        ok = err_set(err, ERR_INVALID, "'%s' holds no PEM certificate.", certificate_path);
    else if (!private)
        ok = err_set(err, ERR_INVALID, "'%s' holds no PEM private key without a password.",
                     key_path);
    else if (X509_check_private_key(x509, private) != 1)
        ok =
            err_set(err, ERR_INVALID, "The key in '%s' does not belong to the certificate in '%s'.",
                    key_path, certificate_path);
    X509_free(x509);
    EVP_PKEY_free(private);
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    return ok;
}

static bool load_tls(const struct http_server_options *options, struct buf *certificate,
                     struct buf *key, struct err *err)
{
    const char *certificate_path = options->tls_certificate_path;
    const char *key_path = options->tls_key_path;
    if (!certificate_path && !key_path)
        return true;
    if (!certificate_path || !key_path)
        return err_set(err, ERR_INVALID, "TLS needs both a certificate and a key.");
    if (MHD_is_feature_supported(MHD_FEATURE_SSL) != MHD_YES)
        return err_set(err, ERR_INVALID, "This build of libmicrohttpd cannot do TLS.");
    if (!file_read(certificate_path, certificate, err))
        return err_while(err, "reading the TLS certificate '%s'", certificate_path);
    if (!file_read(key_path, key, err))
        return err_while(err, "reading the TLS key '%s'", key_path);
    return check_pems(certificate_path, buf_str(certificate), key_path, buf_str(key), err);
}

/* ---- Start -------------------------------------------------------------------------------- */

/* Escapes are decoded by route.c, after the path is cut: an encoded slash is not a slash. */
static size_t leave_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        guard_remove(server->guard, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *socket_context = info ? guard_add(server->guard, info->connect_fd) : NULL;
    guard_set_deadline(*socket_context, HTTP_FIRST_HEADER_ALLOWED_MS);
}

/* As many as are wanted, or as the system lets this process hold; the limit on open files is raised
 * for it as far as it goes. */
static unsigned connection_limit(int wanted)
{
    struct rlimit limit;
    rlim_t max = wanted > SERVER_CONNECTIONS_MIN ? (rlim_t)wanted : SERVER_CONNECTIONS_MIN;
    rlim_t files = max + SERVER_OTHER_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return (unsigned)max;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < files) {
        limit.rlim_cur =
            limit.rlim_max != RLIM_INFINITY && limit.rlim_max < files ? limit.rlim_max : files;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < files)
        max = limit.rlim_cur > SERVER_OTHER_FDS + SERVER_CONNECTIONS_MIN
                  ? limit.rlim_cur - SERVER_OTHER_FDS
                  : SERVER_CONNECTIONS_MIN;
    return (unsigned)max;
}

static bool start_daemon(struct http_server *server, int fd, struct err *err)
{
    struct buf certificate, key;
    buf_init(&certificate, SERVER_PEM_BYTES_MAX);
    buf_init(&key, SERVER_PEM_BYTES_MAX);
    bool ok = load_tls(&server->options, &certificate, &key, err);
    bool tls = ok && key.len > 0;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_TURBO | (tls ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls_options[] = {
        { tls ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, key.ptr },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, certificate.ptr },
        { MHD_OPTION_END, 0, NULL },
    };
    server->base_url.tls = tls;
    if (ok) {
        server->daemon = MHD_start_daemon(
            flags, 0, NULL, NULL, call_on_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_NOTIFY_COMPLETED, call_on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, call_new_for_uri, server,
            MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)server->options.connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
            HTTP_KEEP_ALIVE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)SERVER_CONNECTION_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
            (size_t)SERVER_LOOP_STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_THREAD_POOL_SIZE, SERVER_LOOPS, MHD_OPTION_ARRAY, tls_options,
            MHD_OPTION_END);
        if (!server->daemon)
            ok = err_sys(err, ERR_INTERNAL, errno, "The HTTP server could not be started.");
    }
    if (key.ptr)
        explicit_bzero(key.ptr, key.capacity);
    buf_done(&certificate);
    buf_done(&key);
    return ok;
}

static bool copy_options(struct http_server *server, const struct http_server_options *options,
                         struct err *err)
{
    struct http_server_options copy = *options;
    const char **texts[] = { &copy.listen,
                             &copy.public_url,
                             &copy.trusted_proxies,
                             &copy.spill_folder,
                             &copy.tls_certificate_path,
                             &copy.tls_key_path,
                             &copy.cors_origins,
                             &copy.hosts };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i]) {
            *texts[i] = arena_strdup(&server->arena, str_from(*texts[i]));
            if (!*texts[i])
                return err_set(err, ERR_NO_MEMORY, "No memory for the server.");
        }
    copy.connections_max =
        (int)connection_limit(copy.connections_max > 0 ? copy.connections_max : 1024);
    server->options = copy;
    return true;
}

void http_server_unref(struct http_server *server)
{
    if (atomic_fetch_sub(&server->references, 1) != 1)
        return;
    call_free_spares(server);
    route_table_free(server->routes);
    pthread_mutex_destroy(&server->mutex);
    arena_done(&server->arena);
    free(server);
}

bool http_server_start(const struct http_server_options *options, struct http_server **ret_server,
                       struct err *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return err_set(err, ERR_NO_MEMORY, "No memory for the server.");
    arena_init(&server->arena, SERVER_ARENA_BYTES_MAX);
    atomic_init(&server->references, 1);
    pthread_mutex_init(&server->mutex, NULL);
    id_random_bytes(&server->run_id, sizeof server->run_id);
    int workers = options->workers > 0 ? options->workers : 4;
    int fd = -1;
    bool ok =
        copy_options(server, options, err) &&
        base_url_rules_init(&server->base_url, server->options.trusted_proxies,
                            server->options.public_url, err) &&
        host_rules_init(&server->hosts, server->options.hosts, server->options.public_url, err) &&
        route_table_new(options->tables, options->prefixes, &server->routes, err) &&
        (fd = open_listener(server->options.listen, err)) >= 0 && learn_address(server, fd, err) &&
        guard_new(&server->guard, err) &&
        work_pool_new("http", workers, (size_t)server->options.connections_max, &server->workers,
                      err) &&
        start_daemon(server, fd, err);
    if (!ok) {
        work_pool_free(server->workers);
        guard_free(server->guard);
        if (fd >= 0)
            close(fd);
        http_server_unref(server);
        return false;
    }
    *ret_server = server;
    return true;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

bool http_server_is_loopback(const struct http_server *server)
{
    return server->loopback;
}

int http_server_connections_max(const struct http_server *server)
{
    return server->options.connections_max;
}

/* ---- Stop --------------------------------------------------------------------------------- */

static void sleep_ms(int ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

void http_server_quiesce(struct http_server *server)
{
    if (atomic_exchange(&server->draining, true))
        return;
    server->quiesced = MHD_quiesce_daemon(server->daemon);
    if (server->quiesced != MHD_INVALID_SOCKET)
        shutdown(server->quiesced, SHUT_RDWR); /* closed by stop: the loop may be looking at it */
}

void http_server_stop(struct http_server *server, int drain_ms)
{
    if (!server)
        return;
    http_server_quiesce(server);
    for (int waited = 0; waited < drain_ms && atomic_load(&server->live_count) > 0; waited += 2)
        sleep_ms(2);
    call_abandon_all(server);
    while (atomic_load(&server->replier_count) > 0)
        sleep_ms(1);
    call_resume_answered(server);
    MHD_stop_daemon(server->daemon);
    if (server->quiesced != MHD_INVALID_SOCKET)
        close(server->quiesced);
    /* Handlers that are still running answer into nothing and are waited for. */
    work_pool_free(server->workers);
    guard_free(server->guard);
    http_server_unref(server);
}
