// Copies a text, and says so.
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { Button, type ButtonProps } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";

/** label: the accessible name; children: shown beside the icon (icon only when there are none). */
export function CopyButton({ text, label, children, ...rest }: { text: string | (() => string); label?: string } & Omit<ButtonProps, "onClick">) {
    const words = useMessages(commonMessages);
    const [copied, setCopied] = useState(false);
    useEffect(() => {
        if (!copied) return;
        const timer = setTimeout(() => setCopied(false), 1500);
        return () => clearTimeout(timer);
    }, [copied]);
    const copy = async () => {
        try {
            await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
            setCopied(true);
        } catch {
            toast(words.copy_failed, "destructive");
        }
    };
    return (
        <Button variant="ghost" size={children ? "sm" : "icon-sm"} aria-label={children ? undefined : (label ?? words.copy)} {...rest} onClick={() => void copy()}>
            {copied ? <Check /> : <Copy />}
            {children}
            <span role="status" className="sr-only">
                {copied ? words.copied : ""}
            </span>
        </Button>
    );
}
