/* The listener: who is told of events of predictions that have a webhook. What is done about them
 * is webhook/'s matter. */
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "predict/predict_private.h"

static const char *const event_names[] = { "start", "output", "logs", "completed" };

bool predict_wants(struct str events_filter, enum predict_event event)
{
    json_t *events = NULL, *one;
    bool wanted = false;
    size_t i;
    if (events_filter.len == 0 || !json_parse(events_filter, &events, NULL) ||
        !json_is_array(events)) {
        json_decref(events);
        return event == PREDICT_OUTPUT || event == PREDICT_COMPLETED;
    }
    json_array_foreach(events, i, one)
    {
        const char *name = json_string_value(one);
        wanted |= name && strcmp(name, event_names[event]) == 0;
    }
    json_decref(events);
    return wanted;
}

void predict_listen(struct predict *predict, predict_listener *listener, void *context)
{
    pthread_mutex_lock(&predict->listener_lock);
    predict->listener = listener;
    predict->listener_context = context;
    pthread_mutex_unlock(&predict->listener_lock);
}

void listener_tell(struct predict *predict, const struct prediction *record,
                   enum predict_event event)
{
    if (!record->webhook)
        return;
    /* Held meanwhile: this is what predict_listen waits for. */
    pthread_mutex_lock(&predict->listener_lock);
    if (predict->listener)
        predict->listener(predict->listener_context, record->id, record, event);
    pthread_mutex_unlock(&predict->listener_lock);
}
