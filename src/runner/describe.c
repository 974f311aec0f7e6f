/* Input tables to JSON schemas, in the form Cog gives them. */
#include "runner/describe.h"

#include <ctype.h>
#include <stdio.h>

#include "runner/model.h"
#include "wire/frame.h"

/* "num_outputs" is titled "Num Outputs". */
static json_t *title_of(const char *name)
{
    char title[128];
    bool upper = true;
    size_t len = 0;
    for (; len < sizeof title - 1 && name[len]; len++) {
        char c = name[len] == '_' ? ' ' : name[len];
        title[len] = upper ? (char)toupper((unsigned char)c) : c;
        upper = c == ' ';
    }
    title[len] = '\0';
    return json_string(title);
}

static json_t *number_of(enum input_type type, double value)
{
    return type == INPUT_INTEGER ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *default_of(const struct model_input *row)
{
    switch (row->type) {
    case INPUT_STRING:
    case INPUT_FILE:
        return row->default_string ? json_string(row->default_string) : NULL;
    case INPUT_BOOLEAN:
        return json_boolean(row->default_number != 0);
    case INPUT_INTEGER:
    case INPUT_NUMBER:
        break;
    }
    return number_of(row->type, row->default_number);
}

static json_t *describe_input(const struct model_input *row, int order)
{
    static const char *const types[] = {
        [INPUT_STRING] = "string",   [INPUT_INTEGER] = "integer", [INPUT_NUMBER] = "number",
        [INPUT_BOOLEAN] = "boolean", [INPUT_FILE] = "string",
    };
    json_t *property = json_pack("{s:s, s:o, s:i}", "type", types[row->type], "title",
                                 title_of(row->name), "x-order", order);
    if (row->help)
        json_object_set_new(property, "description", json_string(row->help));
    if (row->type == INPUT_FILE)
        json_object_set_new(property, "format", json_string("uri"));
    if (row->has_default)
        json_object_set_new(property, "default", default_of(row));
    if (row->has_min)
        json_object_set_new(property, "minimum", number_of(row->type, row->min));
    if (row->has_max)
        json_object_set_new(property, "maximum", number_of(row->type, row->max));
    if (row->choices) {
        json_t *choices = json_array();
        for (int i = 0; row->choices[i]; i++)
            json_array_append_new(choices, json_string(row->choices[i]));
        json_object_set_new(property, "enum", choices);
    }
    return property;
}

static json_t *describe_inputs(const struct model_input *rows)
{
    json_t *properties = json_object(), *required = json_array();
    for (int i = 0; rows[i].name; i++) {
        json_object_set_new(properties, rows[i].name, describe_input(&rows[i], i));
        if (rows[i].required)
            json_array_append_new(required, json_string(rows[i].name));
    }
    json_t *schema = json_pack("{s:s, s:s}", "type", "object", "title", "Input");
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    json_decref(required);
    json_object_set_new(schema, "properties", properties);
    return schema;
}

static json_t *describe_output(enum output_type type)
{
    switch (type) {
    case OUTPUT_FILE:
        return json_pack("{s:s, s:s, s:s}", "type", "string", "title", "Output", "format", "uri");
    case OUTPUT_FILE_LIST:
        return json_pack("{s:s, s:s, s:{s:s, s:s}}", "type", "array", "title", "Output", "items",
                         "type", "string", "format", "uri");
    case OUTPUT_TEXT:
        return json_pack("{s:s, s:s}", "type", "string", "title", "Output");
    case OUTPUT_TEXT_LIST:
        return json_pack("{s:s, s:s, s:{s:s}, s:s, s:s}", "type", "array", "title", "Output",
                         "items", "type", "string", "x-cog-array-type", "iterator",
                         "x-cog-array-display", "concatenate");
    case OUTPUT_ANY:
        break;
    }
    return json_pack("{s:s}", "title", "Output");
}

json_t *describe_models(const struct model *const *models)
{
    json_t *list = json_array();
    for (int i = 0; models[i]; i++) {
        json_t *model =
            json_pack("{s:s, s:o, s:o, s:b, s:b}", "name", models[i]->name, "input",
                      describe_inputs(models[i]->inputs), "output",
                      describe_output(models[i]->output), "streams",
                      models[i]->output == OUTPUT_TEXT_LIST, "trainable", models[i]->train != NULL);
        if (models[i]->train)
            json_object_set_new(model, "training_input",
                                describe_inputs(models[i]->training_inputs));
        json_array_append_new(list, model);
    }
    return json_pack("{s:i, s:o}", "protocol", WIRE_PROTOCOL, "models", list);
}

json_t *describe_names(const struct model *const *models)
{
    json_t *names = json_array();
    for (int i = 0; models[i]; i++)
        json_array_append_new(names, json_string(models[i]->name));
    return names;
}
