// The tabs: which function of the server each is, and which of its inputs stand in the open. Everything else comes from the model's schema.
import { Brush, Eraser, ImageUpscale, Palette, Sparkles, WandSparkles } from "lucide-react";
import type { ReactNode } from "react";

export const TAB_NAMES = ["remove-background", "upscale", "enhance", "generate", "inpaint", "colorize"] as const;
export type TabName = (typeof TAB_NAMES)[number];

export interface Tab {
    name: TabName;
    icon: ReactNode;
    /** It works on a picture: the large field is for it. */
    picture: boolean;
    /** The input that a mask is painted for. */
    mask?: string;
    /** Inputs shown above "More settings", those the model has. */
    main: string[];
}

export const TABS: Record<TabName, Tab> = {
    "remove-background": { name: "remove-background", icon: <Eraser />, picture: true, main: [] },
    upscale: { name: "upscale", icon: <ImageUpscale />, picture: true, main: ["scale", "face_enhance"] },
    enhance: { name: "enhance", icon: <WandSparkles />, picture: true, main: ["scale"] },
    generate: { name: "generate", icon: <Sparkles />, picture: false, main: ["prompt", "negative_prompt", "width", "height", "aspect_ratio", "num_outputs"] },
    inpaint: { name: "inpaint", icon: <Brush />, picture: true, mask: "mask", main: ["prompt", "negative_prompt"] },
    colorize: { name: "colorize", icon: <Palette />, picture: true, main: ["model_size"] },
};

export function tabOf(name: string | undefined): TabName {
    return TAB_NAMES.find((each) => each === name) ?? "remove-background";
}
