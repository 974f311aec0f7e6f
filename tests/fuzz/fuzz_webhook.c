/* fuzz: server
 * Webhooks' URLs, event filters and secrets: any text is taken or refused with a sentence. */
#include <stdlib.h>

#include "base/err.h"
#include "predict/predict.h"
#include "webhook/webhook_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size }, authority;
    struct err err = { 0 };
    struct buf out;

    if (webhook_url_check(text, &err)) {
        if (!url_authority(text, &authority) || authority.len == 0 || authority.len >= size)
            abort();
    } else if (!err.detail[0]) {
        abort();
    }
    for (int event = PREDICT_STARTED; event <= PREDICT_COMPLETED; event++)
        predict_wants(text, (enum predict_event)event);
    buf_init(&out, 256);
    if (webhook_sign(text, S("msg_1"), S("1"), text, &out) && out.len != 47)
        abort();
    buf_done(&out);
    return 0;
}
