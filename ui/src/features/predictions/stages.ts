// What a prediction spent its time with, from the moments the server tells. Pure.
import type { Progress } from "@/api/types";

export type StageName = "preparing" | "waiting" | "loading" | "running" | "ending";

export interface Stage {
    name: StageName;
    began_at: number; // Unix time in ms
    seconds: number;
    open: boolean; // it goes on
}

const SHORTEST_S = 0.005; // shorter ones would be told as "0 s"

/** What was done until a moment came. */
const BEFORE: Record<string, StageName> = { prepared: "preparing", loading: "waiting", loaded: "loading", started: "waiting", completed: "running" };
/** What is done now, by the phase. */
const NOW: Record<Progress["phase"], StageName> = { queued: "waiting", preparing: "preparing", loading: "loading", running: "running", ended: "ending" };

/** In order, neighbours of one name joined. `now` (Unix ms) ends the last one of a prediction that goes on. */
export function stagesOf(progress: Progress, now: number): Stage[] {
    const stages: Stage[] = [];
    const add = (name: StageName, began_at: number, ended_at: number, open: boolean) => {
        const seconds = Math.max(0, (ended_at - began_at) / 1000);
        const last = stages.at(-1);
        if (last?.name === name) {
            last.seconds += seconds;
            last.open = open;
        } else stages.push({ name, began_at, seconds, open });
    };
    const moments = progress.timeline.map((moment) => ({ name: moment.name, at: Date.parse(moment.at) })).filter((moment) => !Number.isNaN(moment.at));
    let started = false;
    for (let index = 1; index < moments.length; index++) {
        const moment = moments[index]!;
        // One that was canceled in the queue has completed without running.
        const name = moment.name === "completed" && !started ? "waiting" : (BEFORE[moment.name] ?? "waiting");
        started ||= moment.name === "started";
        add(name, moments[index - 1]!.at, moment.at, false);
    }
    const last = moments.at(-1);
    if (last && progress.phase !== "ended") add(NOW[progress.phase], last.at, Math.max(now, last.at), true);
    const shown = stages.filter((stage) => stage.open || stage.seconds >= SHORTEST_S);
    return shown.length ? shown : stages;
}
