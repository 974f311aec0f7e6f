// An output taken apart for showing: files among it, text, or JSON. Pure.
import type { Json } from "@/api/types";
import { isLink } from "@/features/picture/links";

const FILES_MAX = 500; // shown of one output
const DEPTH_MAX = 6;

export type OutputParts = { kind: "empty" } | { kind: "files"; links: string[]; rest: Json | undefined } | { kind: "text"; text: string } | { kind: "json"; value: Json };

function collectLinks(value: Json, links: string[], depth = 0): void {
    if (links.length >= FILES_MAX || depth > DEPTH_MAX) return;
    if (isLink(value)) links.push(value);
    else if (Array.isArray(value)) for (const each of value) collectLinks(each, links, depth + 1);
    else if (typeof value === "object" && value !== null) for (const each of Object.values(value)) collectLinks(each, links, depth + 1);
}

/** A list of texts is one text (a model that streams words); links anywhere in it are files. `rest` is what is beside the links, as JSON. */
export function partsOf(output: Json): OutputParts {
    if (output === null || output === undefined || output === "" || (Array.isArray(output) && output.length === 0)) return { kind: "empty" };
    const links: string[] = [];
    collectLinks(output, links);
    if (links.length > 0) {
        const only = isLink(output) || (Array.isArray(output) && output.every(isLink));
        return { kind: "files", links, rest: only ? undefined : output };
    }
    if (typeof output === "string") return { kind: "text", text: output };
    if (Array.isArray(output) && output.every((each) => typeof each === "string")) return { kind: "text", text: output.join("") };
    return { kind: "json", value: output };
}
