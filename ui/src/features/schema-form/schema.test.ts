// What is read out of schemas, what is found wrong with values, and what is sent.
import { describe, expect, it } from "vitest";
import type { Json, JsonSchema, OpenApi } from "@/api/types";
import { FileNames, fromJsonText, toJsonText } from "@/features/schema-form/json";
import { cleanInput, defaultsOf, parseInput, validate, valuesFromInput, type InputField } from "@/features/schema-form/schema";
import { withoutDefaults } from "@/features/schema-form/values";

function openapi(properties: Record<string, JsonSchema>, required: string[] = [], more: Record<string, JsonSchema> = {}): OpenApi {
    return { components: { schemas: { Input: { type: "object", properties, required }, ...more } } };
}
const one = (schema: JsonSchema, required = false, more: Record<string, JsonSchema> = {}): InputField => parseInput(openapi({ it: schema }, required ? ["it"] : [], more))[0]!;
const problem = (schema: JsonSchema, value: Json | File, required = false) => validate([one(schema, required)], { it: value } as Record<string, Json>, "en")["it"];

describe("reading a schema", () => {
    it("follows references and allOf, and what stands beside them wins", () => {
        const field = one({ allOf: [{ $ref: "#/components/schemas/size" }], default: "512", title: "How large" }, false, { size: { type: "string", enum: ["256", "512"], title: "size", description: "An enumeration." } });
        expect(field).toMatchObject({ kind: "choice", choices: ["256", "512"], default: "512", title: "How large", description: "An enumeration." });
    });

    it("ends where a schema refers to itself, to nothing, or to what every object has", () => {
        const loop = { a: { $ref: "#/components/schemas/b" }, b: { $ref: "#/components/schemas/a" } };
        expect(one({ $ref: "#/components/schemas/a" }, false, loop).kind).toBe("json");
        expect(one({ $ref: "#/components/schemas/nowhere" }).kind).toBe("json");
        expect(one({ $ref: "#/components/schemas/constructor" }).kind).toBe("json");
        const nested: JsonSchema = { type: "array" };
        nested.items = nested;
        expect(one(nested).kind).toBe("json");
        expect(parseInput(undefined)).toEqual([]);
        expect(parseInput({ components: { schemas: {} } })).toEqual([]);
    });

    it("knows nullable in all its forms, and keeps real unions", () => {
        for (const schema of [{ anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }] }, { type: ["integer", "null"] as unknown as string, minimum: 1 }, { type: "integer", nullable: true, minimum: 1 }]) expect(one(schema)).toMatchObject({ kind: "integer", nullable: true });
        const union = one({ anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] });
        expect(union.kind).toBe("union");
        expect(union.variants?.map((variant) => variant.kind)).toEqual(["text", "list"]);
    });

    it("puts x-order first, and those without one behind", () => {
        const names = parseInput(openapi({ last: { type: "string" }, second: { type: "string", "x-order": 1 }, first: { type: "string", "x-order": 0 } })).map((field) => field.name);
        expect(names).toEqual(["first", "second", "last"]);
    });

    it("does not ask for what is required but has a default", () => {
        expect(one({ type: "string", default: "a" }, true).required).toBe(false);
        expect(one({ type: "string" }, true).required).toBe(true);
    });

    it("tells files, secrets and lists of files apart", () => {
        expect(one({ type: "string", format: "uri" }).kind).toBe("file");
        expect(one({ type: "string", format: "password" }).kind).toBe("secret");
        expect(one({ type: "string", "x-cog-secret": true }).kind).toBe("secret");
        expect(one({ type: "array", items: { type: "string", format: "uri" } })).toMatchObject({ kind: "list", item: { kind: "file" } });
        expect(one({ type: "array", items: { type: "object" } })).toMatchObject({ kind: "json", json_type: "array" });
    });
});

