// A prediction as it happens: followed by its stream while that works, asked again and again otherwise.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { pathOf } from "@/api/http";
import { isEnded, isRefused, predictionQuery, progressQuery } from "@/api/queries";
import { followStream } from "@/features/predictions/sse";

const POLL_MS = 700;
const POLL_BESIDE_STREAM_MS = 5000; // in case the stream stays silent
const OUTPUT_PAUSE_MS = 150; // a model that gives words gives them faster than the record need be read
const MOST_LOG_CHARACTERS = 4_000_000;

/** Streams are closed in a hidden tab: a browser has few connections to one server, and other tabs need them. */
function useVisible(): boolean {
    return useSyncExternalStore(
        (listener) => {
            document.addEventListener("visibilitychange", listener);
            return () => document.removeEventListener("visibilitychange", listener);
        },
        () => document.visibilityState !== "hidden",
    );
}

interface Followed {
    id: string;
    open: boolean;
    logs: string;
}

/** The logs as the stream brings them, and whether it does. Tells of new output by asking for the record anew. */
function useStream(id: string, link: string | undefined): Followed | null {
    const queries = useQueryClient();
    const [followed, setFollowed] = useState<Followed | null>(null);
    useEffect(() => {
        if (!link) return;
        const stop = new AbortController();
        let logs = "";
        let timer: ReturnType<typeof setTimeout> | undefined;
        const refresh = () => {
            timer ??= setTimeout(() => {
                timer = undefined;
                void queries.invalidateQueries({ queryKey: ["predictions", id] });
            }, OUTPUT_PAUSE_MS);
        };
        const path = pathOf(link);
        const watched = `${path}${path.includes("?") ? "&" : "?"}logs=1`;
        void followStream(watched, stop.signal, (event) => {
            if (event.name === "logs") logs = (logs + event.data).slice(-MOST_LOG_CHARACTERS);
            else refresh();
            setFollowed({ id, open: true, logs });
        }).then(() => {
            if (stop.signal.aborted) return;
            setFollowed((before) => before && { ...before, open: false });
            refresh();
        });
        return () => {
            stop.abort();
            clearTimeout(timer);
            setFollowed(null);
        };
    }, [id, link, queries]);
    return followed?.id === id ? followed : null;
}

export function useLivePrediction(id: string) {
    const visible = useVisible();
    const [streaming, setStreaming] = useState(false);
    const interval = streaming ? POLL_BESIDE_STREAM_MS : POLL_MS;
    const prediction = useQuery({ ...predictionQuery(id), refetchInterval: (query) => (isRefused(query.state.error) || (query.state.data && isEnded(query.state.data.status)) ? false : interval) });
    const progress = useQuery({ ...progressQuery(id), enabled: prediction.data !== undefined });
    const under_way = prediction.data !== undefined && !isEnded(prediction.data.status);
    const followed = useStream(id, under_way && visible ? prediction.data?.urls.stream : undefined);
    useEffect(() => setStreaming(followed?.open ?? false), [followed?.open]);

    // What happened last shows in the progress and in the webhooks only after the prediction has ended: ask once more then.
    const queries = useQueryClient();
    const ended = prediction.data !== undefined && !under_way;
    useEffect(() => {
        if (!ended) return;
        void queries.invalidateQueries({ queryKey: progressQuery(id).queryKey });
        void queries.invalidateQueries({ queryKey: ["webhooks", "deliveries"] });
    }, [ended, id, queries]);

    const recorded = prediction.data?.logs ?? "";
    const logs = followed && followed.logs.length > recorded.length ? followed.logs : recorded;
    return { prediction, progress, logs, streaming };
}
