// "3 minutes ago" that gets older while one looks; the moment itself on hover.
import { useEffect, useState } from "react";
import { useLanguage } from "@/i18n";
import { formatAgo, formatTime } from "@/lib/format";

const TICK_MS = 10_000;

export function Ago({ at }: { at: string }) {
    const { language } = useLanguage();
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => tick((count) => count + 1), TICK_MS);
        return () => clearInterval(timer);
    }, []);
    return (
        <time dateTime={at} title={formatTime(at, language)}>
            {formatAgo(at, language)}
        </time>
    );
}
