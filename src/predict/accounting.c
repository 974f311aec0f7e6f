/* Accounting: usage and the owed webhook of one ended prediction; see accounting.h. */
#include "predict/accounting.h"

#include <string.h>

#include "account/account.h"
#include "base/clock.h"
#include "predict/predict_private.h"
#include "registry/registry.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define DELIVERY_ID_LETTERS 27 /* as Svix has them, so that receivers' checks of it pass */

static void fill_usage(struct store_usage *usage, const struct store_prediction_move *move,
                       const struct prediction *record, const struct registry_version *version,
                       int64_t predict_us, int64_t images)
{
    bool succeeded = move->to == PREDICTION_SUCCEEDED;
    *usage = (struct store_usage){
        .account = record->account,
        .token = record->token ? record->token : "",
        .model = record->model,
        .day = move->completed_us / DAY_US,
        .runs = 1,
        .succeeded = succeeded,
        .failed = move->to == PREDICTION_FAILED,
        .predict_us = predict_us,
        .images = images,
    };
    if (version)
        usage->cost_microusd =
            account_cost_microusd(&version->model->price, predict_us, images, succeeded);
}

static void fill_delivery(struct store_delivery *delivery, const struct prediction *record)
{
    int64_t now_us = clock_now_us();
    if (!delivery->id[0]) {
        memcpy(delivery->id, "msg_", 4);
        id_random_text(delivery->id + 4, DELIVERY_ID_LETTERS);
    }
    delivery->prediction = record->id;
    delivery->account = record->account;
    delivery->url = record->webhook;
    delivery->base_url = record->base_url;
    delivery->state = DELIVERY_PENDING;
    delivery->created_us = delivery->next_us = now_us;
}

void accounting_fill(struct accounting *accounting, struct store_write *write,
                     const struct prediction *record, const struct registry_version *version,
                     int64_t predict_us, int64_t images)
{
    struct store_prediction_move *move = &write->move;
    fill_usage(&accounting->usage, move, record, version, predict_us, images);
    move->usage = &accounting->usage;
    if (record->webhook && predict_wants(record->webhook_events_filter, PREDICT_COMPLETED)) {
        fill_delivery(&accounting->delivery, record);
        move->delivery = &accounting->delivery;
    }
}

void accounting_applied(struct predict *predict, const struct accounting *accounting,
                        const struct prediction *record, const struct store_write *write)
{
    const struct store_prediction_move *move = &write->move;
    totals_count(predict, record->model, move->to, record->created_us, move->started_us,
                 move->completed_us, accounting->usage.predict_us);
    if (predict->options.accounts && accounting->usage.cost_microusd != 0)
        accounts_charged(predict->options.accounts, record->account,
                         accounting->usage.cost_microusd);
}
