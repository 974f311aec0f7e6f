// Takes the place of the package react-remove-scroll under Radix's dialogs and menus (vite.config.ts): that one writes <style>
// elements, which the page's CSP forbids. While one is shown, what is behind it does not scroll.
import { Slot } from "radix-ui";
import { useEffect, type ComponentProps } from "react";

let shown = 0;

function useLock(enabled: boolean): void {
    useEffect(() => {
        if (!enabled) return;
        shown += 1;
        document.documentElement.style.overflow = "hidden";
        return () => {
            shown -= 1;
            if (shown === 0) document.documentElement.style.overflow = "";
        };
    }, [enabled]);
}

type RemoveScrollProps = ComponentProps<"div"> & { as?: typeof Slot.Root; enabled?: boolean; allowPinchZoom?: boolean; shards?: unknown; forwardProps?: boolean };

export function RemoveScroll({ as: Component, enabled = true, allowPinchZoom: _pinch, shards: _shards, forwardProps: _forward, ...rest }: RemoveScrollProps) {
    useLock(enabled);
    return Component ? <Component {...rest} /> : <div {...rest} />;
}
RemoveScroll.classNames = { fullWidth: "", zeroRight: "" };