describe("checking values", () => {
    it("minds the limits, also the open ones and old Cog's", () => {
        expect(problem({ type: "number", minimum: 1, maximum: 10 }, 11)).toBe("This must be at most 10.");
        expect(problem({ type: "number", minimum: 1, maximum: 10 }, 0.5)).toBe("This must be at least 1.");
        expect(problem({ type: "integer", ge: 1 }, 0)).toBe("This must be at least 1.");
        expect(problem({ type: "number", exclusiveMinimum: 0 }, 0)).toBe("This must be more than 0.");
        expect(problem({ type: "number", exclusiveMaximum: true, maximum: 1 }, 1)).toBe("This must be less than 1.");
        expect(problem({ type: "number", multipleOf: 0.1 }, 0.3)).toBeUndefined();
        expect(problem({ type: "integer", multipleOf: 8 }, 12)).toBe("This must be a multiple of 8.");
        expect(problem({ type: "integer" }, 1.5)).toBe("This must be a whole number.");
        expect(problem({ type: "integer" }, "12x")).toBe("This must be a number.");
    });

    it("minds lengths in characters, and patterns it can read", () => {
        expect(problem({ type: "string", maxLength: 2 }, "🦊🦊")).toBeUndefined();
        expect(problem({ type: "string", maxLength: 2 }, "abc")).toBe("At most 2 characters, please: this has 3.");
        expect(problem({ type: "string", pattern: "^\\d+$" }, "a")).toContain("^\\d+$");
        expect(problem({ type: "string", pattern: "(?P<old>x)" }, "a")).toBeUndefined();
    });

    it("takes files, links and data for a file, nothing else", () => {
        for (const good of [new File(["x"], "a.png"), "https://example.com/a.png", "data:image/png;base64,AAAA"]) expect(problem({ type: "string", format: "uri" }, good)).toBeUndefined();
        for (const bad of ["cat.png", "javascript:alert(1)", "ftp://example.com/a"]) expect(problem({ type: "string", format: "uri" }, bad)).toBe("Give a file or an http(s) link.");
    });

    it("says which entry of a list is wrong", () => {
        expect(problem({ type: "array", items: { type: "integer" } }, [1, "x"])).toBe("Entry 2: This must be a number.");
        expect(problem({ type: "array", items: { type: "integer" }, maxItems: 1 }, [1, 2])).toBe("At most 1 entry, please.");
    });

    it("misses what is needed, and knows no other names", () => {
        const fields = [one({ type: "string" }, true)];
        expect(validate(fields, { it: "" }, "en")).toEqual({ it: "This is needed." });
        expect(validate(fields, { it: "x", other: 1 }, "en")).toEqual({ other: "The model has no such input." });
        expect(validate(fields, {}, "ru")).toEqual({ it: "Без этого нельзя." });
        expect(validate(fields, {}, "vi")).toEqual({ it: "Mục này là bắt buộc." });
    });

    it("checks JSON", () => {
        expect(problem({ type: "object" }, '{"a":')).toBe("This is not valid JSON.");
        expect(problem({ type: "object" }, [1])).toBe("This must be a JSON object.");
        expect(problem({ type: "object" }, { a: 1 })).toBeUndefined();
        expect(problem({}, "any text")).toBeUndefined();
    });
});

describe("what is sent", () => {
    const fields = parseInput(
        openapi({ prompt: { type: "string", "x-order": 0 }, negative: { type: "string", default: "ugly", "x-order": 1 }, seed: { type: "integer", nullable: true, "x-order": 2 }, images: { type: "array", items: { type: "string", format: "uri" }, "x-order": 3 }, size: { type: "integer", enum: [256, 512], default: 512, "x-order": 4 } }, ["prompt"]),
    );

    it("leaves out what is empty, but not an emptied default", () => {
        expect(cleanInput(fields, { prompt: "cat", negative: "", seed: null, images: ["", null] as Json[], size: 512 })).toEqual({ prompt: "cat", negative: "", images: [], size: 512 });
        expect(cleanInput(fields, { prompt: "cat", images: [] })).toEqual({ prompt: "cat" });
    });

    it("restores a stored input in the fields' own types, without names the model does not have", () => {
        expect(valuesFromInput(fields, { prompt: "cat", size: "256", seed: "7", gone: 1 })).toEqual({ prompt: "cat", negative: "ugly", size: 256, seed: 7 });
        expect(valuesFromInput(fields, null)).toEqual(defaultsOf(fields));
    });

    it("can say only what differs from the defaults", () => {
        expect(withoutDefaults(fields, { prompt: "cat", negative: "ugly", size: 256 })).toEqual({ prompt: "cat", size: 256 });
    });

    it("shows files in JSON by their names, and finds them again", () => {
        const files = new FileNames();
        const [cat, other] = [new File(["1"], "cat.png"), new File(["2"], "cat.png")];
        const text = toJsonText(fields, { images: [cat, other, "https://example.com/a.png"], prompt: "x" }, files);
        expect(JSON.parse(text)).toEqual({ prompt: "x", images: ["file: cat.png", "file: cat.png (2)", "https://example.com/a.png"] });
        const read = fromJsonText(text, files);
        expect("values" in read && (read.values["images"] as unknown[])[1] === other).toBe(true);
        expect(fromJsonText("[1]", files)).toEqual({ broken: null });
        expect(fromJsonText("{", files)).toHaveProperty("broken", expect.any(String));
    });
});
