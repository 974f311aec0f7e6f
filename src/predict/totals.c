/* Totals: how the predictions since the start have ended, by model, for /metrics. What must survive
 * a restart is in the books (accounting.c). */
#include <stdlib.h>
#include <string.h>

#include "predict/predict_private.h"

struct total {
    struct total *next;
    int64_t succeeded, failed, canceled;
    int64_t predict_us, queue_us;
    char model[];
};

/* Lock held. As many as there are models. NULL: no memory. */
static struct total *total_of(struct predict *predict, const char *model)
{
    struct total *total = predict->totals;
    while (total && strcmp(total->model, model) != 0)
        total = total->next;
    size_t size = strlen(model) + 1;
    if (total || !(total = calloc(1, sizeof *total + size)))
        return total;
    memcpy(total->model, model, size);
    total->next = predict->totals;
    predict->totals = total;
    return total;
}

void totals_count(struct predict *predict, const char *model, enum prediction_status status,
                  int64_t created_us, int64_t started_us, int64_t completed_us, int64_t predict_us)
{
    int64_t queue_us = (started_us > 0 ? started_us : completed_us) - created_us;
    pthread_mutex_lock(&predict->lock);
    struct total *total = total_of(predict, model);
    if (total) {
        total->succeeded += status == PREDICTION_SUCCEEDED;
        total->failed += status == PREDICTION_FAILED;
        total->canceled += status == PREDICTION_CANCELED || status == PREDICTION_ABORTED;
        total->predict_us += predict_us > 0 ? predict_us : 0;
        total->queue_us += queue_us > 0 ? queue_us : 0;
    }
    pthread_mutex_unlock(&predict->lock);
    const struct predict_end end = { .model = model,
                                     .status = status,
                                     .predict_us = predict_us > 0 ? predict_us : 0,
                                     .queue_us = started_us <= 0 ? -1
                                                 : queue_us > 0  ? queue_us
                                                                 : 0 };
    pthread_mutex_lock(&predict->ended_lock);
    if (predict->ended)
        predict->ended(predict->ended_context, &end);
    pthread_mutex_unlock(&predict->ended_lock);
}

void predict_on_end(struct predict *predict, predict_ended *ended, void *context)
{
    pthread_mutex_lock(&predict->ended_lock);
    predict->ended = ended;
    predict->ended_context = context;
    pthread_mutex_unlock(&predict->ended_lock);
}

void predict_each_total(struct predict *predict,
                        void (*each)(void *context, const struct predict_totals_info *info),
                        void *context)
{
    int count = 0;
    pthread_mutex_lock(&predict->lock);
    for (const struct total *total = predict->totals; total; total = total->next)
        count++;
    struct predict_totals_info *infos = count > 0 ? calloc((size_t)count, sizeof *infos) : NULL;
    count = 0;
    for (const struct total *total = predict->totals; infos && total; total = total->next)
        infos[count++] = (struct predict_totals_info){
            .model = total->model, /* never freed before the end */
            .succeeded = total->succeeded,
            .failed = total->failed,
            .canceled = total->canceled,
            .predict_us = total->predict_us,
            .queue_us = total->queue_us,
        };
    pthread_mutex_unlock(&predict->lock);
    for (int i = 0; i < count; i++)
        each(context, &infos[i]);
    free(infos);
}

void totals_free(struct predict *predict)
{
    for (struct total *total = predict->totals, *next; total; total = next) {
        next = total->next;
        free(total);
    }
}
