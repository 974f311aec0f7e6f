// Usage by day as bars.
import { useMemo, useState } from "react";
import type { UsageNumbers } from "@/api/types";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Select } from "@/components/ui/select";
import { useLanguage, useMessages } from "@/i18n";
import { formatMoney, formatSeconds } from "@/lib/format";
import { Chart, type Series } from "@/features/chart/chart";
import { usageMessages } from "@/features/usage/messages";

const DAY_MS = 86_400_000;
type Day = UsageNumbers & { day: string };
const SHOWN = ["runs", "predict_time", "images", "cost"] as const;
type Shown = (typeof SHOWN)[number];

function seriesOf(days: Day[], shown: Shown, text: Record<"succeeded" | "failed" | "other" | "seconds" | "images" | "cost", string>): Series[] {
    if (shown === "runs")
        return [
            { key: "succeeded", label: text.succeeded, tone: "primary", kind: "bar", values: days.map((each) => each.succeeded) },
            { key: "failed", label: text.failed, tone: "destructive", kind: "bar", values: days.map((each) => each.failed) },
            { key: "other", label: text.other, tone: "muted", kind: "bar", dashed: true, values: days.map((each) => Math.max(0, each.runs - each.succeeded - each.failed)) },
        ];
    const label = shown === "predict_time" ? text.seconds : text[shown];
    return [{ key: shown, label, tone: "primary", kind: "bar", values: days.map((each) => each[shown]) }];
}

export function DayChart({ days }: { days: Day[] }) {
    const text = useMessages(usageMessages);
    const { language } = useLanguage();
    const [shown, setShown] = useState<Shown>("runs");
    const names: Record<Shown, string> = { runs: text.runs, predict_time: text.seconds, images: text.images, cost: text.cost };
    const series = useMemo(() => seriesOf(days, shown, text), [days, shown, text]);
    const times = useMemo(() => days.map((each) => Date.parse(`${each.day}T00:00:00Z`)), [days]);
    const dayName = (at_ms: number, style: Intl.DateTimeFormatOptions) => new Date(at_ms).toLocaleDateString(language, { ...style, timeZone: "UTC" });
    const format = (value: number) => (shown === "predict_time" ? formatSeconds(value, language) : shown === "cost" ? formatMoney(value, language) : value.toLocaleString(language));
    return (
        <Card>
            <CardHeader className="items-center">
                <CardTitle>{text.by_day}</CardTitle>
                <Select className="w-auto" aria-label={text.show} choices={SHOWN.map((value) => ({ value, label: names[value] }))} value={shown} onChange={(value) => setShown(value as Shown)} />
            </CardHeader>
            <CardContent>
                <Chart
                    label={`${text.by_day}: ${names[shown]}`}
                    times={times}
                    domain={[times[0] ?? 0, (times.at(-1) ?? 0) + DAY_MS]}
                    ticks={times.map((at) => ({ at: at + DAY_MS / 2, label: dayName(at, { day: "numeric", month: "short" }) }))}
                    series={series}
                    whole={shown === "runs" || shown === "images"}
                    bar_ms={DAY_MS}
                    format={format}
                    formatTime={(at_ms) => dayName(at_ms, { dateStyle: "medium" })}
                    height={220}
                />
            </CardContent>
        </Card>
    );
}
