// The links within a value of JSON. Pure.
import type { Json } from "@/api/types";
import { isLink } from "@/features/picture/links";

const LINKS_MAX = 100; // of one value: more are not listed

export function linksIn(value: Json | undefined): string[] {
    const links: string[] = [];
    const visit = (each: Json | undefined) => {
        if (links.length >= LINKS_MAX || each === undefined || each === null) return;
        if (isLink(each)) links.push(each);
        else if (typeof each === "object") for (const inner of Object.values(each)) visit(inner as Json);
    };
    visit(value);
    return links;
}
