// The form of a deployment: what was typed, checked, and as the server takes it. Pure.
import type { Configuration } from "@/features/deployments/queries";

export const MIN_MOST = 5; // the server's limits
export const MAX_MOST = 20;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;

export interface Draft {
    name: string;
    model: string;
    version: string;
    hardware: string;
    min_instances: string;
    max_instances: string;
}
export type DraftField = keyof Draft;
export type DraftProblem = "name_missing" | "name_wrong" | "model_missing" | "version_missing" | "min_number" | "max_number" | "min_above_max";

function whole(typed: string, most: number): number | null {
    const text = typed.trim();
    return /^\d{1,3}$/.test(text) && Number(text) <= most ? Number(text) : null;
}

export function problemsOf(draft: Draft): Partial<Record<DraftField, DraftProblem>> {
    const problems: Partial<Record<DraftField, DraftProblem>> = {};
    if (!draft.name.trim()) problems.name = "name_missing";
    else if (!NAME.test(draft.name.trim())) problems.name = "name_wrong";
    if (!draft.model) problems.model = "model_missing";
    if (!draft.version) problems.version = "version_missing";
    const min = whole(draft.min_instances, MIN_MOST);
    const max = whole(draft.max_instances, MAX_MOST);
    if (min === null) problems.min_instances = "min_number";
    if (max === null) problems.max_instances = "max_number";
    if (min !== null && max !== null && min > max) problems.min_instances = "min_above_max";
    return problems;
}

/** Only of a draft without problems. */
export function configurationOf(draft: Draft): Configuration {
    return { version: draft.version, hardware: draft.hardware, min_instances: Number(draft.min_instances), max_instances: Number(draft.max_instances) };
}
