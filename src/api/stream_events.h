/* Server-sent events as a stream of a prediction has them: text and positions. Pure; any thread.
 * Private to api/. */
#ifndef MIMEO_API_STREAM_EVENTS_H
#define MIMEO_API_STREAM_EVENTS_H

#include "base/buf.h"
#include "predict/predict.h"

/* Append one event. name: "output"; data: any text, several lines too. The id holds `position`,
 * the one after this event: "<created_s>:<outputs>", with logs "<created_s>:<outputs>.<logs>". */
struct stream_event {
    const char *name;
    struct str data;
    int64_t created_s; /* of the prediction, Unix time */
    struct predict_position position;
    bool logs; /* does the stream tell logs, too? */
};
void stream_event_write(const struct stream_event *event, struct buf *out);

/* The position in an event's id. False: it is none of ours (then the stream starts at its start).
 */
bool stream_event_parse_id(struct str id, struct predict_position *ret_position);

#endif
