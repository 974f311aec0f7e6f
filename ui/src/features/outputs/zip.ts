// Writes a zip archive in memory: entries stored as they are (pictures do not shrink), names in UTF-8, no ZIP64. Reads none.

const MOST_BYTES = 2_000_000_000; // of all entries: what a browser holds without trouble, and well under the 4 GiB of the format without ZIP64
const MOST_ENTRIES = 65_000; // the format counts them in 16 bits
const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_OF_DIRECTORY = 0x06054b50;
const VERSION = 20;
const NAMES_ARE_UTF8 = 0x0800;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;

export class ZipTooLargeError extends Error {
    constructor() {
        super("A zip archive made here may hold at most 2 GB.");
        this.name = "ZipTooLargeError";
    }
}

let crc_table: Uint32Array | null = null;

function crcTable(): Uint32Array {
    if (crc_table) return crc_table;
    crc_table = new Uint32Array(256);
    for (let byte = 0; byte < 256; byte++) {
        let crc = byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
        crc_table[byte] = crc >>> 0;
    }
    return crc_table;
}

/** CRC-32 as zip, PNG and gzip have it. */
export function crc32(bytes: Uint8Array): number {
    const table = crcTable();
    let crc = 0xffffffff;
    for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 0xff]!;
    return (crc ^ 0xffffffff) >>> 0;
}

/** Date and time in the two 16-bit words of the format: local time, even seconds, from 1980 on. */
function dosTime(date: Date): { day: number; time: number } {
    const year = Math.min(Math.max(date.getFullYear(), 1980), 2107);
    return {
        day: ((year - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate(),
        time: (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1),
    };
}

/** A name that is safe to unpack anywhere: no folders, no drive letters, nothing that a file system refuses. */
export function safeName(name: string): string {
    const cleaned = name
        .replace(/[\u0000-\u001f\u007f<>:"/\\|?*]/g, "-")
        .replace(/^[.\s]+|[.\s]+$/g, "")
        .slice(0, 150);
    return cleaned || "file";
}

interface Entry {
    name: Uint8Array<ArrayBuffer>;
    crc: number;
    bytes: number;
    offset: number;
    day: number;
    time: number;
}

export class ZipWriter {
    private readonly parts: BlobPart[] = [];
    private readonly entries: Entry[] = [];
    private readonly names = new Set<string>();
    private offset = 0;

    get count(): number {
        return this.entries.length;
    }

    /** Of a name that is there already, "name (2).ext" and so on. */
    private freeName(wanted: string): string {
        const name = safeName(wanted);
        const dot = name.lastIndexOf(".");
        const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
        let free = name;
        for (let number = 2; this.names.has(free.toLowerCase()); number++) free = `${stem} (${number})${extension}`;
        this.names.add(free.toLowerCase());
        return free;
    }

    /** The name it got. Throws ZipTooLargeError before the archive outgrows its limits. */
    add(wanted_name: string, content: Uint8Array<ArrayBuffer>, modified_at = new Date()): string {
        if (this.offset + content.length > MOST_BYTES || this.entries.length >= MOST_ENTRIES) throw new ZipTooLargeError();
        const free = this.freeName(wanted_name);
        const name = new TextEncoder().encode(free);
        const entry: Entry = { name, crc: crc32(content), bytes: content.length, offset: this.offset, ...dosTime(modified_at) };
        const header = new DataView(new ArrayBuffer(LOCAL_BYTES));
        header.setUint32(0, LOCAL_HEADER, true);
        writeShared(header, 4, entry);
        this.parts.push(header.buffer as ArrayBuffer, name, new Blob([content]));
        this.entries.push(entry);
        this.offset += LOCAL_BYTES + name.length + content.length;
        return free;
    }

    finish(): Blob {
        let directory_bytes = 0;
        const parts = [...this.parts];
        for (const entry of this.entries) {
            const header = new DataView(new ArrayBuffer(CENTRAL_BYTES));
            header.setUint32(0, CENTRAL_HEADER, true);
            header.setUint16(4, VERSION, true); // made by
            writeShared(header, 6, entry);
            header.setUint32(42, entry.offset, true);
            parts.push(header.buffer as ArrayBuffer, entry.name);
            directory_bytes += CENTRAL_BYTES + entry.name.length;
        }
        const end = new DataView(new ArrayBuffer(END_BYTES));
        end.setUint32(0, END_OF_DIRECTORY, true);
        end.setUint16(8, this.entries.length, true);
        end.setUint16(10, this.entries.length, true);
        end.setUint32(12, directory_bytes, true);
        end.setUint32(16, this.offset, true);
        parts.push(end.buffer as ArrayBuffer);
        return new Blob(parts, { type: "application/zip" });
    }
}

/** The 26 bytes that the header before an entry and the one in the directory have in common. */
function writeShared(view: DataView, at: number, entry: Entry): void {
    view.setUint16(at, VERSION, true);
    view.setUint16(at + 2, NAMES_ARE_UTF8, true);
    view.setUint16(at + 4, 0, true); // stored
    view.setUint16(at + 6, entry.time, true);
    view.setUint16(at + 8, entry.day, true);
    view.setUint32(at + 10, entry.crc, true);
    view.setUint32(at + 14, entry.bytes, true);
    view.setUint32(at + 18, entry.bytes, true);
    view.setUint16(at + 22, entry.name.length, true);
}
