// Switch, checkbox, slider, progress bar.
import { Check } from "lucide-react";
import { Checkbox as RadixCheckbox, Progress as RadixProgress, Slider as RadixSlider, Switch as RadixSwitch } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export function Switch({ className, ...rest }: ComponentProps<typeof RadixSwitch.Root>) {
    return (
        <RadixSwitch.Root className={cn("inline-flex h-6 w-10 shrink-0 items-center rounded-full border border-input bg-muted transition-colors disabled:opacity-55 data-[state=checked]:border-primary data-[state=checked]:bg-primary", className)} {...rest}>
            <RadixSwitch.Thumb className="block size-4.5 translate-x-0.5 rounded-full bg-foreground/70 transition-transform data-[state=checked]:translate-x-[1.1rem] data-[state=checked]:bg-primary-foreground" />
        </RadixSwitch.Root>
    );
}

export function Checkbox({ className, ...rest }: ComponentProps<typeof RadixCheckbox.Root>) {
    return (
        <RadixCheckbox.Root className={cn("flex size-5 shrink-0 items-center justify-center rounded-sm border border-input bg-card disabled:opacity-55 data-[state=checked]:border-primary data-[state=checked]:bg-primary data-[state=checked]:text-primary-foreground data-[state=indeterminate]:bg-secondary", className)} {...rest}>
            <RadixCheckbox.Indicator>
                <Check className="size-3.5" />
            </RadixCheckbox.Indicator>
        </RadixCheckbox.Root>
    );
}

/** thumbLabels: an accessible name for each thumb. */
export function Slider({ className, thumbLabels, ...rest }: ComponentProps<typeof RadixSlider.Root> & { thumbLabels: string[] }) {
    return (
        <RadixSlider.Root className={cn("relative flex h-6 w-full touch-none items-center select-none data-disabled:opacity-55", className)} {...rest}>
            <RadixSlider.Track className="relative h-1.5 w-full grow overflow-hidden rounded-full bg-input/50">
                <RadixSlider.Range className="absolute h-full bg-primary" />
            </RadixSlider.Track>
            {thumbLabels.map((label) => (
                <RadixSlider.Thumb key={label} aria-label={label} className="block size-4.5 rounded-full border-2 border-primary bg-card shadow-sm" />
            ))}
        </RadixSlider.Root>
    );
}

/** value: 0 to 100; null: how far it is is not known. */
export function Progress({ className, value, label, ...rest }: Omit<ComponentProps<typeof RadixProgress.Root>, "value"> & { value: number | null; label: string }) {
    return (
        <RadixProgress.Root aria-label={label} value={value} className={cn("relative h-2 w-full overflow-hidden rounded-full bg-input/40", className)} {...rest}>
            <RadixProgress.Indicator
                className={cn("h-full rounded-full bg-primary transition-[width]", value === null && "w-1/3 animate-[pass-by_1.6s_linear_infinite]")}
                style={value === null ? undefined : { width: `${Math.min(100, Math.max(0, value))}%` }}
            />
        </RadixProgress.Root>
    );
}
