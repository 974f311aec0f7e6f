// Tabs: one panel of several.
import { Tabs as Radix } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const Tabs = Radix.Root;

export function TabsList({ className, ...rest }: ComponentProps<typeof Radix.List>) {
    return <Radix.List className={cn("flex max-w-full gap-1 overflow-x-auto rounded-lg bg-muted p-1", className)} {...rest} />;
}

export function TabsTrigger({ className, ...rest }: ComponentProps<typeof Radix.Trigger>) {
    return (
        <Radix.Trigger
            className={cn(
                "inline-flex shrink-0 items-center justify-center gap-2 rounded-md px-3 py-1.5 text-sm font-medium whitespace-nowrap text-muted-foreground hover:text-foreground data-[state=active]:bg-card data-[state=active]:text-foreground data-[state=active]:shadow-sm [&_svg]:size-4",
                className,
            )}
            {...rest}
        />
    );
}

export function TabsContent({ className, ...rest }: ComponentProps<typeof Radix.Content>) {
    return <Radix.Content className={cn("mt-4", className)} {...rest} />;
}
