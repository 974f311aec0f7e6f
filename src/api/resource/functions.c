/* POST /api/<function>: a model by a short name, a form (or JSON) in, the output or the picture
 * out; and GET /api, which lists them. Errors are {"error":"..."} (problem.c sees to those that all
 * routes have).
 *
 * A picture of the form becomes an uploaded file, and its URL the input: nothing is turned into
 * base64. Not here: which functions there are (registry/), waiting (waits.c). */
#include "api/functions.h"

#include <string.h>

#include "api/answer.h"
#include "api/api_private.h"
#include "api/create.h"
#include "api/file_keep.h"
#include "api/model_documents.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/err.h"
#include "base/json.h"
#include "blob/blob.h"
#include "domain/limits.h"
#include "http/multipart.h"
#include "registry/registry.h"

#define FUNCTIONS_FORM_BYTES (LIMIT_FILE_BYTES + (1u << 20)) /* a picture and its form */

struct request { /* one call of a function, as it is read */
    struct http_call *call;
    const struct registry_function *function;
    const struct registry_version *version;
    json_t *input;
};

static void reply_error(struct http_call *call, int status, const char *error)
{
    problem_reply_detail(call, status, NULL, error);
}

/* ---- The input --------------------------------------------------------------------------------
 */

static const char *type_of(const struct request *request, const char *name)
{
    const json_t *properties = json_object_get(request->version->input_schema, "properties");
    const char *type = json_get_string(json_object_get(properties, name), "type");

    return type ? type : "string";
}

/* The form's `image` goes by the name that the model gives it. */
static const char *input_name(const struct request *request, const char *field)
{
    return request->function->image_input && strcmp(field, "image") == 0
               ? request->function->image_input
               : field;
}

/* A field's text as its type in the schema says; what cannot be read stays text, and the check of
 * the input says what is wrong with it. NULL: leave it out. */
static json_t *value_of(const char *type, struct str text)
{
    json_t *value = NULL;

    if (strcmp(type, "string") == 0)
        return json_stringn(text.ptr ? text.ptr : "", text.len);
    text = str_trim(text);
    if (text.len == 0)
        return NULL; /* an empty field of a form */
    if (strcmp(type, "boolean") == 0 && (str_equal(text, S("on")) || str_equal(text, S("1"))))
        return json_true();
    if (strcmp(type, "boolean") == 0 && (str_equal(text, S("off")) || str_equal(text, S("0"))))
        return json_false();
    return json_parse(text, &value, NULL) ? value : json_stringn(text.ptr, text.len);
}

/* A file of the form is kept as an uploaded one, and its URL is the value. */
static json_t *keep_part(const struct request *request, const struct multipart_part *part,
                         struct err *err)
{
    struct store_file file = {
        .name =
            *part->file_name && str_is_utf8(str_from(part->file_name)) ? part->file_name : "file",
        .content_type = part->content_type && str_is_utf8(str_from(part->content_type))
                            ? part->content_type
                            : "application/octet-stream",
        .metadata = S("{}"),
        .size = (int64_t)part->body.len,
    };
    struct http_call *call = request->call;

    if (part->body.len > LIMIT_FILE_BYTES) {
        err_set(err, ERR_TOO_LARGE, "Files must be less than 100MB in size");
        return NULL;
    }
    if (!file_keep(api_of(call), http_account(call), part->body, &file, err))
        return NULL;
    return json_sprintf("%s/v1/files/%s", http_base_url(call), file.id);
}

static bool read_part(struct request *request, const struct multipart_part *part, struct err *err)
{
    const char *name = input_name(request, part->name);
    bool is_file = part->file_name != NULL;
    json_t *value;

    if (is_file && part->body.len == 0)
        return true; /* a file field where nothing was chosen */
    if (!str_is_utf8(str_from(name)) || (!is_file && !str_is_utf8(part->body)))
        return err_set(err, ERR_INVALID, "The form must be UTF-8 text");
    value = is_file ? keep_part(request, part, err) : value_of(type_of(request, name), part->body);
    if (!value && is_file)
        return false;
    if (!value)
        return true;
    return json_object_set_new(request->input, name, value) == 0 ||
           err_set(err, ERR_NO_MEMORY, "not enough memory for a form");
}

