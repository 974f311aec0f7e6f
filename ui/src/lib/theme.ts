// Light, dark, or as the system has it. The choice is kept in this browser.
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";
const KEY = "mimeo-theme";
const system_is_dark = window.matchMedia?.("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function readTheme(): Theme {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
}

/** Put the theme on <html>. Called before the first render, so nothing flashes. */
export function applyTheme(): void {
    const theme = readTheme();
    const dark = theme === "dark" || (theme === "system" && (system_is_dark?.matches ?? false));
    document.documentElement.classList.toggle("dark", dark);
}

export function setTheme(theme: Theme): void {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
    applyTheme();
    for (const listener of listeners) listener();
}

system_is_dark?.addEventListener?.("change", applyTheme);

export function useTheme(): Theme {
    return useSyncExternalStore(
        (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        readTheme,
    );
}
