/* fuzz: server
 * Data URLs and the links we recognise in inputs: any text gives bytes within the limit, or a
 * refusal with a sentence. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/id.h"
#include "predict/data_url.h"
#include "predict/inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size }, found;
    struct data_url url;
    struct buf out;
    struct err err = { 0 };
    buf_init(&out, 4096);
    if (data_url_parse(text, &url, &err)) {
        if (strlen(url.media_type) >= sizeof url.media_type || url.data.len > size)
            abort();
        if (!data_url_decode(&url, &out, &err) && !err.detail[0])
            abort();
        if (out.len > out.max || !data_url_extension(url.media_type))
            abort();
    } else if (!err.detail[0]) {
        abort();
    }
    buf_done(&out);
    if (inputs_file_id(text, &found) && found.len != ID_FILE_LEN)
        abort();
    if (inputs_output_path(text, &found) && !str_starts(found, S("/outputs/")))
        abort();
    return 0;
}
