/* The parts of a server put together, in the order they depend on each other, and taken apart in
 * reverse. The only place where they all meet. */
#ifndef MIMEO_CLI_SERVER_H
#define MIMEO_CLI_SERVER_H

#include <stdbool.h>

#include "account/tokens.h"

struct err;
struct option_values;
struct server;

/* values: of the serve command's table. When it returns true, the server answers requests. */
bool server_start(const struct option_values *values, struct server **ret_server, struct err *err);
int server_port(const struct server *server);

/* A code that signs in to the page, once. ERR_NOT_FOUND when the server has no page, or listens not
 * on loopback only: who can read this process' output there need not be who may sign in. */
bool server_sign_in_code(struct server *server, char ret_code[TOKENS_TEXT_SIZE], struct err *err);

/* Take over what can change while it runs: plans, rates, manifests. On failure nothing changed. */
bool server_reload(struct server *server, const struct option_values *values, struct err *err);

/* Stop: requests and predictions under way get drain_ms to end. NULL and a half started server
 * are fine. */
void server_stop(struct server *server, int drain_ms);

#endif
