// Keyboard shortcuts: whoever is on the page registers its own, and ? lists those that count now.
import { useEffect, useRef, useState } from "react";
import { Kbd } from "@/components/ui/bits";
import { Dialog, DialogContent } from "@/components/ui/dialog";
import { defineMessages, useMessages } from "@/i18n";

const messages = defineMessages({
    en: { title: "Keyboard shortcuts", show: "Show this list" },
    ru: { title: "Горячие клавиши", show: "Показать этот список" },
    vi: { title: "Phím tắt", show: "Hiện danh sách này" },
});

interface Shortcut {
    keys: string; // "Ctrl+Enter", "Escape", "g h" (one after the other), "?"
    label: string;
    handler: () => void;
}
const shortcuts = new Set<Shortcut>();
const SEQUENCE_MS = 1000;
let first: { key: string; at: number } | null = null;

function isTyping(target: EventTarget | null): boolean {
    return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [role=textbox]"));
}

function nameOf(event: KeyboardEvent): string {
    const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key : event.key;
    return event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key;
}

function onKeyDown(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const plain = !name.startsWith("Ctrl+") && name !== "Escape";
    if (plain && (isTyping(event.target) || event.altKey || document.querySelector("[role=dialog]"))) return;
    if (name === "Escape" && document.querySelector("[role=dialog],[role=menu],[role=listbox]")) return;
    const sequence = first && Date.now() - first.at < SEQUENCE_MS ? `${first.key} ${name}` : null;
    first = plain ? { key: name, at: Date.now() } : null;
    // The newest first: what is deeper in the page registers later.
    const found = [...shortcuts].reverse().find((each) => each.keys === sequence) ?? [...shortcuts].reverse().find((each) => each.keys === name);
    if (!found) return;
    event.preventDefault();
    first = null;
    found.handler();
}

/** Register while the component is shown and `enabled`. */
export function useShortcut(keys: string, label: string, handler: () => void, enabled = true): void {
    const latest = useRef(handler);
    latest.current = handler;
    useEffect(() => {
        if (!enabled) return;
        const shortcut = { keys, label, handler: () => latest.current() };
        shortcuts.add(shortcut);
        return () => void shortcuts.delete(shortcut);
    }, [keys, label, enabled]);
}

/** Listens to the keyboard and shows the list. Once, in the shell. */
export function Shortcuts() {
    const text = useMessages(messages);
    const [open, setOpen] = useState(false);
    useEffect(() => {
        window.addEventListener("keydown", onKeyDown);
        return () => window.removeEventListener("keydown", onKeyDown);
    }, []);
    useShortcut("?", text.show, () => setOpen(true));
    return (
        <Dialog open={open} onOpenChange={setOpen}>
            <DialogContent title={text.title}>
                <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2 text-sm">
                    {[...shortcuts].map((each) => (
                        <div key={each.keys} className="contents">
                            <dt className="flex gap-1">
                                {each.keys.split(" ").map((key) => (
                                    <Kbd key={key}>{key}</Kbd>
                                ))}
                            </dt>
                            <dd>{each.label}</dd>
                        </div>
                    ))}
                </dl>
            </DialogContent>
        </Dialog>
    );
}
