/* HTTPS with a certificate made on the spot, and the errors for files that will not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/server.h"

static char folder[] = "/tmp/mimeo-tls-test-XXXXXX";
static char certificate_path[64], key_path[64], other_key_path[64], text_path[64];

static void hello(struct http_call *call)
{
    http_reply(call, 200, "text/plain", str_from(http_base_url(call)));
}

static const struct http_route routes[] = { { "GET", "/", hello, HTTP_PUBLIC, 0 },
                                            { NULL, NULL, NULL, 0, 0 } };
static const struct http_route *const tables[] = { routes, NULL };

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

static void write_certificate(EVP_PKEY *key)
{
    X509 *x509 = X509_new();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    X509_NAME *name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(x509, name);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(x509, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    FILE *file = fopen(certificate_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, x509), 1);
    fclose(file);
    X509_free(x509);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(certificate_path, sizeof certificate_path, "%s/certificate.pem", folder);
    snprintf(key_path, sizeof key_path, "%s/key.pem", folder);
    snprintf(other_key_path, sizeof other_key_path, "%s/other.pem", folder);
    snprintf(text_path, sizeof text_path, "%s/text.pem", folder);
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    write_key(key_path, key);
    write_key(other_key_path, other);
    write_certificate(key);
    FILE *file = fopen(text_path, "w");
    fputs("not a PEM file\n", file);
    fclose(file);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(certificate_path);
    unlink(key_path);
    unlink(other_key_path);
    unlink(text_path);
    rmdir(folder);
    return 0;
}

static size_t keep(char *bytes, size_t size, size_t count, void *context)
{
    return buf_append(context, bytes, size * count) ? size * count : 0;
}

static void https_works_and_is_in_the_links(void **state)
{
    struct http_server_options options = { .listen = "127.0.0.1:0",
                                           .tables = tables,
                                           .workers = 1,
                                           .connections_max = 20,
                                           .tls_certificate_path = certificate_path,
                                           .tls_key_path = key_path };
    struct http_server *server;
    struct err err = { .kind = ERR_NONE };
    char url[64];
    struct buf body;
    (void)state;
    if (!http_server_start(&options, &server, &err))
        fail_msg("%s", err.detail);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", http_server_port(server));
    buf_init(&body, 1000);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificate_path);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    for (int i = 0; i < 5; i++) {
        buf_clear(&body);
        assert_int_equal(curl_easy_perform(curl), CURLE_OK);
        assert_int_equal(strncmp(body.ptr, url, strlen(url) - 1), 0);
    }
    curl_easy_cleanup(curl);
    buf_done(&body);
    http_server_stop(server, 1000);
}

static void files_that_will_not_do_are_named(void **state)
{
    const struct {
        const char *certificate, *key, *said;
    } cases[] = {
        { certificate_path, NULL, "both" },
        { NULL, key_path, "both" },
        { "/nowhere/x.pem", key_path, NULL },
        { certificate_path, "/nowhere/x.pem", NULL },
        { text_path, key_path, "no PEM certificate" },
        { certificate_path, text_path, "no PEM private key" },
        { certificate_path, other_key_path, "does not belong" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_server_options options = { .listen = "127.0.0.1:0",
                                               .tables = tables,
                                               .tls_certificate_path = cases[i].certificate,
                                               .tls_key_path = cases[i].key };
        struct http_server *server = NULL;
        struct err err = { .kind = ERR_NONE };
        assert_false(http_server_start(&options, &server, &err));
        assert_true(err.kind == ERR_INVALID || err.kind == ERR_NOT_FOUND);
        if (cases[i].said && !strstr(err.detail, cases[i].said))
            fail_msg("'%s' does not say '%s'", err.detail, cases[i].said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(https_works_and_is_in_the_links),
        cmocka_unit_test(files_that_will_not_do_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
