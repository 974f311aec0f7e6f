// One of several choices: the browser's own control, which works with every keyboard, screen reader and phone. (Radix's select writes
// a <style> element, which the page's CSP forbids.)
import { ChevronDown } from "lucide-react";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export interface Choice {
    value: string;
    label: string;
    disabled?: boolean;
}

/** Give it a label (Label htmlFor) or aria-label. onChange gets the value. */
export function Select({ className, choices, onChange, ...rest }: Omit<ComponentProps<"select">, "onChange" | "children"> & { choices: Choice[]; onChange: (value: string) => void }) {
    return (
        <span className={cn("relative inline-flex w-full", className)}>
            <select
                className="h-9 w-full appearance-none truncate rounded-md border border-input bg-card pr-8 pl-3 text-sm disabled:opacity-55 aria-invalid:border-destructive"
                onChange={(event) => onChange(event.target.value)}
                {...rest}
            >
                {choices.map((choice) => (
                    <option key={choice.value} value={choice.value} disabled={choice.disabled}>
                        {choice.label}
                    </option>
                ))}
            </select>
            <ChevronDown aria-hidden className="pointer-events-none absolute top-1/2 right-2.5 size-4 -translate-y-1/2 opacity-70" />
        </span>
    );
}
