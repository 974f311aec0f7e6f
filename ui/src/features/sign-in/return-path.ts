// Where to go after signing in: the page that was wanted, if it is one of ours.

const KEY = "mimeo-return-to";

/** The path when it leads nowhere but to this origin's own pages, else "/". */
export function safeReturnPath(wanted: string | null, origin: string): string {
    // A single "/" at the front: "//host" and "/\host" are other hosts to a browser, as are tabs and line ends that it drops.
    if (!wanted || !/^\/(?![/\\])[^\\\u0000-\u001f]*$/.test(wanted)) return "/";
    let url: URL;
    try {
        url = new URL(wanted, origin);
    } catch {
        return "/";
    }
    if (url.origin !== origin || url.pathname.startsWith("//") || url.pathname === "/sign-in") return "/";
    return url.pathname + url.search + url.hash;
}

/** The kept path, which is forgotten by that. */
export function takeReturnPath(): string {
    const wanted = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return safeReturnPath(wanted, window.location.origin);
}
