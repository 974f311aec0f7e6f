// A prediction's logs: as a terminal would show them, following what is new while one looks at the end.
import { ArrowDownToLine, Download } from "lucide-react";
import { memo, useEffect, useId, useMemo, useRef, useState } from "react";
import { CopyButton } from "@/components/copy-button";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Switch } from "@/components/ui/controls";
import { Label } from "@/components/ui/input";
import { useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { predictionMessages } from "@/features/predictions/messages";
import { saveBlob } from "@/lib/save";
import { plainText, terminalLines, type Colour, type Line, type Span } from "@/features/predictions/terminal";

const COLOURS: Record<Colour, string> = {
    red: "text-destructive",
    green: "text-success",
    yellow: "text-warning",
    blue: "text-primary",
    magenta: "text-fuchsia-800 dark:text-fuchsia-300",
    cyan: "text-cyan-800 dark:text-cyan-300",
    grey: "text-muted-foreground",
};
const AT_END_PX = 24;

function classesOf(span: Span): string | undefined {
    return cn(span.colour && COLOURS[span.colour], span.bold && "font-bold", span.dim && "text-muted-foreground", span.italic && "italic", span.underline && "underline") || undefined;
}

const LogLine = memo(
    function LogLine({ line }: { line: Line }) {
        return (
            <div className="min-h-[1.45em]">
                {line.map((span, index) => (
                    <span key={index} className={classesOf(span)}>
                        {span.text}
                    </span>
                ))}
            </div>
        );
    },
    (before, after) => JSON.stringify(before.line) === JSON.stringify(after.line),
);

/** Scrolls to the end when there is more, until one scrolls away from it. */
function useFollow(content: string, live: boolean) {
    const [follow, setFollow] = useState(true);
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        if (live && follow && box.current) box.current.scrollTop = box.current.scrollHeight;
    }, [content, follow, live]);
    const onScroll = () => {
        const element = box.current;
        if (live && element) setFollow(element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX);
    };
    return { follow, setFollow, box, onScroll };
}

export function Logs({ logs, live, name }: { logs: string; live: boolean; name: string }) {
    const text = useMessages(predictionMessages);
    const id = useId();
    const { lines, left_out } = useMemo(() => terminalLines(logs), [logs]);
    const { follow, setFollow, box, onScroll } = useFollow(logs, live);
    return (
        <Card>
            <CardHeader className="items-center">
                <CardTitle>{text.logs}</CardTitle>
                <div className="flex items-center gap-1">
                    {live && (
                        <span className="mr-2 flex items-center gap-2">
                            <ArrowDownToLine aria-hidden className="size-4 text-muted-foreground" />
                            <Label htmlFor={id}>{text.follow}</Label>
                            <Switch id={id} checked={follow} onCheckedChange={setFollow} />
                        </span>
                    )}
                    {lines.length > 0 && (
                        <>
                            <CopyButton text={() => plainText(logs)} label={text.copy_logs} />
                            <Button variant="ghost" size="icon-sm" aria-label={text.download_logs} onClick={() => saveBlob(new Blob([logs], { type: "text/plain" }), `${name}.log`)}>
                                <Download />
                            </Button>
                        </>
                    )}
                </div>
            </CardHeader>
            <CardContent>
                {left_out > 0 && <p className="mb-2 text-xs text-muted-foreground">{text.lines_left_out(left_out)}</p>}
                {lines.length === 0 ? (
                    <p className="text-sm text-muted-foreground">{live ? text.no_logs_yet : text.no_logs}</p>
                ) : (
                    <div ref={box} onScroll={onScroll} role="region" aria-label={text.logs} tabIndex={0} className="max-h-96 overflow-auto rounded-md border bg-muted p-3 font-mono text-xs leading-[1.45] whitespace-pre-wrap [overflow-wrap:anywhere]">
                        {lines.map((line, index) => (
                            <LogLine key={left_out + index} line={line} />
                        ))}
                    </div>
                )}
            </CardContent>
        </Card>
    );
}
