/* Followers: who wants to be told of every change of a prediction as it runs.
 *
 * A change costs a look at a counter when nobody follows anything, a look into a table when nobody
 * follows that one. Callbacks come outside of the lock, on the thread of the change; once
 * follow_remove has returned there are none. Thread safe.
 * Not here: what has changed (news.c). */
#ifndef MIMEO_PREDICT_FOLLOW_H
#define MIMEO_PREDICT_FOLLOW_H

#include <jansson.h>

struct follow;
struct predict_watch;

struct follow *follow_new(void);         /* NULL when memory is short */
void follow_free(struct follow *follow); /* nobody may be left; NULL is fine */

/* NULL when memory is short. Free with follow_remove, which waits for a callback under way. */
struct predict_watch *follow_add(struct follow *follow, const char *id,
                                 void (*changed)(void *context), void *context);
void follow_remove(struct follow *follow, struct predict_watch *watch);

void follow_tell(struct follow *follow, const char *id); /* calls all of that id */

/* A run has ended and its record will not have the texts it gave: keep them as long as somebody
 * follows who may not have seen all. Both copy: jansson's counts are not for two threads.
 * follow_kept gives a copy to free, or NULL. */
void follow_keep(struct follow *follow, const char *id, json_t *texts);
json_t *follow_kept(struct follow *follow, const char *id);

#endif
