// A prediction's output, small: for lists.
import { ImageOff } from "lucide-react";
import { useState } from "react";
import { isEnded } from "@/api/queries";
import type { Prediction } from "@/api/types";
import { defineMessages, useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { picturesOf } from "@/features/outputs/outputs";

const messages = defineMessages({
    en: { data_removed: "Data removed", no_output: "No output" },
    ru: { data_removed: "Данные удалены", no_output: "Нет результата" },
    vi: { data_removed: "Đã xóa dữ liệu", no_output: "Không có kết quả" },
});

/** The first picture of an output, else what there is in a few words. */
export function Thumbnail({ prediction, className }: { prediction: Prediction; className?: string }) {
    const text = useMessages(messages);
    const [broken, setBroken] = useState<string | null>(null);
    const picture = picturesOf(prediction.output, 1)[0];
    if (picture && picture !== broken)
        return <img src={picture} alt="" loading="lazy" decoding="async" onError={() => setBroken(picture)} className={cn("checkerboard size-12 shrink-0 rounded-md border object-cover", className)} />;
    const words = typeof prediction.output === "string" ? prediction.output : prediction.output === null ? "" : Array.isArray(prediction.output) && prediction.output.every((each) => typeof each === "string") ? prediction.output.join("") : JSON.stringify(prediction.output);
    if (!picture && words) return <span className={cn("flex size-12 shrink-0 items-center overflow-hidden rounded-md border bg-muted p-1 text-[0.625rem] leading-tight break-all text-muted-foreground", className)}>{words.slice(0, 60)}</span>;
    return (
        <span className={cn("flex size-12 shrink-0 items-center justify-center rounded-md border border-dashed text-muted-foreground", className)} title={prediction.data_removed ? text.data_removed : isEnded(prediction.status) ? text.no_output : undefined}>
            {isEnded(prediction.status) && <ImageOff aria-hidden className="size-4 opacity-70" />}
        </span>
    );
}
