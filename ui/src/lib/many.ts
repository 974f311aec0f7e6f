// The same for many: a few at a time, counted, errors kept. What bulk actions are made of.

export interface ManyProgress {
    done: number;
    failed: number;
    total: number;
}

/** work() for each, `at_once` at a time. One that throws is counted and the rest go on; an abort ends it after those under way. */
export async function forMany<T>(items: T[], at_once: number, work: (item: T) => Promise<void>, onProgress?: (progress: ManyProgress) => void, signal?: AbortSignal): Promise<ManyProgress & { errors: Error[] }> {
    const progress = { done: 0, failed: 0, total: items.length };
    const errors: Error[] = [];
    let next = 0;
    const lane = async () => {
        while (next < items.length && !signal?.aborted) {
            const item = items[next++]!;
            try {
                await work(item);
            } catch (error) {
                if (signal?.aborted) return;
                progress.failed += 1;
                errors.push(error instanceof Error ? error : new Error(String(error)));
            }
            progress.done += 1;
            onProgress?.({ ...progress });
        }
    };
    await Promise.all(Array.from({ length: Math.min(at_once, items.length) }, lane));
    return { ...progress, errors };
}
