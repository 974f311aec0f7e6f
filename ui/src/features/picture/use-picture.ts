// Something to show in an <img>: an object URL for a file (given back when it is no longer shown), a link the page may load, or nothing.
import { useEffect, useState } from "react";
import { bytesOf, canShow, localLink, uploadIdOf } from "@/features/picture/links";

/** `src` is null while it is fetched and when it cannot be shown; `missing` tells which. */
export function usePicture(value: Blob | string | null | undefined): { src: string | null; missing: boolean } {
    const [loaded, setLoaded] = useState<{ of: unknown; src: string | null; missing: boolean }>({ of: undefined, src: null, missing: false });
    useEffect(() => {
        if (!value) return;
        const stop = new AbortController();
        let made: string | null = null;
        const show = (file: Blob) => {
            if (stop.signal.aborted) return;
            made = URL.createObjectURL(file);
            setLoaded({ of: value, src: made, missing: false });
        };
        if (typeof value !== "string") show(value);
        else if (uploadIdOf(value)) bytesOf(value, stop.signal).then(show, () => stop.signal.aborted || setLoaded({ of: value, src: null, missing: true }));
        return () => {
            stop.abort();
            if (made) URL.revokeObjectURL(made);
        };
    }, [value]);
    if (!value) return { src: null, missing: false };
    if (typeof value === "string" && !uploadIdOf(value)) return canShow(value) ? { src: localLink(value), missing: false } : { src: null, missing: true };
    return loaded.of === value ? loaded : { src: null, missing: false };
}
