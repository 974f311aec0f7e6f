/* Every numeric limit that is not an option, with its unit and its reason. */
#ifndef MIMEO_DOMAIN_LIMITS_H
#define MIMEO_DOMAIN_LIMITS_H

#define LIMIT_JSON_BODY_BYTES                                                                      \
    (64u << 20) /* inlined data URLs: clients inline up to 10 MB; users were seen to send 6 times  \
                   that */
#define LIMIT_FILE_BYTES (100u << 20)  /* Replicate's limit for uploaded files */
#define LIMIT_FETCH_BYTES (100u << 20) /* an input fetched from a URL, as an uploaded one */
#define LIMIT_FETCH_TIMEOUT_MS 60000   /* whole transfer of one input */
#define LIMIT_FETCH_REDIRECTS 5
#define LIMIT_WAIT_MAX_MS 59500 /* Prefer: wait is answered just before clients give up at 60 s */
#define LIMIT_ATTEMPTS 3        /* a prediction whose runner or server died this often fails */
#define LIMIT_LOGS_BYTES (1u << 20)         /* logs kept per prediction */
#define LIMIT_LOGS_FLOOD_BYTES (16u << 20)  /* a model that writes more is stopped */
#define LIMIT_OUTPUT_JSON_BYTES (16u << 20) /* the JSON of a prediction's output */
#define LIMIT_PAGE_PREDICTIONS 100          /* per page, as Replicate */
#define LIMIT_PAGE_MODELS 25
#define LIMIT_FILE_LIFETIME_S 86400 /* an uploaded file, as captured from Replicate */

#endif
