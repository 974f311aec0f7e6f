// Saving what a link leads to. A browser's own download says nothing when the link has expired, so it is tried first.

/** Can it still be had? Asks for its first byte. Data URLs always can. */
async function isThere(link: string): Promise<boolean> {
    if (/^(data|blob):/i.test(link)) return true;
    const answer = await fetch(link, { headers: { Range: "bytes=0-0" }, credentials: "omit", cache: "no-store" });
    void answer.body?.cancel(); // a server without ranges would send it all
    return answer.ok || answer.status === 416; // 416: it is there, and empty
}

/** Download `link` as `name`; when it has expired, what `renew` gives in its place. Throws when it is gone. */
export async function saveLink(link: string, name: string, renew?: () => Promise<string | null>): Promise<void> {
    const good = (await isThere(link)) ? link : ((await renew?.()) ?? null);
    if (good === null) throw new Error("It is no longer there.");
    const anchor = document.createElement("a");
    anchor.href = good;
    anchor.download = name;
    anchor.click();
}
