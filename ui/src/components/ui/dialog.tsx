// A dialog over the page; side="right" makes it a sheet.
import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { useRef, useState, type ComponentProps, type ReactNode, type RefObject } from "react";
import { cn } from "@/lib/cn";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";

export const Dialog = Radix.Root;
export const DialogTrigger = Radix.Trigger;
export const DialogClose = Radix.Close;

/** Notes what has the focus when the dialog opens: while it is first rendered, so before anything in it takes the focus. */
function Remember({ element }: { element: RefObject<Element | null> }) {
    useState(() => {
        element.current = document.activeElement;
    });
    return null;
}

/** title is what assistive technology calls the dialog; description may be left out. */
export function DialogContent({ className, children, title, description, side = "center", ...rest }: ComponentProps<typeof Radix.Content> & { title: ReactNode; description?: ReactNode; side?: "center" | "left" | "right" }) {
    const text = useMessages(commonMessages);
    // Radix gives the focus back to the trigger only; most dialogs here are opened by state and have none.
    const before = useRef<Element | null>(null);
    return (
        <Radix.Portal>
            <Radix.Overlay className="fixed inset-0 z-50 bg-black/55" />
            <Radix.Content
                {...(description ? {} : { "aria-describedby": undefined })}
                className={cn(
                    "fixed z-50 flex flex-col gap-4 overflow-y-auto border bg-popover p-5 text-popover-foreground shadow-xl",
                    side === "center" && "top-1/2 left-1/2 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] max-w-lg -translate-x-1/2 -translate-y-1/2 rounded-lg",
                    side === "left" && "inset-y-0 left-0 w-72 max-w-[85vw]",
                    side === "right" && "inset-y-0 right-0 w-96 max-w-[92vw]",
                    className,
                )}
                onCloseAutoFocus={(event) => {
                    if (!(before.current instanceof HTMLElement) || !before.current.isConnected || before.current === document.body) return;
                    event.preventDefault();
                    before.current.focus();
                }}
                {...rest}
            >
                <Remember element={before} />
                <div className="flex items-start justify-between gap-4">
                    <div className="space-y-1.5">
                        <Radix.Title className="text-lg leading-tight font-semibold">{title}</Radix.Title>
                        {description && <Radix.Description className="text-sm text-muted-foreground">{description}</Radix.Description>}
                    </div>
                    <Radix.Close className="rounded-sm p-1 hover:bg-accent" aria-label={text.close}>
                        <X className="size-4" />
                    </Radix.Close>
                </div>
                {children}
            </Radix.Content>
        </Radix.Portal>
    );
}

export function DialogFooter({ className, ...rest }: ComponentProps<"div">) {
    return <div className={cn("flex flex-wrap justify-end gap-2", className)} {...rest} />;
}