static bool read_form(struct request *request, const char *content_type, struct err *err)
{
    struct http_call *call = request->call;
    struct multipart_part *parts;
    int count;

    if (!multipart_parse(content_type, http_body(call), http_arena(call), &parts, &count, err))
        return false;
    for (int i = 0; i < count; i++)
        if (!read_part(request, &parts[i], err))
            return false;
    return true;
}

static bool read_json(struct request *request, struct err *err)
{
    json_t *body, *value;
    const char *key;
    int failed = 0;

    if (!json_parse(http_body(request->call), &body, err))
        return false;
    if (!json_is_object(body)) {
        json_decref(body);
        return err_set(err, ERR_INVALID, "The body must be a JSON object");
    }
    json_object_foreach(body, key, value)
    {
        failed |= json_object_set(request->input, input_name(request, key), value);
    }
    json_decref(body);
    return !failed || err_set(err, ERR_NO_MEMORY, "not enough memory for a request");
}

static bool read_input(struct request *request, struct err *err)
{
    const char *type = http_header(request->call, "Content-Type");

    request->input = json_object();
    if (!request->input)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a request");
    if (type && str_find(str_from(type), S("multipart/form-data")) == 0) {
        if (!read_form(request, type, err))
            return false;
    } else if (!read_json(request, err)) {
        return false;
    }
    if (request->function->defaults)
        json_object_update_missing(request->input, (json_t *)request->function->defaults);
    return true;
}

/* Does the model need a picture that is not there? */
static bool lacks_image(const struct request *request)
{
    const json_t *required = json_object_get(request->version->input_schema, "required");
    const char *image = request->function->image_input;

    if (!image || json_object_get(request->input, image))
        return false;
    for (size_t i = 0; i < json_array_size(required); i++)
        if (strcmp(json_string_value(json_array_get(required, i)), image) == 0)
            return true;
    return false;
}

/* ---- The call ---------------------------------------------------------------------------------
 */

static const struct registry_version *version_of(struct http_call *call,
                                                 const struct registry_function *function)
{
    const struct registry_model *model = NULL;
    struct str owner, name;

    if (str_cut(str_from(function->model), '/', &owner, &name))
        model = registry_model_find(api_of(call)->registry, owner, name);
    return model && model->version_count > 0 && model_documents_visible(model, http_account(call))
               ? &model->versions[0]
               : NULL;
}

/* False: answered. */
static bool find(struct request *request)
{
    struct http_call *call = request->call;

    request->function =
        registry_function_find(api_of(call)->registry, str_from(http_param(call, "function")));
    if (!request->function) {
        reply_error(call, 404, "There is no such function; GET /api lists them");
        return false;
    }
    request->version = version_of(call, request->function);
    if (!request->version)
        reply_error(call, 404,
                    arena_printf(http_arena(call), "This server does not have %s",
                                 request->function->model));
    return request->version;
}

static void run(struct http_call *call)
{
    struct request request = { .call = call };
    struct create_request create = { .kind = WAITS_FUNCTION, .wait_ms = LIMIT_WAIT_MAX_MS };
    struct err err = { 0 };

    if (!find(&request))
        return;
    if (!read_input(&request, &err)) {
        if (err.kind == ERR_INVALID)
            reply_error(call, 400, err.detail);
        else
            problem_reply(call, &err);
    } else if (lacks_image(&request)) {
        reply_error(call, 400, "A picture is needed: send it as the form's field \"image\"");
    } else {
        create.version = request.version;
        create.input = request.input;
        create_submit(call, &create);
    }
    json_decref(request.input);
}

