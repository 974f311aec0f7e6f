/* One runner process as the supervisor sees it: its states, why it is stopped, what it said. For
 * predict/ only; the locks are in predict_private.h. */
#ifndef MIMEO_PREDICT_RUNNER_H
#define MIMEO_PREDICT_RUNNER_H

#include "base/buf.h"
#include "base/err.h"
#include "predict/runner_process.h"
#include "wire/message.h"

struct lane;
struct predict;
struct run;

#define STOP_GRACE_MS 2000 /* from a shutdown message to SIGKILL */

/* ---- Runners ------------------------------------------------------------------------------- */

enum runner_state { RUNNER_STARTING, RUNNER_IDLE, RUNNER_BUSY, RUNNER_ENDING };

enum stop_reason { /* why the server stops a runner */
                   STOP_NONE,
                   STOP_UNUSED,
                   STOP_SERVER,
                   STOP_CANCEL,
                   STOP_RUN_TIMEOUT,
                   STOP_START_TIMEOUT,
                   STOP_FLOOD,
                   STOP_OUTPUT,
                   STOP_MEMORY,
                   STOP_PROTOCOL
};

enum watch_kind { WATCH_MAIL, WATCH_SOCKET, WATCH_PRINTED, WATCH_END };

struct runner;

struct watch { /* what an epoll event is about */
    enum watch_kind kind;
    struct runner *runner;
};

struct runner {
    struct runner *next; /* (locked) */
    struct lane *lane;
    const struct registry_version *version; /* what it was started with */
    struct runner_process process;
    enum runner_state state; /* (locked) */
    struct run *run;         /* (locked) NULL unless busy, or ending with one */
    int64_t resident_bytes;  /* (locked) */
    struct watch socket_watch, printed_watch, end_watch;
    struct wire_decoder decoder;
    struct buf out; /* frames not yet written */
    size_t out_done;
    bool said_hello;
    bool socket_open, printed_open;
    bool gone; /* collected; freed at the end of the round */
    bool was_ready;
    bool fresh;                 /* has not been given anything */
    int64_t begun_us;           /* Unix time */
    int64_t ready_us;           /* likewise; 0: not yet */
    int64_t ready_monotonic_us; /* of the same moment */
    bool load_told;             /* its failure to load was counted */
    bool yields;                /* another lane has waited long: do not give it the next one */
    enum wire_output form;
    enum stop_reason reason;
    enum stop_reason deadline_reason; /* what happens at deadline_us */
    int64_t deadline_us;              /* monotonic; 0: none */
    int run_timeout_s;                /* of the current run */
    int64_t idle_since_us;
    size_t flood_bytes;     /* logs of the current run, or of the start */
    char printed_tail[512]; /* the last of what it printed outside of runs, for the log */
};

/* ---- supervisor.c: the thread, the runners ------------------------------------------------- */

void *supervisor_thread(void *predict);
bool supervisor_start_runner(struct predict *predict, struct lane *lane,
                             const struct registry_version *version, struct err *err);
void supervisor_assign(struct predict *predict, struct runner *runner, struct run *run);
void supervisor_stop_runner(struct predict *predict, struct runner *runner,
                            enum stop_reason reason); /* at once */
void supervisor_unload_runner(struct predict *predict, struct runner *runner,
                              enum stop_reason reason); /* an idle one, politely */
void supervisor_cancel(struct predict *predict, struct runner *runner);
/* Where a version's weights are. False when the name is too long. */
bool supervisor_weights_folder(const struct predict *predict,
                               const struct registry_version *version, char *ret_path, size_t size);

/* ---- mail.c: what others tell the supervisor ------------------------------------------------ */

void mail_read(struct predict *predict);
/* Cancel a run wherever it is; queued ones see the wish when they leave the queue. */
void mail_on_cancel(struct predict *predict, const char *id);

/* ---- events.c: frames from a runner -------------------------------------------------------- */

/* Handle what the decoder has. False: the runner broke the protocol. */
bool events_handle(struct predict *predict, struct runner *runner, struct err *err);
void events_printed(struct predict *predict, struct runner *runner, struct str bytes);

#endif
