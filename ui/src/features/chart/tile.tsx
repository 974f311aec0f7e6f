// One number with its name, as they stand in rows above charts; and a bar of parts of a whole.
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

/** A row of tiles: as a description list, so that names and numbers belong together. */
export function Tiles({ children, className }: { children: ReactNode; className?: string }) {
    return <dl className={cn("grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-border sm:grid-cols-3 xl:grid-cols-6", className)}>{children}</dl>;
}

export function Tile({ label, value, note }: { label: ReactNode; value: ReactNode; note?: ReactNode }) {
    return (
        <div className="min-w-0 bg-card px-4 py-3">
            <dt className="text-xs text-muted-foreground">{label}</dt>
            <dd className="mt-0.5 text-xl font-semibold tracking-tight break-words tabular-nums">{value}</dd>
            {note && <dd className="mt-0.5 text-xs text-muted-foreground">{note}</dd>}
        </div>
    );
}
