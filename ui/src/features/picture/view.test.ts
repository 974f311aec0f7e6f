// Where a picture lies on its stage, and how links are told apart.
import { describe, expect, it } from "vitest";
import { fitsAccept, givenBy } from "./file-input";
import { canShow, fileNameFor, isLink, kindOf, localLink, nameOfLink, uploadIdOf } from "./links";
import { reducedSize } from "./reduce";
import { clampView, fitView, SCALE_MAX, stageHeight, zoomView } from "./view";

const stage = { width: 600, height: 400 };

describe("view", () => {
    it("fits the whole picture in the middle", () => {
        expect(fitView({ width: 1200, height: 400 }, stage)).toEqual({ scale: 0.5, x: 0, y: 100 });
    });
    it("does not blow a small picture up without end", () => {
        expect(fitView({ width: 10, height: 10 }, stage).scale).toBe(3);
    });
    it("keeps the point under the pointer when it zooms", () => {
        const picture = { width: 1200, height: 800 };
        const before = { scale: 1, x: -300, y: -200 };
        const after = zoomView(before, 2, { x: 150, y: 100 }, picture, stage);
        expect((150 - after.x) / after.scale).toBeCloseTo((150 - before.x) / before.scale);
        expect((100 - after.y) / after.scale).toBeCloseTo((100 - before.y) / before.scale);
    });
    it("zooms no further than its limits, and out to at least the whole picture", () => {
        const picture = { width: 6000, height: 4000 };
        const fitted = fitView(picture, stage);
        expect(zoomView(fitted, 1000, { x: 0, y: 0 }, picture, stage).scale).toBe(SCALE_MAX);
        expect(zoomView(fitted, 0, { x: 0, y: 0 }, picture, stage)).toEqual(fitted);
    });
    it("leaves no gap at an edge when moved", () => {
        const picture = { width: 1000, height: 1000 };
        expect(clampView({ scale: 1, x: 50, y: -5000 }, picture, stage)).toEqual({ scale: 1, x: 0, y: -600 });
    });
    it("makes the stage as high as the picture needs, within the window", () => {
        expect(stageHeight({ width: 600, height: 300 }, 600, 1000)).toBe(300);
        expect(stageHeight({ width: 600, height: 3000 }, 600, 1000)).toBe(680);
    });
});

describe("links", () => {
    it("of this server go to this origin, whatever host they name", () => {
        expect(localLink("http://gateway.example:99/replicate/outputs/ab/1-x/out-0.png")).toBe("/outputs/ab/1-x/out-0.png");
        expect(localLink("https://elsewhere.example/cat.png")).toBe("https://elsewhere.example/cat.png");
        expect(localLink("data:image/png;base64,AA")).toBe("data:image/png;base64,AA");
    });
    it("to other hosts are not shown", () => {
        expect(canShow("https://elsewhere.example/cat.png")).toBe(false);
        expect(canShow("http://other/outputs/k/1-s/a.png")).toBe(true);
        expect(canShow("javascript:alert(1)")).toBe(false);
    });
    it("are told from texts", () => {
        expect(isLink("https://a.example/x")).toBe(true);
        expect(isLink("see https://a.example/x")).toBe(false);
        expect(isLink("data:image/png;base64,AAAA")).toBe(true);
        expect(isLink("javascript:alert(1)")).toBe(false);
        expect(isLink(7)).toBe(false);
    });
    it("tell their kind and name", () => {
        expect(kindOf("http://h/outputs/k/1-s/out-0.WEBP?x=1")).toBe("picture");
        expect(kindOf("data:video/mp4;base64,AA")).toBe("video");
        expect(kindOf("http://h/outputs/k/1-s/model.bin")).toBe("file");
        expect(nameOfLink("http://h/a/%E2%9C%93.png?q")).toBe("✓.png");
        expect(nameOfLink("http://h/a/%FF.png")).toBe("%FF.png");
        expect(uploadIdOf("http://h/replicate/v1/files/ab-C_1")).toBe("ab-C_1");
        expect(uploadIdOf("http://h/v1/files/ab/download")).toBeNull();
    });
    it("give file names that every system takes", () => {
        expect(fileNameFor("/outputs/k/1-s/out.png", 'a/b\\c:"d" .jpg')).toBe("a-b-c-d.png");
        expect(fileNameFor("data:image/jpeg;base64,AA", "..", 2)).toBe("mimeo-2.jpg");
    });
});

describe("what is given", () => {
    it("fits an accept list or not", () => {
        expect(fitsAccept({ name: "a.png", type: "image/png" }, "image/*")).toBe(true);
        expect(fitsAccept({ name: "a.txt", type: "text/plain" }, "image/*")).toBe(false);
        expect(fitsAccept({ name: "a.ZIP", type: "" }, ".zip")).toBe(true);
        expect(fitsAccept({ name: "a.heic", type: "" }, "image/*")).toBe(true);
    });
    it("is a file before a link, and only http links are links", () => {
        const file = new File(["x"], "x.png");
        const transfer = (files: File[], texts: Record<string, string>) => ({ files, getData: (type: string) => texts[type] ?? "" }) as unknown as DataTransfer;
        expect(givenBy(transfer([file], { "text/plain": "http://h/x" }))).toBe(file);
        expect(givenBy(transfer([], { "text/uri-list": "# comment\nhttps://h/x.png\n" }))).toBe("https://h/x.png");
        expect(givenBy(transfer([], { "text/plain": "some words" }))).toBeNull();
        expect(givenBy(transfer([], { "text/plain": "file:///etc/passwd" }))).toBeNull();
    });
    it("is reduced with its proportions, and never made larger", () => {
        expect(reducedSize(8000, 4000, 2048)).toEqual({ width: 2048, height: 1024 });
        expect(reducedSize(100, 50, 2048)).toEqual({ width: 100, height: 50 });
        expect(reducedSize(100_000, 3, 2048)).toEqual({ width: 2048, height: 1 });
    });
});
