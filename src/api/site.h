/* The page: the files that are built into the program, sent to browsers. What asks for anything
 * else, or for the API, is left alone. Private to api/. */
#ifndef MIMEO_API_SITE_H
#define MIMEO_API_SITE_H

#include <stdbool.h>

struct err;
struct http_call;
struct site;

/* Was this program built with the page? */
bool site_is_built(void);

/* public_url: the server's own (or NULL); links to outputs begin with it, so the page may load from
 * there. */
bool site_new(const char *public_url, struct site **ret_site, struct err *err);
void site_free(struct site *site); /* after the HTTP server, which sends from it; NULL is fine */

/* For a call that no route takes: answer it with a file of the page, or, when a browser asks for a
 * path that is not the API's, with the page itself (200 when the page has something there, else
 * 404). False: not answered. Never blocks; any thread. */
bool site_answer(struct site *site, struct http_call *call);

#endif
