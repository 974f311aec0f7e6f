// One file of a batch: sent, run, followed to its end. Gaps in the network and restarts of the server are ridden out.
import { api, OfflineError } from "@/api/http";
import { cancelPrediction, FROM_PAGE, isEnded } from "@/api/queries";
import { currentToken } from "@/api/session";
import type { Prediction } from "@/api/types";
import type { Work } from "@/features/batch/queue";
import { pause, prepareInput, type InputValues } from "@/features/run/prepare";

const POLL_MS = 700;
const OFFLINE_PAUSE_MS = 1500;

export interface Job {
    model: string;
    version: string;
    file_input: string;
    settings: InputValues;
}

function randomKey(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Again for as long as the server cannot be reached; other errors at once. */
async function untilReached<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
        try {
            return await attempt();
        } catch (error) {
            if (!(error instanceof OfflineError) || signal.aborted) throw error;
            await pause(OFFLINE_PAUSE_MS, signal);
        }
    }
}

async function follow(created: Prediction, onChange: (prediction: Prediction) => void, signal: AbortSignal): Promise<Prediction> {
    let prediction = created;
    onChange(prediction);
    while (!isEnded(prediction.status)) {
        await pause(POLL_MS, signal);
        prediction = await untilReached(() => api<Prediction>("GET", `/v1/predictions/${created.id}`, { signal }), signal);
        onChange(prediction);
    }
    return prediction;
}

/** The work of a queue for this job. When aborted, the run is canceled on the server, too. */
export function workOf(job: Job): Work {
    const token = currentToken();
    return async (file, onChange, signal) => {
        if (currentToken() !== token) throw new Error("The session that began this has ended."); // nobody else's token goes on with it
        const input = await prepareInput({ ...job.settings, [job.file_input]: file }, undefined, signal);
        const headers = { ...FROM_PAGE, "Idempotency-Key": randomKey() }; // a repeated create is one prediction all the same
        const created = await untilReached(() => api<Prediction>("POST", "/v1/predictions", { body: { version: job.version, input }, headers, signal }), signal);
        try {
            return await follow(created, onChange, signal);
        } catch (error) {
            if (signal.aborted) await cancelPrediction(created.id).catch(() => undefined); // it may have ended meanwhile
            throw error;
        }
    };
}
