// A box with a heading.
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export function Card({ className, ...rest }: ComponentProps<"section">) {
    return <section className={cn("rounded-lg border bg-card text-card-foreground", className)} {...rest} />;
}

export function CardHeader({ className, ...rest }: ComponentProps<"div">) {
    return <div className={cn("flex flex-wrap items-start justify-between gap-2 p-4 pb-0 sm:p-5 sm:pb-0", className)} {...rest} />;
}

export function CardTitle({ className, ...rest }: ComponentProps<"h2">) {
    return <h2 className={cn("text-base leading-tight font-semibold", className)} {...rest} />;
}

export function CardDescription({ className, ...rest }: ComponentProps<"p">) {
    return <p className={cn("text-sm text-muted-foreground", className)} {...rest} />;
}

export function CardContent({ className, ...rest }: ComponentProps<"div">) {
    return <div className={cn("p-4 sm:p-5", className)} {...rest} />;
}
