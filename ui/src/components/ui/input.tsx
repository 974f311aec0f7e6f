// Fields for text and numbers, and their labels.
import { Label as RadixLabel } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const FIELD =
    "w-full min-w-0 rounded-md border border-input bg-card px-3 text-sm placeholder:text-muted-foreground disabled:opacity-55 aria-invalid:border-destructive aria-invalid:outline-destructive";

export function Input({ className, type, ...rest }: ComponentProps<"input">) {
    return <input type={type ?? "text"} className={cn(FIELD, "h-9", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
    return <textarea className={cn(FIELD, "field-sizing-content max-h-96 min-h-16 py-2", className)} {...rest} />;
}

export function Label({ className, ...rest }: ComponentProps<typeof RadixLabel.Root>) {
    return <RadixLabel.Root className={cn("text-sm leading-none font-medium", className)} {...rest} />;
}
