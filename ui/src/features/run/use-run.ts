// One run of a form: uploads, creates the prediction, follows it until it has ended. Its id is kept in this browser tab, so that a
// reload goes on with it; while the server cannot be reached it is asked again.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useReducer, useRef } from "react";
import { api, ApiError } from "@/api/http";
import { cancelPrediction, FROM_PAGE, isEnded, isRefused, predictionQuery, progressQuery } from "@/api/queries";
import type { Prediction } from "@/api/types";
import { forgetUploads, prepareInput, withPatience, type InputValues, type OnWait } from "@/features/run/prepare";
import { keepRun, keptRun, reduceRun, stateOf, type RunPhase, type RunState } from "@/features/run/run-state";

export type { RunState } from "@/features/run/run-state";

export interface Run {
    state: RunState;
    start: (version: string, input: InputValues) => Promise<void>;
    cancel: () => void;
    reset: () => void;
}

const QUICK_MS = 250; // between questions in a run's first seconds
const QUICK_FOR_MS = 5000;
const SLOW_MS = 800;

function followEvery(prediction: Prediction | undefined): number | false {
    if (prediction && isEnded(prediction.status)) return false;
    return prediction && Date.now() - Date.parse(prediction.created_at) < QUICK_FOR_MS ? QUICK_MS : SLOW_MS;
}

function randomKey(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function firstPhase(key: string): RunPhase {
    const id = keptRun(key);
    return id ? { kind: "following", id } : { kind: "idle" };
}

/** `key` names the form: its run is kept under it. `start` never throws: what went wrong is in `state`. */
export function useRun(key: string): Run {
    const queries = useQueryClient();
    const [phase, dispatch] = useReducer(reduceRun, key, firstPhase);
    const attempt = useRef(0);
    const stop = useRef<AbortController | null>(null);
    const id = phase.kind === "following" ? phase.id : null;
    const prediction = useQuery({ ...predictionQuery(id ?? ""), enabled: id !== null, refetchInterval: (query) => !isRefused(query.state.error) && followEvery(query.state.data) });
    const followed = id !== null && prediction.data !== undefined && !isEnded(prediction.data.status);
    const progress = useQuery({ ...progressQuery(id ?? ""), enabled: followed });

    // A form whose key changes is another form.
    const shown_key = useRef(key);
    useEffect(() => {
        if (shown_key.current === key) return;
        shown_key.current = key;
        stop.current?.abort();
        const kept = keptRun(key);
        dispatch(kept ? { kind: "restored", id: kept } : { kind: "reset" });
    }, [key]);

    const error = id !== null ? prediction.error : null;
    useEffect(() => {
        if (!id || !(error instanceof ApiError) || error.status !== 404) return;
        keepRun(key, null); // deleted, or another server's
        dispatch({ kind: "lost", id, error });
    }, [id, error, key]);

    const start = useCallback(
        async (version: string, input: InputValues): Promise<void> => {
            const mine = ++attempt.current;
            stop.current?.abort();
            const controller = new AbortController();
            stop.current = controller;
            keepRun(key, null);
            dispatch({ kind: "started", attempt: mine });
            const onWait: OnWait = (wait) => dispatch({ kind: "throttled", attempt: mine, until_ms: wait?.throttled ? wait.until_ms : null });
            try {
                const prepared = await prepareInput(input, (done, total) => dispatch({ kind: "sent", attempt: mine, done, total }), controller.signal, onWait);
                // With a key of its own the create may be repeated after a lost connection: it is one prediction all the same.
                const headers = { ...FROM_PAGE, "Idempotency-Key": randomKey() };
                // Once sent it is not cut off: the server may have it already, and what is not wanted any more is canceled by its id.
                const created = await withPatience(() => api<Prediction>("POST", "/v1/predictions", { body: { version, input: prepared }, headers }), controller.signal, onWait);
                if (controller.signal.aborted) {
                    void withPatience(() => cancelPrediction(created.id)).catch(() => undefined);
                    dispatch({ kind: "stopped", attempt: mine });
                    return;
                }
                queries.setQueryData(predictionQuery(created.id).queryKey, created);
                if (mine === attempt.current) keepRun(key, created.id);
                dispatch({ kind: "created", attempt: mine, id: created.id });
            } catch (failure) {
                if (controller.signal.aborted) dispatch({ kind: "stopped", attempt: mine });
                else {
                    forgetUploads(input);
                    dispatch({ kind: "refused", attempt: mine, error: failure instanceof Error ? failure : new Error(String(failure)) });
                }
            }
        },
        [key, queries],
    );

    const cancel = useCallback(() => {
        stop.current?.abort();
        if (!id) return;
        void withPatience(() => cancelPrediction(id)).then(
            (answer) => queries.setQueryData(predictionQuery(id).queryKey, answer),
            () => void queries.invalidateQueries({ queryKey: predictionQuery(id).queryKey }),
        );
    }, [id, queries]);

    const reset = useCallback(() => {
        attempt.current += 1;
        stop.current?.abort();
        keepRun(key, null);
        dispatch({ kind: "reset" });
    }, [key]);

    return { state: stateOf(phase, id ? prediction.data : undefined, progress.data), start, cancel, reset };
}
