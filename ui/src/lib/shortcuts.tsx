// Keyboard shortcuts: whoever is on the page registers its own, and ? lists those that count now. Those of plain letters can be turned
// off (settings), as people who speak to their computer need; Ctrl+… and Escape always work.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Kbd } from "@/components/ui/bits";
import { Dialog, DialogContent } from "@/components/ui/dialog";
import { defineMessages, useMessages } from "@/i18n";

const messages = defineMessages({
    en: { title: "Keyboard shortcuts", show: "Show this list", then: "then", off: "Shortcuts of plain letters are turned off in the settings." },
    ru: { title: "Горячие клавиши", show: "Показать этот список", then: "затем", off: "Сочетания из одних букв выключены в настройках." },
    vi: { title: "Phím tắt", show: "Hiện danh sách này", then: "rồi", off: "Phím tắt chữ cái đang tắt trong cài đặt." },
});

interface Shortcut {
    keys: string; // "Ctrl+Enter", "Escape", "g h" (one after the other), "?"
    label: string;
    handler: () => void;
}
const KEY = "mimeo-plain-shortcuts";
const SEQUENCE_MS = 1000;
const shortcuts = new Set<Shortcut>();
const listeners = new Set<() => void>();
let changes = 0; // of the set and of the setting: what is shown of them is drawn anew
let first: { key: string; at: number } | null = null;

function changed(): void {
    changes += 1;
    for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

// ---- Letters on or off ------------------------------------------------------------------------

function plainShortcuts(): boolean {
    return localStorage.getItem(KEY) !== "no";
}

export function setPlainShortcuts(on: boolean): void {
    if (on) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, "no");
    changed();
}

/** Do shortcuts of plain letters ("g h", "?") count in this browser? */
export function usePlainShortcuts(): boolean {
    return useSyncExternalStore(subscribe, plainShortcuts);
}

export function isPlain(keys: string): boolean {
    return !keys.startsWith("Ctrl+") && keys !== "Escape";
}

// ---- Keys -------------------------------------------------------------------------------------

function isTyping(target: EventTarget | null): boolean {
    return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [role=textbox]"));
}

/** What was pressed, as shortcuts are written. On keyboards with other letters (п for g) it is the key's place that counts. */
export function nameOf(event: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey">): string {
    const place = /^Key([A-Z])$/.exec(event.code)?.[1];
    const foreign = event.key.length === 1 && event.key > "\u007f";
    const key = foreign && place ? place.toLowerCase() : event.key === " " ? "Space" : event.key;
    return event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key;
}

function find(keys: string | null): Shortcut | undefined {
    // The newest first: what is deeper in the page registers later.
    return keys === null ? undefined : [...shortcuts].reverse().find((each) => each.keys === keys);
}

function isIgnored(event: KeyboardEvent, name: string): boolean {
    if (isPlain(name)) return isTyping(event.target) || event.altKey || !plainShortcuts() || document.querySelector("[role=dialog],[role=alertdialog]") !== null;
    return name === "Escape" && document.querySelector("[role=dialog],[role=alertdialog],[role=menu],[role=listbox]") !== null;
}

/** Exported for tests; Shortcuts listens with it. */
export function onKeyDown(event: KeyboardEvent): void {
    if (event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    const name = nameOf(event);
    // Radix's checkbox prevents every Enter, with Ctrl as well; nobody else's answer to a key is overruled.
    const only_checkbox = name === "Ctrl+Enter" && event.target instanceof HTMLElement && event.target.matches("[role=checkbox]");
    if (event.defaultPrevented && !only_checkbox) return;
    if (isIgnored(event, name)) return;
    const sequence = first && Date.now() - first.at < SEQUENCE_MS ? `${first.key} ${name}` : null;
    first = isPlain(name) ? { key: name, at: Date.now() } : null;
    const found = find(sequence) ?? find(name);
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
        changed();
        return () => {
            shortcuts.delete(shortcut);
            changed();
        };
    }, [keys, label, enabled]);
}

// ---- The list ---------------------------------------------------------------------------------

const is_mac = /Mac|iPhone|iPad/.test(navigator.platform);

/** "Ctrl+Enter" as the keyboard at hand has it. */
function Keys({ keys }: { keys: string }) {
    const text = useMessages(messages);
    return keys.split(" ").map((key, index) => (
        <span key={index} className="inline-flex items-center gap-1.5">
            {index > 0 && <span className="text-xs text-muted-foreground">{text.then}</span>}
            {key.split("+").map((part) => (
                <Kbd key={part}>{part === "Ctrl" && is_mac ? "⌘" : part === "Escape" ? "Esc" : part}</Kbd>
            ))}
        </span>
    ));
}

/** Those that count now, each once; first those of the page itself. */
function listed(): Shortcut[] {
    const newest = new Map([...shortcuts].map((each) => [each.keys, each]));
    const is_global = (each: Shortcut) => each.keys.startsWith("g ") || each.keys === "?";
    return [...newest.values()].sort((a, b) => Number(is_global(a)) - Number(is_global(b)));
}

/** All shortcuts as they are registered while this is shown. */
export function ShortcutList() {
    const text = useMessages(messages);
    const plain = usePlainShortcuts();
    useSyncExternalStore(subscribe, () => changes);
    return (
        <>
            {!plain && <p className="mb-3 text-sm text-muted-foreground">{text.off}</p>}
            <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2 text-sm">
                {listed()
                    .filter((each) => plain || !isPlain(each.keys))
                    .map((each) => (
                        <div key={each.keys} className="contents">
                            <dt className="flex gap-1.5">
                                <Keys keys={each.keys} />
                            </dt>
                            <dd>{each.label}</dd>
                        </div>
                    ))}
            </dl>
        </>
    );
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
                <ShortcutList />
            </DialogContent>
        </Dialog>
    );
}
