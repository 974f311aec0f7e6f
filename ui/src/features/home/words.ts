// A tab's words, by its name.
import type { HomeText } from "@/features/home/messages";
import type { TabName } from "@/features/home/tabs";

type Key<Prefix extends string> = `${Prefix}_${"remove_background" | "upscale" | "enhance" | "generate" | "inpaint" | "colorize"}`;

export function wordOf<Prefix extends "tab" | "about" | "do">(text: HomeText, prefix: Prefix, tab: TabName): string {
    return text[`${prefix}_${tab.replace("-", "_")}` as Key<Prefix>];
}
