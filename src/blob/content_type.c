/* The media type of a file, by the ending of its name. Not here: looking into the bytes. */
#include "blob/blob.h"

#include <string.h>

struct content_type {
    const char *ending, *type;
};

static const struct content_type content_types[] = {
    { "png", "image/png" },
    { "jpg", "image/jpeg" },
    { "jpeg", "image/jpeg" },
    { "webp", "image/webp" },
    { "gif", "image/gif" },
    { "avif", "image/avif" },
    { "svg", "image/svg+xml" },
    { "bmp", "image/bmp" },
    { "tif", "image/tiff" },
    { "tiff", "image/tiff" },
    { "heic", "image/heic" },
    { "ico", "image/vnd.microsoft.icon" },
    { "mp4", "video/mp4" },
    { "webm", "video/webm" },
    { "mov", "video/quicktime" },
    { "mkv", "video/x-matroska" },
    { "mp3", "audio/mpeg" },
    { "wav", "audio/wav" },
    { "flac", "audio/flac" },
    { "ogg", "audio/ogg" },
    { "m4a", "audio/mp4" },
    { "txt", "text/plain; charset=utf-8" },
    { "csv", "text/csv" },
    { "html", "text/html; charset=utf-8" },
    { "css", "text/css" },
    { "js", "text/javascript" },
    { "md", "text/markdown" },
    { "srt", "application/x-subrip" },
    { "vtt", "text/vtt" },
    { "json", "application/json" },
    { "pdf", "application/pdf" },
    { "zip", "application/zip" },
    { "tar", "application/x-tar" },
    { "gz", "application/gzip" },
    { "glb", "model/gltf-binary" },
    { "obj", "model/obj" },
    { "ply", "application/octet-stream" },
    { "wasm", "application/wasm" },
};

const char *blob_content_type(const char *name)
{
    const char *dot = name ? strrchr(name, '.') : NULL;
    struct str ending = str_from(dot ? dot + 1 : NULL);
    for (size_t i = 0; i < ARRAY_LEN(content_types); i++) {
        if (str_equal_nocase(ending, str_from(content_types[i].ending)))
            return content_types[i].type;
    }
    return "application/octet-stream";
}
