/* Models made over the API: what is stored is in the registry, also after a restart; and the
 * versions that trainings make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/model_documents.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "domain/prediction.h"
#include "predict/predict.h"
#include "registry/registry.h"
#include "store/store.h"

#define BASE_ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DESCRIBE                                                                                   \
    "{\"protocol\":1,\"models\":[{\"name\":\"pupil\",\"input\":{\"type\":\"object\","              \
    "\"properties\":{}},\"output\":{\"type\":\"string\"},\"streams\":false}]}"

struct server { /* what a server has of this */
    char folder[32];
    struct store *store;
    struct registry *registry;
    struct model_documents *documents;
};

static void begin(struct server *server)
{
    char location[64];
    struct registry_options registry = { .describe = DESCRIBE };
    struct model_documents_options options = { .weights_folder = server->folder };
    struct err err = { 0 };

    snprintf(location, sizeof(location), "sqlite:%s/test.db", server->folder);
    assert_true(store_open(location, &server->store, &err));
    if (!registry_open(&registry, &server->registry, &err))
        fail_msg("%s", err.detail);
    options.store = server->store;
    options.registry = server->registry;
    assert_true(model_documents_open(&options, &server->documents, &err));
}

static void end(struct server *server)
{
    model_documents_close(server->documents);
    registry_close(server->registry);
    store_close(server->store);
}

