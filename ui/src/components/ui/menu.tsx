// A menu that opens from a button; popover and tooltip beside it.
import { Check } from "lucide-react";
import { DropdownMenu as Radix, Popover as RadixPopover, Tooltip as RadixTooltip } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";

const BOX = "z-50 rounded-md border bg-popover p-1 text-popover-foreground shadow-lg";
const ITEM = "relative flex cursor-default items-center gap-2 rounded-sm px-2 py-1.5 text-sm outline-none select-none data-highlighted:bg-accent data-highlighted:text-accent-foreground data-disabled:opacity-55 [&_svg]:size-4";

/** Not modal: a modal one hides the whole page from assistive technology while things in it can still be focused. */
export function Menu(props: ComponentProps<typeof Radix.Root>) {
    return <Radix.Root modal={false} {...props} />;
}
export const MenuTrigger = Radix.Trigger;
export const MenuRadioGroup = Radix.RadioGroup;

export function MenuContent({ className, ...rest }: ComponentProps<typeof Radix.Content>) {
    return (
        <Radix.Portal>
            <Radix.Content sideOffset={4} className={cn(BOX, "min-w-40", className)} {...rest} />
        </Radix.Portal>
    );
}

export function MenuItem({ className, ...rest }: ComponentProps<typeof Radix.Item>) {
    return <Radix.Item className={cn(ITEM, className)} {...rest} />;
}

export function MenuRadioItem({ className, children, ...rest }: ComponentProps<typeof Radix.RadioItem>) {
    return (
        <Radix.RadioItem className={cn(ITEM, "pr-8", className)} {...rest}>
            {children}
            <Radix.ItemIndicator className="absolute right-2">
                <Check />
            </Radix.ItemIndicator>
        </Radix.RadioItem>
    );
}

export function MenuLabel({ className, ...rest }: ComponentProps<typeof Radix.Label>) {
    return <Radix.Label className={cn("px-2 py-1.5 text-xs font-medium text-muted-foreground", className)} {...rest} />;
}

export function MenuSeparator({ className, ...rest }: ComponentProps<typeof Radix.Separator>) {
    return <Radix.Separator className={cn("-mx-1 my-1 h-px bg-border", className)} {...rest} />;
}

export const Popover = RadixPopover.Root;
export const PopoverTrigger = RadixPopover.Trigger;

export function PopoverContent({ className, ...rest }: ComponentProps<typeof RadixPopover.Content>) {
    return (
        <RadixPopover.Portal>
            <RadixPopover.Content sideOffset={4} className={cn(BOX, "w-72 p-4", className)} {...rest} />
        </RadixPopover.Portal>
    );
}

/** A short explanation on hover and focus. The trigger needs an accessible name of its own. */
export function Tooltip({ content, children }: { content: ReactNode; children: ReactNode }) {
    return (
        <RadixTooltip.Root>
            <RadixTooltip.Trigger asChild>{children}</RadixTooltip.Trigger>
            <RadixTooltip.Portal>
                <RadixTooltip.Content sideOffset={6} className="z-50 max-w-72 rounded-md bg-foreground px-2.5 py-1.5 text-xs text-background">
                    {content}
                </RadixTooltip.Content>
            </RadixTooltip.Portal>
        </RadixTooltip.Root>
    );
}
export const TooltipProvider = RadixTooltip.Provider;
