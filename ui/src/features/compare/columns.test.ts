// What is shared between columns, and what is kept over a reload.
import { describe, expect, it } from "vitest";
import type { OpenApi } from "@/api/types";
import { parseInput } from "@/features/schema-form/schema";
import { fastest, fromText, inputOf, newColumn, sharedFields, toText } from "./columns";

const schemaOf = (properties: Record<string, object>, required: string[] = []) => ({ components: { schemas: { Input: { type: "object", properties, required } } } }) as unknown as OpenApi;
const file = { type: "string", format: "uri" };

const inpainting = parseInput(schemaOf({ mask: file, image: file, negative_prompt: { type: "string" }, prompt: { type: "string" }, steps: { type: "integer", default: 20 } }));
const upscaler = parseInput(schemaOf({ img: file, scale: { type: "number", default: 2 } }, ["img"]));

describe("compare", () => {
    it("shares the picture and the prompt, not the mask and not the negative prompt", () => {
        const shared = sharedFields(inpainting);
        expect([shared.picture?.name, shared.prompt?.name]).toEqual(["image", "prompt"]);
        expect(sharedFields(upscaler)).toMatchObject({ picture: { name: "img" }, prompt: undefined });
    });

    it("puts what is shared in each model's own input", () => {
        const shared = { picture: "http://h/cat.png", prompt: "a cat" };
        expect(inputOf(inpainting, { steps: 5, prompt: "old" }, shared)).toEqual({ steps: 5, image: "http://h/cat.png", prompt: "a cat" });
        expect(inputOf(upscaler, { scale: 4 }, shared)).toEqual({ scale: 4, img: "http://h/cat.png" });
        expect(inputOf(upscaler, { scale: 4 }, { picture: null, prompt: "" })).toEqual({ scale: 4 });
    });

    it("comes back after a reload, without files", () => {
        const column = newColumn("a/b", "v1", { scale: 4, extra: new File(["x"], "x.png"), list: ["a"] });
        const back = fromText(toText({ columns: [column], shared: { picture: new File(["x"], "x.png"), prompt: "p" } }));
        expect(back).toEqual({ columns: [{ ...column, values: { scale: 4, list: ["a"] } }], shared: { picture: null, prompt: "p" } });
    });

    it("takes nothing that is not its own", () => {
        expect(fromText(null)).toBeNull();
        expect(fromText("{")).toBeNull();
        expect(fromText('{"columns":[{"id":1}],"shared":{}}')).toBeNull();
        expect(fromText(JSON.stringify({ columns: Array.from({ length: 9 }, () => newColumn("a/b")), shared: {} }))?.columns.length).toBe(6);
    });

    it("names the fastest of several only", () => {
        expect(fastest({ a: 2, b: 1.5, c: null })).toBe("b");
        expect(fastest({ a: 2, b: null })).toBeNull();
    });
});
