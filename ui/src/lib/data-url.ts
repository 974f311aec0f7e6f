// data: URLs: made of files, and taken apart. The page's CSP lets no fetch have them, so this is done by hand.

/** A data URL's bytes. Throws when it is none. */
export function blobOfDataUrl(link: string): Blob {
    const comma = link.indexOf(",");
    if (!/^data:/i.test(link) || comma < 0) throw new Error("This is no data URL.");
    const head = link.slice(5, comma);
    const in_base64 = /;base64$/i.test(head);
    const text = link.slice(comma + 1).replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
    const binary = in_base64 ? atob(text) : text;
    // What is not escaped is UTF-8 text already; escapes and base64 gave single bytes.
    const bytes = in_base64 || !/[^\u0000-\u00ff]/.test(binary) ? Uint8Array.from(binary, (letter) => letter.charCodeAt(0)) : new TextEncoder().encode(binary);
    return new Blob([bytes], { type: head.replace(/;base64$/i, "") });
}

/** A file as a data URL, by its own type. */
export function dataUrlOf(file: Blob): Promise<string> {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result as string);
        reader.onerror = () => reject(reader.error ?? new Error("The file could not be read."));
        reader.readAsDataURL(file);
    });
}
