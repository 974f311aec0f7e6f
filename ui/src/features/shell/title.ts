// What the browser's tab says: the page's name in the page's language. Pure.

type Word = "home" | "explore" | "predictions" | "compare" | "batch" | "files" | "deployments" | "webhooks" | "tokens" | "usage" | "operations" | "settings" | "sign_in" | "prediction" | "not_found";

const NAMED: Record<string, Word> = {
    "": "home",
    explore: "explore",
    predictions: "predictions",
    compare: "compare",
    batch: "batch",
    files: "files",
    deployments: "deployments",
    webhooks: "webhooks",
    tokens: "tokens",
    usage: "usage",
    operations: "operations",
    settings: "settings",
    "sign-in": "sign_in",
};

function decoded(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** "Explore · Mimeo", "owner/name · Mimeo", "Prediction abc · Mimeo". */
export function titleOf(pathname: string, words: Record<Word, string>): string {
    const parts = pathname.split("/").filter(Boolean).map(decoded);
    const word = parts.length < 2 ? NAMED[parts[0] ?? ""] : undefined;
    let name = words.not_found;
    if (word) name = words[word];
    else if (parts.length === 2) name = parts[0] === "p" ? `${words.prediction} ${parts[1]}` : `${parts[0]}/${parts[1]}`;
    return `${name} · Mimeo`;
}
