// Short messages in a corner: toast("Copied"). They are read out and go by themselves.
import { X } from "lucide-react";
import { Toast as Radix } from "radix-ui";
import { useSyncExternalStore } from "react";
import { cn } from "@/lib/cn";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";

interface Item {
    id: number;
    text: string;
    tone: "neutral" | "destructive";
}
const MOST = 4;
let items: Item[] = [];
let next_id = 1;
const listeners = new Set<() => void>();

function change(next: Item[]): void {
    items = next;
    for (const listener of listeners) listener();
}

export function toast(text: string, tone: Item["tone"] = "neutral"): void {
    change([...items, { id: next_id++, text, tone }].slice(-MOST));
}

export function Toaster() {
    const text = useMessages(commonMessages);
    const shown = useSyncExternalStore(
        (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        () => items,
    );
    return (
        <Radix.Provider duration={6000} label={text.notification}>
            {shown.map((item) => (
                <Radix.Root
                    key={item.id}
                    type={item.tone === "destructive" ? "foreground" : "background"}
                    onOpenChange={(open) => !open && change(items.filter((each) => each.id !== item.id))}
                    className={cn("flex items-start justify-between gap-3 rounded-md border bg-popover px-4 py-3 text-sm text-popover-foreground shadow-lg", item.tone === "destructive" && "border-destructive/60 text-destructive")}
                >
                    <Radix.Description className="min-w-0 break-words">{item.text}</Radix.Description>
                    <Radix.Close aria-label={text.close} className="rounded-sm p-0.5 hover:bg-accent">
                        <X className="size-4" />
                    </Radix.Close>
                </Radix.Root>
            ))}
            <Radix.Viewport className="fixed right-4 bottom-4 z-[60] flex w-80 max-w-[calc(100vw-2rem)] flex-col gap-2 outline-none" />
        </Radix.Provider>
    );
}
