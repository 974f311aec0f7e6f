// Rows as CSV (RFC 4180), safe to open in a spreadsheet. Pure.

type Cell = string | number | null | undefined;

/** What a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers. */
function harmless(text: string): string {
    return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function cell(value: Cell): string {
    if (value === null || value === undefined) return "";
    const text = typeof value === "number" ? String(value) : harmless(value);
    return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toCsv(head: string[], rows: Cell[][]): string {
    return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
