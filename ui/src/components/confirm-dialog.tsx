// Asks before something that cannot be taken back. Stays open, and says why, when it does not work.
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Alert, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";

interface ConfirmDialogProps {
    open: boolean;
    onOpenChange: (open: boolean) => void;
    title: string;
    description: ReactNode;
    confirm: ReactNode; // what the button says
    onConfirm: () => Promise<unknown>;
}

export function ConfirmDialog({ open, onOpenChange, title, description, confirm, onConfirm }: ConfirmDialogProps) {
    const text = useMessages(commonMessages);
    const say = useErrorText();
    const action = useMutation({ mutationFn: onConfirm, onSuccess: () => onOpenChange(false) });
    const change = (next: boolean) => {
        if (!next) action.reset();
        onOpenChange(next);
    };
    return (
        <Dialog open={open} onOpenChange={change}>
            <DialogContent role="alertdialog" title={title} description={description}>
                {action.error && <Alert tone="destructive">{say(action.error)}</Alert>}
                <DialogFooter>
                    <Button variant="outline" onClick={() => change(false)}>
                        {text.cancel}
                    </Button>
                    <Button variant="destructive" disabled={action.isPending} onClick={() => action.mutate()}>
                        {action.isPending && <Spinner />}
                        {confirm}
                    </Button>
                </DialogFooter>
            </DialogContent>
        </Dialog>
    );
}
