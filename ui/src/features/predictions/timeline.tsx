// What a prediction spent its time with: a bar of stages, and the same as a table.
import { useEffect, useState } from "react";
import type { Progress } from "@/api/types";
import { Table } from "@/components/ui/bits";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { useLanguage, useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatSeconds } from "@/lib/format";
import { predictionMessages } from "@/features/predictions/messages";
import { stagesOf, type StageName } from "@/features/predictions/stages";

const TICK_MS = 500;
const LOOKS: Record<StageName, string> = {
    waiting: "bg-input/50",
    preparing: "bg-warning",
    loading: "bg-primary/45",
    running: "bg-primary",
    ending: "bg-success",
};
const NARROWEST_PERCENT = 0.6; // so that a short stage can still be seen

function useNow(ticking: boolean): number {
    const [now, setNow] = useState(Date.now);
    useEffect(() => {
        if (!ticking) return;
        const timer = setInterval(() => setNow(Date.now()), TICK_MS);
        return () => clearInterval(timer);
    }, [ticking]);
    return ticking ? Math.max(now, Date.now()) : now;
}

export function Timeline({ progress }: { progress: Progress }) {
    const text = useMessages(predictionMessages);
    const { language } = useLanguage();
    const now = useNow(progress.phase !== "ended");
    const stages = stagesOf(progress, now);
    const total_s = stages.reduce((sum, stage) => sum + stage.seconds, 0);
    if (stages.length === 0) return null;
    return (
        <Card>
            <CardHeader>
                <CardTitle>{text.timeline}</CardTitle>
            </CardHeader>
            <CardContent className="space-y-4">
                <div aria-hidden className="flex h-3 gap-px overflow-hidden rounded-full">
                    {stages.map((stage, index) => (
                        <div key={index} className={cn(LOOKS[stage.name], stage.open && "animate-pulse")} style={{ flexGrow: total_s ? Math.max(stage.seconds / total_s, NARROWEST_PERCENT / 100) : 1 }} />
                    ))}
                </div>
                <Table label={text.timeline}>
                    <thead>
                        <tr>
                            <th>{text.stage}</th>
                            <th className="hidden sm:table-cell">{text.began}</th>
                            <th className="text-right">{text.duration}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {stages.map((stage, index) => (
                            <tr key={index}>
                                <td>
                                    <span className="flex items-center gap-2">
                                        <span aria-hidden className={cn("size-2.5 shrink-0 rounded-full", LOOKS[stage.name])} />
                                        {text[`stage_${stage.name}`]}
                                    </span>
                                </td>
                                <td className="hidden whitespace-nowrap tabular-nums sm:table-cell">{new Date(stage.began_at).toLocaleTimeString(language)}</td>
                                <td className="text-right whitespace-nowrap tabular-nums">
                                    {formatSeconds(stage.seconds, language)}
                                    {stage.open && <span className="text-muted-foreground"> {text.so_far}</span>}
                                </td>
                            </tr>
                        ))}
                        <tr className="font-medium">
                            <td>{text.total}</td>
                            <td className="hidden sm:table-cell" />
                            <td className="text-right whitespace-nowrap tabular-nums">{formatSeconds(total_s, language)}</td>
                        </tr>
                    </tbody>
                </Table>
            </CardContent>
        </Card>
    );
}
