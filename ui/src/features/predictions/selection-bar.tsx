// What can be done with the selected predictions: download their outputs, delete their data. Shows how far it is; can be stopped.
import { useQueryClient } from "@tanstack/react-query";
import { Download, Trash2, X } from "lucide-react";
import { useRef, useState } from "react";
import { api } from "@/api/http";
import { isEnded } from "@/api/queries";
import { useMay } from "@/api/session";
import type { Prediction } from "@/api/types";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { Button } from "@/components/ui/button";
import { Progress } from "@/components/ui/controls";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { useErrorText } from "@/components/error-text";
import { forMany, type ManyProgress } from "@/lib/many";
import { predictionMessages } from "@/features/predictions/messages";
import { archiveName } from "@/lib/save";
import { withPatience } from "@/features/run/prepare";

const DELETES_AT_ONCE = 4;

/** One bulk action at a time: how far it is, and a way to stop it. */
function useBulk() {
    const [progress, setProgress] = useState<ManyProgress | null>(null);
    const stop = useRef<AbortController | null>(null);
    const run = async (total: number, work: (onProgress: (progress: ManyProgress) => void, signal: AbortSignal) => Promise<void>) => {
        stop.current = new AbortController();
        setProgress({ done: 0, failed: 0, total });
        try {
            await work(setProgress, stop.current.signal);
        } finally {
            setProgress(null);
        }
    };
    return { progress, run, stop: () => stop.current?.abort() };
}

interface SelectionBarProps {
    selected: Prediction[];
    onClear: () => void;
}

function useActions({ selected, onClear }: SelectionBarProps) {
    const text = useMessages(predictionMessages);
    const queries = useQueryClient();
    const errorText = useErrorText();
    const bulk = useBulk();
    const tellFailures = (errors: Error[]) => {
        if (errors.length) toast(text.some_failed(errors.length, errorText(errors[0]!)), "destructive");
    };
    const download = () =>
        bulk.run(selected.length, async (onProgress, signal) => {
            const { downloadOutputs, ZipTooLargeError } = await import("@/features/outputs/zip-download");
            try {
                const wanted = selected.map(({ id }) => ({ id }));
                const result = await downloadOutputs(wanted, archiveName(), onProgress, signal);
                if (signal.aborted) return;
                if (result.files) toast(text.zip_done(result.files));
                else if (!result.failed) toast(text.zip_empty);
                tellFailures(result.errors);
            } catch (error) {
                toast(error instanceof ZipTooLargeError ? text.zip_too_large : errorText(error as Error), "destructive");
            }
        });
    const remove = () => {
        const ended = selected.filter((each) => isEnded(each.status));
        return bulk.run(ended.length, async (onProgress, signal) => {
            const result = await forMany(ended, DELETES_AT_ONCE, (each) => withPatience(() => api<void>("DELETE", `/v1/predictions/${each.id}`, { signal }), signal), onProgress, signal);
            const deleted = result.done - result.failed;
            if (deleted) toast(text.deleted(deleted));
            tellFailures(result.errors);
            await queries.invalidateQueries({ queryKey: ["predictions"] });
            if (!result.failed && !signal.aborted) onClear();
        });
    };
    return { ...bulk, download, remove };
}

export function SelectionBar(props: SelectionBarProps) {
    const text = useMessages(predictionMessages);
    const may_run = useMay("run");
    const actions = useActions(props);
    const [asking, setAsking] = useState(false);
    const { selected, onClear } = props;
    const ended = selected.filter((each) => isEnded(each.status)).length;
    const { progress } = actions;
    if (selected.length === 0 && !progress) return null;
    return (
        <div className="sticky bottom-3 z-30 mt-3 flex flex-wrap items-center gap-2 rounded-lg border bg-popover p-2 pl-4 shadow-lg">
            <span role="status" className="mr-auto text-sm font-medium tabular-nums">
                {progress ? text.working(progress.done, progress.total) : text.selected(selected.length)}
            </span>
            {progress ? (
                <>
                    <Progress label={text.working(progress.done, progress.total)} value={(progress.done / Math.max(1, progress.total)) * 100} className="w-40 max-w-full" />
                    <Button variant="outline" size="sm" onClick={actions.stop}>
                        {text.stop}
                    </Button>
                </>
            ) : (
                <>
                    <Button variant="outline" size="sm" onClick={() => void actions.download()}>
                        <Download />
                        {text.download_zip}
                    </Button>
                    {may_run && (
                        <Button variant="outline" size="sm" disabled={ended === 0} onClick={() => setAsking(true)}>
                            <Trash2 />
                            {text.delete_data}
                        </Button>
                    )}
                    <Button variant="ghost" size="icon-sm" aria-label={text.clear_selection} onClick={onClear}>
                        <X />
                    </Button>
                </>
            )}
            <ConfirmDialog
                open={asking}
                onOpenChange={setAsking}
                title={text.delete_title}
                description={[text.delete_text(ended), ended < selected.length && text.delete_running(selected.length - ended)].filter(Boolean).join(" ")}
                confirm={text.delete_data}
                onConfirm={async () => void actions.remove()} // how far it is shows in the bar
            />
        </div>
    );
}
