// Small pieces: badge, alert, skeleton, spinner, empty state, key cap, page header, table.
import { cva, type VariantProps } from "class-variance-authority";
import { LoaderCircle } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";

const badge = cva("inline-flex items-center gap-1 rounded-full border px-2 py-0.5 text-xs font-medium whitespace-nowrap [&_svg]:size-3", {
    variants: {
        tone: {
            neutral: "bg-secondary text-secondary-foreground",
            outline: "text-muted-foreground",
            primary: "border-primary/40 bg-accent text-accent-foreground",
            success: "border-success/40 bg-success/10 text-success",
            warning: "border-warning/40 bg-warning/10 text-warning",
            destructive: "border-destructive/40 bg-destructive/10 text-destructive",
        },
    },
    defaultVariants: { tone: "neutral" },
});

export function Badge({ className, tone, ...rest }: ComponentProps<"span"> & VariantProps<typeof badge>) {
    return <span className={cn(badge({ tone }), className)} {...rest} />;
}

/** role="alert" (told at once) for errors, "status" for the rest. */
export function Alert({ tone = "neutral", className, children, action, ...rest }: ComponentProps<"div"> & { tone?: "neutral" | "destructive" | "warning"; action?: ReactNode }) {
    return (
        <div
            role={tone === "destructive" ? "alert" : "status"}
            className={cn(
                "flex flex-wrap items-center justify-between gap-3 rounded-md border px-4 py-3 text-sm",
                tone === "destructive" && "border-destructive/50 bg-destructive/8 text-destructive",
                tone === "warning" && "border-warning/50 bg-warning/8",
                tone === "neutral" && "bg-muted",
                className,
            )}
            {...rest}
        >
            <div className="min-w-0 flex-1 break-words">{children}</div>
            {action}
        </div>
    );
}

export function Skeleton({ className, ...rest }: ComponentProps<"div">) {
    return <div aria-hidden className={cn("animate-pulse rounded-md bg-muted", className)} {...rest} />;
}

export function Spinner({ className }: { className?: string }) {
    return <LoaderCircle aria-hidden className={cn("size-4 animate-spin", className)} />;
}

export function EmptyState({ icon, title, children }: { icon?: ReactNode; title: ReactNode; children?: ReactNode }) {
    return (
        <div className="flex flex-col items-center gap-2 rounded-lg border border-dashed px-6 py-12 text-center">
            {icon && <div className="text-muted-foreground [&_svg]:size-8">{icon}</div>}
            <p className="font-medium">{title}</p>
            {children && <div className="max-w-prose text-sm text-muted-foreground">{children}</div>}
        </div>
    );
}

export function Kbd({ children }: { children: ReactNode }) {
    return <kbd className="rounded border border-b-2 bg-muted px-1.5 py-0.5 font-mono text-xs">{children}</kbd>;
}

/** The heading every page begins with. */
export function PageHeader({ title, children, actions }: { title: ReactNode; children?: ReactNode; actions?: ReactNode }) {
    return (
        <div className="mb-6 flex flex-wrap items-end justify-between gap-3">
            <div className="min-w-0 space-y-1">
                <h1 className="text-2xl font-semibold tracking-tight break-words">{title}</h1>
                {children && <div className="max-w-prose text-sm text-muted-foreground">{children}</div>}
            </div>
            {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
    );
}

/** A table that scrolls sideways in its own box on narrow screens. */
export function Table({ className, label, ...rest }: ComponentProps<"table"> & { label: string }) {
    return (
        <div role="region" aria-label={label} tabIndex={0} className="relative w-full overflow-x-auto rounded-lg border bg-card">
            <table
                aria-label={label}
                className={cn(
                    "w-full text-left text-sm [&_tbody_tr]:border-t [&_td]:px-3 [&_td]:py-2 [&_th]:px-3 [&_th]:py-2 [&_th]:font-medium [&_thead_th]:whitespace-nowrap [&_thead_th]:text-muted-foreground",
                    className,
                )}
                {...rest}
            />
        </div>
    );
}
