// What can be done with a prediction: cancel it, change it and run it, run it again, delete its data, copy it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Braces, Columns2, Copy, Link2, MoreHorizontal, Play, SlidersHorizontal, Square, Trash2 } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/http";
import { cancelPrediction, createPrediction, isEnded, predictionQuery } from "@/api/queries";
import { useMay } from "@/api/session";
import type { Json, Prediction } from "@/api/types";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { CopyButton } from "@/components/copy-button";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent } from "@/components/ui/dialog";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { REDACTED } from "@/features/outputs/redacted";
import { predictionMessages } from "@/features/predictions/messages";

function hasSecret(input: Record<string, Json>): boolean {
    return Object.values(input).includes(REDACTED);
}

function Cancel({ prediction }: { prediction: Prediction }) {
    const text = useMessages(predictionMessages);
    const queries = useQueryClient();
    const errorText = useErrorText();
    const cancel = useMutation({
        mutationFn: () => cancelPrediction(prediction.id),
        onError: (error) => toast(errorText(error), "destructive"),
        onSettled: () => queries.invalidateQueries({ queryKey: ["predictions", prediction.id] }),
    });
    return (
        <Button variant="outline" disabled={cancel.isPending || cancel.isSuccess} onClick={() => cancel.mutate()}>
            <Square />
            {cancel.isIdle || cancel.isError ? text.cancel : text.canceling}
        </Button>
    );
}

/** To the start page: it goes to the model's tab, or on to the model's own page, and fills the form with this input. */
function Tweak({ prediction }: { prediction: Prediction }) {
    const text = useMessages(predictionMessages);
    return (
        <Button asChild>
            <Link to="/" search={{ from: prediction.id }}>
                <SlidersHorizontal />
                {text.tweak}
            </Link>
        </Button>
    );
}

function RunAgain({ prediction }: { prediction: Prediction }) {
    const text = useMessages(predictionMessages);
    const navigate = useNavigate();
    const queries = useQueryClient();
    const errorText = useErrorText();
    const again = useMutation({
        mutationFn: () => createPrediction(prediction.version, prediction.input),
        onSuccess: (created) => {
            queries.setQueryData(predictionQuery(created.id).queryKey, created);
            void navigate({ to: "/p/$id", params: { id: created.id } });
        },
        onError: (error) => toast(errorText(error), "destructive"),
    });
    const secret = hasSecret(prediction.input);
    return (
        <Button variant="outline" disabled={again.isPending || secret} title={secret ? text.run_again_secret : undefined} onClick={() => again.mutate()}>
            <Play />
            {text.run_again}
        </Button>
    );
}

function DeleteDialog({ prediction, open, onOpenChange }: { prediction: Prediction; open: boolean; onOpenChange: (open: boolean) => void }) {
    const text = useMessages(predictionMessages);
    const queries = useQueryClient();
    const remove = async () => {
        await api<void>("DELETE", `/v1/predictions/${prediction.id}`);
        toast(text.deleted_one);
        await queries.invalidateQueries({ queryKey: ["predictions"] });
    };
    return <ConfirmDialog open={open} onOpenChange={onOpenChange} title={text.delete_one_title} description={text.delete_one_text} confirm={text.delete_now} onConfirm={remove} />;
}

function RawDialog({ prediction, open, onOpenChange }: { prediction: Prediction; open: boolean; onOpenChange: (open: boolean) => void }) {
    const text = useMessages(predictionMessages);
    const json = open ? JSON.stringify(prediction, null, 2) : "";
    return (
        <Dialog open={open} onOpenChange={onOpenChange}>
            <DialogContent title={text.raw} className="max-w-3xl">
                <div className="relative min-h-0">
                    <CopyButton text={json} className="absolute top-2 right-2 bg-muted" />
                    <pre tabIndex={0} aria-label={text.raw} className="max-h-[65dvh] overflow-auto rounded-md border bg-muted p-3 font-mono text-xs [overflow-wrap:anywhere] whitespace-pre-wrap">
                        {json.length > MOST_JSON ? `${json.slice(0, MOST_JSON)}…` : json}
                    </pre>
                </div>
            </DialogContent>
        </Dialog>
    );
}
const MOST_JSON = 200_000; // shown; the copy has all of it

function More({ prediction }: { prediction: Prediction }) {
    const text = useMessages(predictionMessages);
    const common = useMessages(commonMessages);
    const may_run = useMay("run");
    const [dialog, setDialog] = useState<"raw" | "delete" | null>(null);
    const copy = (words: string) => navigator.clipboard.writeText(words).then(() => toast(common.copied), () => toast(common.copy_failed, "destructive"));
    return (
        <>
            <Menu>
                <MenuTrigger asChild>
                    <Button variant="outline" size="icon" aria-label={text.more_actions}>
                        <MoreHorizontal />
                    </Button>
                </MenuTrigger>
                <MenuContent align="end">
                    <MenuItem onSelect={() => void copy(prediction.id)}>
                        <Copy />
                        {text.copy_id}
                    </MenuItem>
                    <MenuItem onSelect={() => void copy(`${window.location.origin}/p/${prediction.id}`)}>
                        <Link2 />
                        {text.copy_link}
                    </MenuItem>
                    {may_run && !prediction.data_removed && (
                        <MenuItem asChild>
                            <Link to="/compare" search={{ from: prediction.id }}>
                                <Columns2 />
                                {text.compare}
                            </Link>
                        </MenuItem>
                    )}
                    <MenuItem onSelect={() => setDialog("raw")}>
                        <Braces />
                        {text.raw}
                    </MenuItem>
                    {may_run && isEnded(prediction.status) && !prediction.data_removed && (
                        <>
                            <MenuSeparator />
                            <MenuItem className="text-destructive" onSelect={() => setDialog("delete")}>
                                <Trash2 />
                                {text.delete_now}
                            </MenuItem>
                        </>
                    )}
                </MenuContent>
            </Menu>
            <RawDialog prediction={prediction} open={dialog === "raw"} onOpenChange={(open) => setDialog(open ? "raw" : null)} />
            <DeleteDialog prediction={prediction} open={dialog === "delete"} onOpenChange={(open) => setDialog(open ? "delete" : null)} />
        </>
    );
}

export function PredictionActions({ prediction }: { prediction: Prediction }) {
    const may_run = useMay("run");
    const complete = may_run && !prediction.data_removed;
    return (
        <>
            {may_run && !isEnded(prediction.status) && <Cancel key={prediction.id} prediction={prediction} />}
            {complete && isEnded(prediction.status) && <RunAgain prediction={prediction} />}
            {complete && prediction.model && <Tweak prediction={prediction} />}
            <More prediction={prediction} />
        </>
    );
}
