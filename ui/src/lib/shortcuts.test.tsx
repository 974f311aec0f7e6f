// Which keys count where.
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nameOf, setPlainShortcuts, Shortcuts, useShortcut } from "@/lib/shortcuts";

const go = vi.fn();
const run = vi.fn();
const deeper = vi.fn();

function Page({ deep = false }: { deep?: boolean }) {
    useShortcut("g h", "Go home", go);
    useShortcut("Ctrl+Enter", "Run", run);
    useShortcut("Ctrl+Enter", "Run deeper", deeper, deep);
    return <input aria-label="field" />;
}

function press(key: string, more: Partial<KeyboardEvent> = {}, target: Element = document.body) {
    fireEvent.keyDown(target, { key, code: "", ...more });
}

beforeEach(() => {
    vi.useFakeTimers();
    for (const each of [go, run, deeper]) each.mockClear();
});
afterEach(() => {
    cleanup();
    setPlainShortcuts(true);
    vi.useRealTimers();
});

describe("shortcuts", () => {
    it("takes two letters one after the other, but not slowly", () => {
        render(<><Shortcuts /><Page /></>);
        press("g");
        press("h");
        expect(go).toHaveBeenCalledTimes(1);
        vi.advanceTimersByTime(3000);
        press("g");
        vi.advanceTimersByTime(1500);
        press("h");
        expect(go).toHaveBeenCalledTimes(1);
    });
    it("leaves letters to the field one types in, but not Ctrl+Enter", () => {
        render(<><Shortcuts /><Page /></>);
        const field = screen.getByLabelText("field");
        press("g", {}, field);
        press("h", {}, field);
        press("Enter", { ctrlKey: true }, field);
        expect(go).not.toHaveBeenCalled();
        expect(run).toHaveBeenCalledTimes(1);
    });
    it("gives way to what is deeper in the page", () => {
        render(<><Shortcuts /><Page deep /></>);
        press("Enter", { metaKey: true });
        expect(deeper).toHaveBeenCalledTimes(1);
        expect(run).not.toHaveBeenCalled();
    });
    it("works on a keyboard with other letters", () => {
        expect(nameOf({ key: "п", code: "KeyG", ctrlKey: false, metaKey: false })).toBe("g");
        expect(nameOf({ key: "y", code: "KeyZ", ctrlKey: true, metaKey: false })).toBe("Ctrl+y");
        render(<><Shortcuts /><Page /></>);
        press("п", { code: "KeyG" });
        press("р", { code: "KeyH" });
        expect(go).toHaveBeenCalledTimes(1);
    });
    it("can do without letters", () => {
        render(<><Shortcuts /><Page /></>);
        setPlainShortcuts(false);
        press("g");
        press("h");
        press("?");
        press("Enter", { ctrlKey: true });
        expect(go).not.toHaveBeenCalled();
        expect(screen.queryByRole("dialog")).toBeNull();
        expect(run).toHaveBeenCalledTimes(1);
    });
    it("lists each once under ?", () => {
        render(<><Shortcuts /><Page deep /></>);
        press("?");
        expect(screen.getByText("Go home")).toBeTruthy();
        expect(screen.getByText("Run deeper")).toBeTruthy();
        expect(screen.queryByText("Run")).toBeNull();
    });
});
