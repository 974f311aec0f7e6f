// The drawing of the sign-in page: a picture whose background falls away, printed several times as a mimeograph would. Decoration only.
import { useId } from "react";

function Hills({ faded }: { faded?: boolean }) {
    return (
        <g opacity={faded ? 0.55 : 1}>
            <circle cx="128" cy="46" r="17" fill="#ffb454" />
            <path d="M0 128 46 74l34 36 26-26 54 52v24H0Z" fill="#2b3a8f" />
            <path d="M0 140 34 112l44 34 36-24 46 30v8H0Z" fill="#5b6fd8" />
        </g>
    );
}

export function Sheets({ className }: { className?: string }) {
    const id = useId();
    return (
        <svg aria-hidden viewBox="0 0 420 220" className={className}>
            <defs>
                <clipPath id={`${id}-sheet`}>
                    <rect width="160" height="160" rx="12" />
                </clipPath>
                <pattern id={`${id}-checks`} width="20" height="20" patternUnits="userSpaceOnUse">
                    <rect width="20" height="20" fill="var(--card)" />
                    <path d="M0 0h10v10H0zM10 10h10v10H10z" fill="var(--checker)" fillOpacity="0.6" />
                </pattern>
            </defs>
            <g transform="translate(34 34) rotate(-7 80 80)">
                <g clipPath={`url(#${id}-sheet)`}>
                    <rect width="160" height="160" fill="#dfe6ff" />
                    <Hills faded />
                </g>
                <rect width="160" height="160" rx="12" fill="none" stroke="var(--border)" strokeWidth="1.5" />
            </g>
            <g transform="translate(128 26)">
                <g clipPath={`url(#${id}-sheet)`}>
                    <rect width="160" height="160" fill="#c9d5ff" />
                    <Hills />
                </g>
                <rect width="160" height="160" rx="12" fill="none" stroke="var(--border)" strokeWidth="1.5" />
            </g>
            <g transform="translate(226 38) rotate(6 80 80)">
                <g clipPath={`url(#${id}-sheet)`}>
                    <rect width="160" height="160" fill={`url(#${id}-checks)`} />
                    <Hills />
                </g>
                <rect width="160" height="160" rx="12" fill="none" stroke="var(--primary)" strokeWidth="2" />
            </g>
        </svg>
    );
}
