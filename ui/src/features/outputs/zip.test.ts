// @vitest-environment node
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crc32, safeName, ZipTooLargeError, ZipWriter } from "./zip";

const text = (words: string) => new TextEncoder().encode(words);

/** Names, CRCs and contents by the central directory: what every unpacker goes by. */
async function readZip(blob: Blob): Promise<{ name: string; crc: number; content: string; day: number; utf8: boolean }[]> {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const view = new DataView(bytes.buffer);
    const end = bytes.length - 22;
    expect(view.getUint32(end, true)).toBe(0x06054b50);
    const found = [];
    let at = view.getUint32(end + 16, true);
    expect(at + view.getUint32(end + 12, true)).toBe(end);
    for (let index = 0; index < view.getUint16(end + 10, true); index++) {
        expect(view.getUint32(at, true)).toBe(0x02014b50);
        const name_bytes = view.getUint16(at + 28, true);
        const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name_bytes));
        const local = view.getUint32(at + 42, true);
        expect(view.getUint32(local, true)).toBe(0x04034b50);
        expect(view.getUint16(local + 26, true)).toBe(name_bytes);
        expect(view.getUint32(local + 14, true)).toBe(view.getUint32(at + 16, true));
        const start = local + 30 + name_bytes + view.getUint16(local + 28, true);
        const content = new TextDecoder().decode(bytes.subarray(start, start + view.getUint32(at + 24, true)));
        found.push({ name, crc: view.getUint32(at + 16, true), content, day: view.getUint16(at + 14, true), utf8: (view.getUint16(at + 8, true) & 0x800) !== 0 });
        at += 46 + name_bytes;
    }
    return found;
}

describe("zip", () => {
    it("has the known CRC of the check string", () => {
        expect(crc32(text("123456789"))).toBe(0xcbf43926);
        expect(crc32(new Uint8Array(0))).toBe(0);
    });

    it("gives back by its directory what was put in", async () => {
        const zip = new ZipWriter();
        zip.add("one.txt", text("first"), new Date(2026, 10, 21, 20, 30, 12));
        zip.add("ảnh №2.json", text('{"a": "ö"}'));
        zip.add("empty.bin", new Uint8Array(0));
        const entries = await readZip(zip.finish());
        expect(entries.map((each) => each.name)).toEqual(["one.txt", "ảnh №2.json", "empty.bin"]);
        expect(entries.map((each) => each.content)).toEqual(["first", '{"a": "ö"}', ""]);
        expect(entries[0]!.crc).toBe(crc32(text("first")));
        expect(entries[0]!.day).toBe(((2026 - 1980) << 9) | (11 << 5) | 21);
        expect(entries.every((each) => each.utf8)).toBe(true);
    });

    it("is empty without entries, and still an archive", async () => {
        expect(await readZip(new ZipWriter().finish())).toEqual([]);
    });

    it("never has two entries of one name, also where case does not count", async () => {
        const zip = new ZipWriter();
        expect([zip.add("a.png", text("1")), zip.add("A.png", text("2")), zip.add("a.png", text("3"))]).toEqual(["a.png", "A (2).png", "a (3).png"]);
    });

    it("takes folders and what file systems refuse out of names", () => {
        expect(safeName("../../etc/passwd")).toBe("-..-etc-passwd");
        expect(safeName("C:\\x?.png")).toBe("C--x-.png");
        expect(safeName(" ... ")).toBe("file");
    });

    it("refuses more than its limit", () => {
        const zip = new ZipWriter();
        const huge = { length: 2_000_000_001 } as unknown as Uint8Array<ArrayBuffer>;
        expect(() => zip.add("huge", huge)).toThrow(ZipTooLargeError);
        expect(zip.count).toBe(0);
    });

    it("is read by Python", async (context) => {
        try {
            execFileSync("python3", ["--version"], { stdio: "ignore" });
        } catch {
            context.skip();
        }
        const zip = new ZipWriter();
        zip.add("привет.txt", text("мир"));
        zip.add("b.bin", new Uint8Array(70_000).fill(7));
        const folder = mkdtempSync(join(tmpdir(), "zip-"));
        try {
            writeFileSync(join(folder, "a.zip"), new Uint8Array(await zip.finish().arrayBuffer()));
            const script = "import zipfile, sys; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; sys.stdout.buffer.write('|'.join(f'{i.filename}:{i.file_size}' for i in z.infolist()).encode()); assert z.read('привет.txt').decode() == 'мир'";
            const said = execFileSync("python3", ["-X", "utf8", "-c", script, join(folder, "a.zip")], { encoding: "utf8" });
            expect(said).toBe("привет.txt:6|b.bin:70000");
        } finally {
            rmSync(folder, { recursive: true });
        }
    });
});
