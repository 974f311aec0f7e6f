/* The queue: which predictions wait, first in first out, bounded, in lanes: one per model version
 * (named by its id) and one per deployment ("owner/name"). It is only a wake-up: the store is the
 * truth, and lanes are filled from it at start. Entries are ids, so that a full queue costs little
 * memory. Thread safe. */
#ifndef MIMEO_QUEUE_QUEUE_H
#define MIMEO_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct queue;

/* lane_max: entries per lane; total_max: over all lanes. */
bool queue_new(size_t lane_max, size_t total_max, struct queue **ret_queue, struct err *err);
void queue_free(struct queue *queue);

/* Is there room for one more in that lane? (A create asks before it stores; pushes after the
 * commit never fail on the limit.) Reserves a place: give it back with queue_release, or fill it
 * with queue_push. */
bool queue_reserve(struct queue *queue, const char *lane);
void queue_release(struct queue *queue, const char *lane);

/* Append (or, with front, put first: a requeue) an id to its lane. `reserved`: uses a reserved
 * place. False only when memory is short. */
bool queue_push(struct queue *queue, const char *lane, const char *id, bool front, bool reserved);

/* Take the first id of a lane. False when it is empty. ret_id has ID_PREDICTION_LEN + 1 bytes. */
bool queue_pop(struct queue *queue, const char *lane, char *ret_id);

/* Take one id out wherever it stands (a cancel). False when it is not there. */
bool queue_remove(struct queue *queue, const char *lane, const char *id);

/* Where it stands in its lane: 1 for the first; 0: not there. Walks the lane. */
size_t queue_position(struct queue *queue, const char *lane, const char *id);

size_t queue_length(struct queue *queue, const char *lane); /* lane NULL: all lanes */

/* Call each(context, lane, length) for every lane that is not empty, oldest waiting first. */
void queue_each_lane(struct queue *queue,
                     void (*each)(void *context, const char *lane, size_t length), void *context);

#endif
