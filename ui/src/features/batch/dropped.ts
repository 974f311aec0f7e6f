// Files that were dropped or chosen, folders among them, as one list. Pure but for reading the folders.

const MOST_DEPTH = 10;

function filesOfFolder(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
    return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function collect(entry: FileSystemEntry, found: File[], most: number, depth: number): Promise<void> {
    if (found.length >= most || depth > MOST_DEPTH) return;
    if (entry.isFile) {
        found.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
        return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
        const part = await filesOfFolder(reader); // gives them in parts, an empty one last
        if (part.length === 0) return;
        for (const each of part) await collect(each, found, most, depth + 1);
    }
}

/** What a drop brought, folders opened, at most so many. To be called while the event is handled: its items are gone afterwards. */
export async function droppedFiles(data: DataTransfer, most: number): Promise<File[]> {
    const entries = [...data.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry?.() : null));
    const plain = [...data.files];
    if (!entries.some((entry) => entry?.isDirectory)) return plain.slice(0, most);
    const found: File[] = [];
    for (const entry of entries) if (entry) await collect(entry, found, most, 0);
    return found;
}
