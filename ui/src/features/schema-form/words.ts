// Short texts about a field: its limits, a value in few letters. Pure.
import type { Json } from "@/api/types";
import type { Language } from "@/i18n";
import type { formMessages } from "@/features/schema-form/messages";
import type { InputField } from "@/features/schema-form/schema";

const BRIEF_MAX = 60; // letters of a value in a hint

/** A value in few letters, for hints. */
export function brief(value: Json | undefined): string {
    if (value === undefined) return "";
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return text.length > BRIEF_MAX ? `${text.slice(0, BRIEF_MAX)}…` : text;
}

export function plainNumber(value: number, language: Language): string {
    return value.toLocaleString(language, { maximumFractionDigits: 6, useGrouping: Math.abs(value) >= 10_000 });
}

/** "0 to 1", "at least 3"; null when there are none worth saying. */
export function limitsText(field: InputField, text: (typeof formMessages)["en"], language: Language): string | null {
    if (field.kind !== "number" && field.kind !== "integer") return null;
    const low = field.minimum ?? field.above;
    const high = field.maximum ?? field.below;
    if (low !== undefined && high !== undefined) return text.limits_from(plainNumber(low, language), plainNumber(high, language));
    if (low !== undefined) return text.limits_least(plainNumber(low, language));
    return high === undefined ? null : text.limits_most(plainNumber(high, language));
}

const SLIDER_STEPS_MAX = 4096; // positions of a slider that can still be found with a finger

/** How far apart a slider's positions are; null when a slider would be of no use (a seed). */
export function sliderStep(field: InputField): number | null {
    const { minimum, maximum } = field;
    if (minimum === undefined || maximum === undefined || maximum <= minimum) return null;
    const range = maximum - minimum;
    if (field.kind === "integer") {
        const step = field.multipleOf && Number.isInteger(field.multipleOf) ? field.multipleOf : 1;
        return range / step <= SLIDER_STEPS_MAX ? step : null;
    }
    if (range > SLIDER_STEPS_MAX) return null;
    return field.multipleOf ?? 10 ** Math.floor(Math.log10(range / 50));
}
