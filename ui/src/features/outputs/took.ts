// How long a prediction took. Pure.
import type { Prediction } from "@/api/types";

/** How long it ran, or has been under way; null when it never began. */
export function tookSeconds(prediction: Prediction, now = Date.now()): number | null {
    if (prediction.metrics?.predict_time !== undefined) return prediction.metrics.predict_time;
    if (!prediction.started_at) return null;
    const end = prediction.completed_at ? Date.parse(prediction.completed_at) : now;
    return Math.max(0, (end - Date.parse(prediction.started_at)) / 1000);
}
