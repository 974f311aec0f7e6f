// What a downloaded result is called: after the picture it was made from and what was done, so that it is found again. Pure.
import type { Json } from "@/api/types";
import { nameOfLink } from "@/features/picture/links";
import type { TabName } from "@/features/home/tabs";

const ENDINGS: Record<TabName, string> = { "remove-background": "no-background", upscale: "upscaled", enhance: "enhanced", generate: "", inpaint: "inpainted", colorize: "colorized" };
const WORDS_MAX = 6; // of a prompt

/** `picture`: the given file's name, or its link. */
export function resultName(tab: TabName, input: Record<string, Json>, picture: string | null): string {
    const prompt = typeof input["prompt"] === "string" ? input["prompt"].split(/\s+/).slice(0, WORDS_MAX).join("-") : "";
    if (tab === "generate") return prompt.slice(0, 60) || "generated";
    const link_name = picture && /^https?:/i.test(picture) ? nameOfLink(picture) : picture && /^data:/i.test(picture) ? "" : (picture ?? "");
    const base = link_name.replace(/\.[a-z0-9]{1,5}$/i, "");
    const scale = input["scale"];
    const ending = tab === "upscale" && typeof scale === "number" ? `${scale}x` : ENDINGS[tab];
    // Ids of uploads are no names.
    if (base && !/^[A-Za-z0-9_-]{40,}$/.test(base)) return `${base}-${ending}`;
    return ending === ENDINGS[tab] ? ending : `${ENDINGS[tab]}-${ending}`;
}
