// Code with a little colour: texts, numbers, and words of the language. Text only: it is cut into spans, never made into markup.
import { Fragment } from "react";
import { cn } from "@/lib/cn";

// A comment-free tokenizer is enough for the samples this page writes itself.
const TOKENS = /("(?:\\.|[^"\\\n])*"|'[^']*')|(#include|\b(?:import|from|const|await|new|package|func|if|err|nil|return|struct|static|for|range|var|def|print|null|None|NULL|true|false|True|False|int|char|void|curl|export)\b)|(-?\b\d+(?:\.\d+)?(?:e[-+]?\d+)?\b)/g;
const COLOURED_MAX = 20_000; // letters; longer code is shown plain

function pieces(code: string): { text: string; kind: "text" | "string" | "word" | "number" }[] {
    if (code.length > COLOURED_MAX) return [{ text: code, kind: "text" }];
    const found: ReturnType<typeof pieces> = [];
    let at = 0;
    for (const match of code.matchAll(TOKENS)) {
        if (match.index > at) found.push({ text: code.slice(at, match.index), kind: "text" });
        found.push({ text: match[0], kind: match[1] ? "string" : match[2] ? "word" : "number" });
        at = match.index + match[0].length;
    }
    if (at < code.length) found.push({ text: code.slice(at), kind: "text" });
    return found;
}

const COLOURS = { string: "text-success", word: "text-primary", number: "text-warning" };

export function CodeBlock({ code, label, className }: { code: string; label: string; className?: string }) {
    return (
        <pre tabIndex={0} aria-label={label} role="region" className={cn("max-h-[36rem] overflow-auto rounded-lg border bg-card p-4 font-mono text-[0.8125rem] leading-relaxed", className)}>
            <code>
                {pieces(code).map((piece, index) => (piece.kind === "text" ? <Fragment key={index}>{piece.text}</Fragment> : <span key={index} className={COLOURS[piece.kind]}>{piece.text}</span>))}
            </code>
        </pre>
    );
}