static int set_up(void **state)
{
    struct server *server = calloc(1, sizeof(*server));

    strcpy(server->folder, "/tmp/mimeo-models-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    begin(server);
    *state = server;
    return 0;
}

static int tear_down(void **state)
{
    struct server *server = *state;

    end(server);
    file_remove_tree(server->folder, NULL);
    free(server);
    return 0;
}

static const struct registry_model *find(struct server *server, const char *name)
{
    return registry_model_find(server->registry, S("acme"), str_from(name));
}

/* version NULL: none. */
static bool create(struct server *server, const char *name, const char *version, struct err *err)
{
    const struct registry_model *model;
    json_t *manifest = json_pack("{s:s, s:s, s:s, s:s}", "owner", "acme", "name", name,
                                 "visibility", "private", "created_at", "2026-01-01T00:00:00Z");
    bool ok;

    if (version) {
        json_object_set_new(manifest, "model", json_string("pupil"));
        json_object_set_new(
            manifest, "versions",
            json_pack("[{s:s, s:s}]", "id", version, "created_at", "2026-01-01T00:00:00Z"));
    }
    ok = model_documents_create(server->documents, "acme", manifest, &model, err);
    json_decref(manifest);
    return ok;
}

static bool describe(void *context, json_t *document, struct err *err)
{
    json_t *manifest = json_object_get(document, "manifest");

    if (!context)
        return err_set(err, ERR_FORBIDDEN, "no");
    return json_object_set_new(manifest, "description", json_string(context)) == 0;
}

static void changes_outlive_the_server(void **state)
{
    struct server *server = *state;
    const struct registry_model *model;
    struct err err;

    assert_true(create(server, "mine", NULL, NULL));
    assert_false(create(server, "mine", NULL, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(
        model_documents_change(server->documents, "acme/mine", describe, "new", &model, NULL));
    assert_string_equal(model->description, "new");
    assert_false(
        model_documents_change(server->documents, "acme/mine", describe, NULL, &model, &err));
    assert_int_equal(err.kind, ERR_FORBIDDEN);
    assert_false(
        model_documents_change(server->documents, "acme/nobody", describe, "x", &model, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    end(server);
    begin(server);
    assert_string_equal(find(server, "mine")->description, "new");
    assert_string_equal(find(server, "mine")->account, "acme");
    assert_false(model_documents_visible(find(server, "mine"), "stranger"));
    assert_true(model_documents_visible(find(server, "mine"), "acme"));
    assert_true(model_documents_delete(server->documents, "acme/mine", NULL));
    end(server);
    begin(server);
    assert_null(find(server, "mine"));
}

static void a_refused_manifest_leaves_nothing(void **state)
{
    struct server *server = *state;
    struct err err;

    assert_false(create(server, "white space", NULL, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(create(server, "one", BASE_ID, NULL));
    assert_false(create(server, "two", BASE_ID, &err)); /* the id is another model's */
    assert_null(find(server, "two"));
    end(server);
    begin(server);
    assert_null(find(server, "two"));
}

static bool retire(void *context, json_t *document, struct err *err)
{
    (void)err;
    return model_document_retire(document, context);
}

static bool forget(void *context, json_t *document, struct err *err)
{
    (void)context, (void)err;
    return json_array_clear(json_object_get(document, "deleting")) == 0;
}

static bool note(void *context, const char *full_name, const char *version)
{
    assert_string_equal(full_name, "acme/one");
    assert_string_equal(version, BASE_ID);
    ++*(int *)context;
    return true;
}

static void a_retired_version_waits_to_be_removed(void **state)
{
    struct server *server = *state;
    const struct registry_model *model;
    struct err err;
    int count = 0;

    assert_true(create(server, "one", BASE_ID, NULL));
    assert_true(
        model_documents_change(server->documents, "acme/one", retire, BASE_ID, &model, NULL));
    assert_int_equal(model->version_count, 0);
    end(server);
    begin(server);
    assert_int_equal(find(server, "one")->version_count, 0);
    assert_true(model_documents_each_deleting(server->documents, note, &count, NULL));
    assert_int_equal(count, 1);
    assert_false(model_documents_delete(server->documents, "acme/one", &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(model_documents_change(server->documents, "acme/one", forget, NULL, &model, NULL));
    assert_true(model_documents_delete(server->documents, "acme/one", NULL));
}

/* ---- Trainings ---------------------------------------------------------------------------------
 */

static bool train(struct server *server, const char *id, const char *learned, char ret_id[65],
                  struct err *err)
{
    struct prediction training = {
        .version = BASE_ID, .account = "acme", .is_training = true, .destination = "acme/pupil"
    };
    char path[64];
    struct predict_weights weights = { .name = "word.txt", .path = path };

    str_copy(str_from(id), training.id, sizeof(training.id));
    snprintf(path, sizeof(path), "%s/learned", server->folder);
    assert_true(file_write_atomic(path, str_from(learned), 0600, NULL));
    return model_documents_trained(server->documents, &training, &weights, 1, ret_id, err);
}

static void assert_learned(struct server *server, const char *version, const char *learned)
{
    char folder[512], path[600];
    struct buf text;

    assert_true(model_documents_weights_path(server->documents, "acme/pupil", version, folder,
                                             sizeof(folder)));
    snprintf(path, sizeof(path), "%s/word.txt", folder);
    buf_init(&text, 100);
    assert_true(file_read(path, &text, NULL));
    assert_string_equal(text.ptr, learned);
    buf_done(&text);
}

static void a_training_makes_a_version(void **state)
{
    struct server *server = *state;
    char first[65], again[65], other[65];
    const struct registry_version *version;
    struct err err;

    assert_true(create(server, "base", BASE_ID, NULL));
    assert_false(train(server, "0123456789abcdefghjkmnpqrs", "hello", first, &err));
    assert_int_equal(err.kind, ERR_MODEL); /* there is no destination */
    assert_true(create(server, "pupil", NULL, NULL));
    assert_true(train(server, "0123456789abcdefghjkmnpqrs", "hello", first, NULL));
    version = registry_version_find(find(server, "pupil"), str_from(first));
    assert_non_null(version);
    assert_string_equal(version->model->native_model, "pupil");
    assert_true(str_ends(str_from(version->weights_folder), str_from(first)));
    assert_learned(server, first, "hello");
    /* The server died before the end was stored: the same once more changes nothing ... */
    assert_true(train(server, "0123456789abcdefghjkmnpqrs", "hello", again, NULL));
    assert_string_equal(first, again);
    assert_int_equal(find(server, "pupil")->version_count, 1);
    /* ... other weights take the place of the first, and another training adds a version. */
    assert_true(train(server, "0123456789abcdefghjkmnpqrs", "hallo", other, NULL));
    assert_string_not_equal(first, other);
    assert_int_equal(find(server, "pupil")->version_count, 1);
    assert_null(registry_version_find(find(server, "pupil"), str_from(first)));
    assert_true(train(server, "zzz3456789abcdefghjkmnpqrs", "salut", again, NULL));
    end(server);
    begin(server);
    assert_int_equal(find(server, "pupil")->version_count, 2);
    assert_learned(server, other, "hallo");
    assert_learned(server, again, "salut");
}

static void take_back(struct server *server, const char *id)
{
    struct prediction training = {
        .version = BASE_ID, .account = "acme", .is_training = true, .destination = "acme/pupil"
    };
    char none[65];

    str_copy(str_from(id), training.id, sizeof(training.id));
    assert_true(model_documents_trained(server->documents, &training, NULL, 0, none, NULL));
}

static void count_call(void *context)
{
    ++*(int *)context;
}

static bool count_version(void *context, const char *full_name, const char *version)
{
    (void)full_name, (void)version;
    count_call(context);
    return true;
}

static void what_an_ended_training_has_made_is_taken_back(void **state)
{
    struct server *server = *state;
    char one[65], same[65];
    int told = 0, deleting = 0;

    assert_true(create(server, "base", BASE_ID, NULL));
    take_back(server, "0123456789abcdefghjkmnpqrs"); /* no destination: nothing was made */
    assert_true(create(server, "pupil", NULL, NULL));
    model_documents_on_retired(server->documents, count_call, &told);
    take_back(server, "0123456789abcdefghjkmnpqrs");
    assert_int_equal(told, 0);
    assert_true(train(server, "0123456789abcdefghjkmnpqrs", "hello", one, NULL));
    assert_true(train(server, "zzz3456789abcdefghjkmnpqrs", "hello", same, NULL));
    assert_string_equal(one, same);
    take_back(server, "zzz3456789abcdefghjkmnpqrs"); /* it is the other's as well */
    assert_int_equal(find(server, "pupil")->version_count, 1);
    assert_int_equal(told, 0);
    take_back(server, "0123456789abcdefghjkmnpqrs");
    assert_int_equal(find(server, "pupil")->version_count, 0);
    assert_int_equal(told, 1);
    assert_true(model_documents_each_deleting(server->documents, count_version, &deleting, NULL));
    assert_int_equal(deleting, 1); /* with its weights */
    model_documents_on_retired(server->documents, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_outlive_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_manifest_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_retired_version_waits_to_be_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_training_makes_a_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_an_ended_training_has_made_is_taken_back, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
