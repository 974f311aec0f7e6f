// The form of a deployment, and how to call it.
import { describe, expect, it } from "vitest";
import { curlCommand, requiredInput, shellQuoted } from "@/features/deployments/call";
import { configurationOf, problemsOf, type Draft } from "@/features/deployments/draft";

const DRAFT: Draft = { name: "greetings", model: "a/b", version: "5c7d", hardware: "cpu", min_instances: "1", max_instances: "2" };

describe("a deployment's form", () => {
    it("is sent with numbers", () => {
        expect(problemsOf(DRAFT)).toEqual({});
        expect(configurationOf(DRAFT)).toEqual({ version: "5c7d", hardware: "cpu", min_instances: 1, max_instances: 2 });
    });
    it("is checked as the server checks it", () => {
        expect(problemsOf({ name: "", model: "", version: "", hardware: "cpu", min_instances: "x", max_instances: "21" })).toEqual({
            name: "name_missing",
            model: "model_missing",
            version: "version_missing",
            min_instances: "min_number",
            max_instances: "max_number",
        });
        expect(problemsOf({ ...DRAFT, name: ".hidden" }).name).toBe("name_wrong");
        expect(problemsOf({ ...DRAFT, name: "a b" }).name).toBe("name_wrong");
        expect(problemsOf({ ...DRAFT, min_instances: "3" }).min_instances).toBe("min_above_max");
        expect(problemsOf({ ...DRAFT, min_instances: "6", max_instances: "8" }).min_instances).toBe("min_number");
        expect(problemsOf({ ...DRAFT, max_instances: "" }).max_instances).toBe("max_number");
    });
});

describe("how to call it", () => {
    it("survives the shell", () => {
        expect(shellQuoted("it's $HOME")).toBe("'it'\\''s $HOME'");
        const command = curlCommand("http://127.0.0.1:8080", "local", "greetings", { text: "Ada's" });
        expect(command).toContain("http://127.0.0.1:8080/v1/deployments/local/greetings/predictions");
        expect(command).toContain(`"text": "Ada'\\''s"`);
    });
    it("has what the model cannot do without", () => {
        const openapi = { components: { schemas: { Input: { required: ["image", "scale", "mode"], properties: { image: { type: "string", format: "uri" }, scale: { type: "integer", minimum: 2 }, mode: { enum: ["a", "b"] }, other: { type: "string" } } } } } };
        expect(requiredInput(openapi)).toEqual({ image: "https://example.com/picture.jpg", scale: 2, mode: "a" });
        expect(requiredInput(undefined)).toEqual({});
    });
});
