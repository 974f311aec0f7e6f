// What is kept of outputs, and under which names.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Prediction } from "@/api/types";
import { contentsOf, extensionOf, fetchFile, outputName, outputStem, picturesOf } from "./outputs";

const prediction = (output: Prediction["output"]) => ({ id: "abc", model: "bria/remove-background", output }) as Prediction;

async function all(output: Prediction["output"]): Promise<[string, number][]> {
    const found: [string, number][] = [];
    for await (const { name, content } of contentsOf(prediction(output))) found.push([name, content.size]);
    return found;
}

describe("outputs", () => {
    afterEach(() => vi.unstubAllGlobals());

    it("shows pictures of this server and embedded ones only", () => {
        const output = { a: "http://h/outputs/a/b/x.png", b: ["data:image/png;base64,AA==", "https://example.com/y.png"], c: "http://h/outputs/a/b/y.mp4" };
        expect(picturesOf(output, 5)).toEqual(["/outputs/a/b/x.png", "data:image/png;base64,AA=="]);
        expect(picturesOf(output, 1)).toEqual(["/outputs/a/b/x.png"]);
        expect(picturesOf("just text", 5)).toEqual([]);
        expect(picturesOf(null, 5)).toEqual([]);
    });

    it("knows extensions by name, else by type", () => {
        expect(extensionOf("http://h/outputs/a/x.PNG", null)).toBe("png");
        expect(extensionOf("data:image/jpeg;base64,AA==", "image/jpeg")).toBe("jpg");
        expect(extensionOf("http://h/v1/files/abc", "application/unheard-of")).toBe("bin");
    });

    it("names files model-id-index", () => {
        expect(outputName(outputStem(prediction(null)), 0, 1, "png")).toBe("remove-background-abc.png");
        expect(outputName(outputStem(prediction(null)), 1, 4, "png")).toBe("remove-background-abc-2.png");
    });

    it("asks no other host", async () => {
        const fetched = vi.fn();
        vi.stubGlobal("fetch", fetched);
        await expect(fetchFile("https://example.com/x.png")).rejects.toThrow("another server");
        expect(fetched).not.toHaveBeenCalled();
    });

    it("keeps files, and JSON for what is no file", async () => {
        expect(await all(["data:image/png;base64,AQID", "data:image/jpeg;base64,AQ=="])).toEqual([
            ["remove-background-abc-1.png", 3],
            ["remove-background-abc-2.jpg", 1],
        ]);
        expect(await all({ score: 1 })).toEqual([["remove-background-abc.json", 16]]);
        expect((await all({ file: "data:image/png;base64,AQID", score: 1 })).map(([name]) => name)).toEqual(["remove-background-abc.png", "remove-background-abc.json"]);
        expect(await all(["hello ", "Ada"])).toEqual([["remove-background-abc.txt", 9]]);
        expect(await all(null)).toEqual([]);
        const named = await contentsOf(prediction("data:image/png;base64,AQID"), "holiday").next();
        expect(named.value?.name).toBe("holiday.png");
    });
});
