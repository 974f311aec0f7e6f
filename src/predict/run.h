/* The run of one prediction: from when it leaves the queue until its end is stored, and what the
 * supervisor is told about it meanwhile. For predict/ only; the locks are in predict_private.h. */
#ifndef MIMEO_PREDICT_RUN_H
#define MIMEO_PREDICT_RUN_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "domain/limits.h"
#include "domain/prediction.h"
#include "predict/accounting.h"
#include "predict/deadlines.h"
#include "predict/logs.h"
#include "predict/table.h"
#include "store/store.h"
#include "wire/message.h"

struct lane;
struct predict;
struct registry_version;
struct run;

/* What reading one record may take. */
#define RECORD_BYTES_MAX ((size_t)LIMIT_JSON_BODY_BYTES + LIMIT_OUTPUT_JSON_BYTES + (8u << 20))
#define OUTPUT_FILES_MAX 1000 /* of one prediction */
#define METRICS_MAX 64        /* of one prediction */

/* ---- Mail to the supervisor ---------------------------------------------------------------- */

enum mail_kind {
    MAIL_PREPARED, /* a run's inputs are ready, or failed */
    MAIL_RETRY,    /* a run's write failed */
    MAIL_OVER,     /* a run's end is stored, or was refused */
    MAIL_CANCEL,   /* by id; the mail is freed by the reader */
    MAIL_WISH      /* about runners (manage.c); its sender waits, and keeps it */
};

struct mail {
    struct mail *next;
    enum mail_kind kind;
    struct run *run;
    char id[ID_PREDICTION_LEN + 1];
};

/* ---- Predictions that have not ended ------------------------------------------------------- */

/* One unfinished prediction. In the live table from before its insert until its end is stored, so
 * whatever is not in the table has ended. (locked) */
struct live {
    struct table_entry entry; /* first, so that an entry is its live */
    const struct registry_version *version;
    struct run *run;     /* NULL while it is queued */
    bool cancel;         /* wished */
    int64_t deadline_us; /* Unix time; 0: none */
    int64_t added_us;    /* when it came, or was taken up at the start; monotonic */
    bool expired;        /* its deadline has passed */
    struct deadline deadline;
    char deployment[]; /* "": none */
};

enum run_stage {
    RUN_PREPARING, /* its inputs are made ready */
    RUN_READY,     /* waits for its lane's runner */
    RUN_RUNNING,   /* a runner has it */
    RUN_ENDING     /* its end is being stored */
};

enum run_retry { RETRY_PREPARE, RETRY_RESULT, RETRY_WRITE, RETRY_SETTLE };

struct run_file {
    char name[WIRE_FILE_NAME_MAX];
    char ref[160]; /* BLOB_REF_MAX; "" until it is in the blob store */
};

/* A prediction from when it left the queue until its end is stored. Reference counted: one for the
 * supervisor's part, one for each write that is under way. */
struct run {
    struct run *next;       /* in its lane's list */
    struct run *retry_next; /* in the list of retries */
    struct mail mail;       /* a run has at most one mail under way */
    struct predict *predict;
    struct lane *lane;
    const struct registry_version *version; /* set when it is attached; never changes */
    char id[ID_PREDICTION_LEN + 1];
    int64_t added_us; /* when its prediction came, or was taken up at the start; monotonic */
    atomic_int references;
    atomic_bool canceled; /* somebody wishes it to stop */
    bool expired;         /* its deadline has passed: the reason why it is canceled */
    enum run_stage stage; /* (locked) */

    /* Made by lifecycle_prepare */
    struct arena arena;
    struct prediction record;
    bool has_record;
    json_t *input, *files;
    char folder[4200];
    bool prepared_ok;
    int64_t prepared_us; /* (locked) Unix time, as the next two; 0: not yet */
    struct err prepare_err;
    bool doomed; /* its lane failed meanwhile: ends with `error` */

    /* What it waited for: a runner that was not ready when it came; 0: did not */
    int64_t loading_us, loaded_us; /* (locked) */

    /* What the runner said */
    bool started;        /* (locked) as started_us */
    bool started_stored; /* the started move was submitted, so an attempt was counted */
    int64_t started_us;  /* Unix time */
    int64_t started_monotonic_us;
    int64_t elapsed_us; /* from its start to its end */
    struct logs logs;   /* (locked) */
    json_t *texts;      /* (locked) array of strings */
    size_t text_bytes;
    json_t *metrics; /* object */
    struct run_file *outputs;
    int output_count;
    enum wire_output form;
    double predict_seconds; /* below 0: not told */

    /* Its end */
    enum prediction_status status;
    bool requeue;     /* not an end: back to the queue, for the next start of the server */
    bool end_applied; /* its end is what is stored: the outputs are its record's */
    char error[1024];
    int64_t completed_us;
    struct buf end_output, end_logs, end_metrics, end_timeline;
    bool output_ready; /* (locked) end_output is what it gives, and stays */
    struct accounting accounting;
    struct store_write started_write, end_write;
    int failures; /* of what is retried */
    enum run_retry retry;
    int64_t retry_us;
    struct run *settling_next; /* (locked) its end is stored, its outputs are still in doubt */
};

/* ---- lifecycle.c: what an event means to a prediction -------------------------------------- */

struct run *lifecycle_run_new(struct predict *predict, struct lane *lane, const char *id);
void lifecycle_run_unref(struct run *run);
void lifecycle_settle(void *run);  /* keep the outputs its record names, remove others; unref */
void lifecycle_prepare(void *run); /* on the inputs pool; posts MAIL_PREPARED */
void lifecycle_started(struct run *run);
/* Supervisor: the run has ended so; what is left (outputs, the record) is done behind its back. */
void lifecycle_end(struct run *run, enum prediction_status status, const char *error);
void lifecycle_requeue(struct run *run); /* the server ends; the next start runs it again */
void lifecycle_drop(struct run *run);    /* it ended by other means, or stays as it is stored */
void lifecycle_retry(struct run *run);   /* do again what failed */
void lifecycle_retry_later(struct run *run, enum run_retry what);

#endif