/* ---- The answer -------------------------------------------------------------------------------
 */

/* Does the client rather take a picture than JSON? */
static bool wants_picture(const struct http_call *call)
{
    const char *accept = http_header(call, "Accept");

    return accept && str_starts(str_trim(str_from(accept)), S("image/"));
}

/* The first file of the output itself. False: there is none. */
static bool reply_picture(struct http_call *call, const struct prediction *prediction)
{
    ptrdiff_t at = str_find(prediction->output, S("\"blob:"));
    struct str ref, rest;
    char name[BLOB_REF_MAX];
    int64_t size;
    int fd;

    if (at < 0 || !str_cut(str_skip(prediction->output, (size_t)at + 6), '"', &ref, &rest) ||
        !str_copy(ref, name, sizeof(name)) ||
        !blob_read(api_of(call)->blobs, ref, &fd, &size, NULL))
        return false;
    reply_set_headers(call);
    http_reply_file(call, 200, blob_content_type(name), fd, 0, size);
    return true;
}

static void reply_output(struct http_call *call, const struct prediction *prediction)
{
    struct render_options options = { .api = api_of(call),
                                      .base_url = http_base_url(call),
                                      .inline_files = answer_wants_inline(call) };
    struct buf body;

    if (wants_picture(call) && reply_picture(call, prediction))
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    buf_append_str(&body, S("{\"output\":"));
    render_output(&options, prediction->output, &body);
    buf_append_char(&body, '}');
    reply_json(call, 200, &body);
}

static void reply_late(struct http_call *call, const struct prediction *prediction)
{
    struct buf body;

    buf_init(&body, 1024);
    buf_printf(&body,
               "{\"error\":\"It is not ready yet; its prediction goes on\",\"prediction\":\"%s\"}",
               prediction->id);
    reply_json(call, 504, &body);
}

void functions_answer(struct http_call *call, const struct prediction *prediction)
{
    if (prediction->status == PREDICTION_SUCCEEDED)
        reply_output(call, prediction);
    else if (prediction->status == PREDICTION_FAILED)
        reply_error(call, 500, prediction->error ? prediction->error : "Processing failed");
    else if (prediction_status_is_terminal(prediction->status))
        reply_error(call, 500, "It was canceled");
    else
        reply_late(call, prediction);
}

/* ---- The list ---------------------------------------------------------------------------------
 */

static void write_function(struct http_call *call, const struct registry_function *function,
                           struct buf *out)
{
    const struct registry_version *version = version_of(call, function);

    buf_append_str(out, S("{\"name\":"));
    json_write_string(str_from(function->name), out);
    buf_append_str(out, S(",\"model\":"));
    json_write_string(str_from(function->model), out);
    buf_append_str(out, S(",\"version\":"));
    if (version)
        json_write_string(str_from(version->id), out);
    else
        buf_append_str(out, S("null"));
    buf_append_str(out, S(",\"image_input\":"));
    if (function->image_input)
        json_write_string(str_from(function->image_input), out);
    else
        buf_append_str(out, S("null"));
    buf_append_str(out, version && version->model->native_model ? S(",\"ready\":true,\"url\":\"")
                                                                : S(",\"ready\":false,\"url\":\""));
    buf_append_str(out, str_from(http_base_url(call)));
    buf_printf(out, "/api/%s\"}", function->name);
}

static void list(struct http_call *call)
{
    const struct registry *registry = api_of(call)->registry;
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    buf_append_str(&body, S("{\"functions\":["));
    for (int i = 0; i < registry_function_count(registry); i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        write_function(call, registry_function_at(registry, i), &body);
    }
    buf_append_str(&body, S("]}"));
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "GET", "/api", list, 0, 0 },
    { "POST", "/api/{function}", run, HTTP_BODY_FILE, FUNCTIONS_FORM_BYTES },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_functions = { routes };
