// The forms of the tabs: kept over a change of tab and a reload, each tab its own; and what results are called.
import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { InputField } from "@/features/schema-form/schema";
import { resultName } from "./naming";

const field = (name: string, kind: InputField["kind"], given?: InputField["default"]) => ({ name, kind, title: name, description: "", required: false, nullable: false, deprecated: false, default: given, schema: {} }) as InputField;
const FIELDS = [field("image", "file"), field("scale", "number", 4), field("prompt", "text")];

/** As after a reload: what is only in memory is gone. */
async function freshStore() {
    vi.resetModules();
    return import("./form-store");
}
const kept = () => JSON.parse(sessionStorage.getItem("mimeo-form:upscale") ?? "null") as { values: Record<string, unknown> } | null;

beforeEach(() => sessionStorage.clear());

describe("a form", () => {
    it("that was handed in has the defaults for the rest, and nothing the model does not know", async () => {
        const { valuesOf } = await freshStore();
        const file = new File(["x"], "x.png");
        expect(valuesOf({ values: { image: file, strange: 1 }, partial: true }, FIELDS)).toEqual({ image: file, scale: 4 });
        expect(valuesOf(undefined, FIELDS)).toEqual({ scale: 4 });
    });
    it("that was filled in is left as it is: a value taken away does not come back", async () => {
        const { valuesOf } = await freshStore();
        expect(valuesOf({ values: { prompt: "x" }, partial: false }, FIELDS)).toEqual({ prompt: "x" });
    });
    it("makes numbers of an earlier prediction's texts", async () => {
        const { valuesOf } = await freshStore();
        expect(valuesOf({ values: { scale: "2" }, partial: true }, FIELDS)["scale"]).toBe(2);
    });
    it("keeps no files over a reload, and nothing of broken storage", async () => {
        sessionStorage.setItem("mimeo-form:upscale", "{broken");
        const store = await freshStore();
        store.replaceForm("upscale", { scale: 3 });
        store.patchForm("upscale", { image: new File(["x"], "x.png") });
        expect(kept()).toBeNull(); // it is not whole before it has been shown
    });
});

describe("a form in use", () => {
    it("comes back after a reload, without its files, and does not mix with another tab's", async () => {
        const before = await freshStore();
        const shown = renderHook(() => before.useForm("upscale", FIELDS));
        act(() => shown.result.current[1]({ scale: 2, prompt: "x", image: new File(["x"], "x.png") }));
        expect(shown.result.current[0]["image"]).toBeInstanceOf(File);
        const later = await freshStore();
        expect(renderHook(() => later.useForm("upscale", FIELDS)).result.current[0]).toEqual({ scale: 2, prompt: "x" });
        expect(renderHook(() => later.useForm("enhance", FIELDS)).result.current[0]).toEqual({ scale: 4 });
    });
    it("sees what another part of the page hands in", async () => {
        const store = await freshStore();
        const shown = renderHook(() => store.useForm("upscale", FIELDS));
        act(() => store.patchForm("upscale", { prompt: "given" }));
        expect(shown.result.current[0]).toEqual({ scale: 4, prompt: "given" });
        act(() => store.patchForm("upscale", { prompt: undefined }));
        expect(shown.result.current[0]).toEqual({ scale: 4 });
    });
    it("is not kept when it is too large for the browser's storage", async () => {
        const store = await freshStore();
        const shown = renderHook(() => store.useForm("upscale", FIELDS));
        act(() => shown.result.current[1]({ prompt: "x".repeat(600_000) }));
        expect(kept()).toBeNull();
    });
});

describe("resultName", () => {
    it("tells what was done to which picture", () => {
        expect(resultName("remove-background", {}, "my cat.jpeg")).toBe("my cat-no-background");
        expect(resultName("upscale", { scale: 2 }, "https://h/pics/cat.png?x")).toBe("cat-2x");
    });
    it("does without a name: data URLs and uploads have none", () => {
        expect(resultName("enhance", {}, "data:image/png;base64,AAAA")).toBe("enhanced");
        expect(resultName("upscale", { scale: 4 }, "http://h/v1/files/ZDczMjViOGUtOWI3Mi00YjI2LWFhNzYtNDkyYWNmMzU2OWQ1")).toBe("upscaled-4x");
    });
    it("of a generated picture begins with its prompt", () => {
        expect(resultName("generate", { prompt: "a red fox in the snow at dawn, oil painting" }, null)).toBe("a-red-fox-in-the-snow");
        expect(resultName("generate", {}, null)).toBe("generated");
    });
});
