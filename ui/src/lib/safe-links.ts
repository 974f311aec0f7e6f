// Links that come from data (models, READMEs, licences): only the web's own are ever followed. Pure.

/** The link as it may be shown; null for anything but http and https. */
export function safeLink(link: string | null | undefined): string | null {
    if (!link) return null;
    try {
        const url = new URL(link);
        return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
    } catch {
        return null;
    }
}
