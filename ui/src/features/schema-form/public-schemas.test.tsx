// The form over every public schema there is (the package all-the-public-replicate-models, a snapshot of replicate.com): each is read,
// rendered, shows the values of its model's own example, and gives them back through JSON unchanged.
import { cleanup, render } from "@testing-library/react";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Json, Model, OpenApi } from "@/api/types";
import { LanguageProvider } from "@/i18n";
import type { InputValues } from "@/features/run/prepare";
import { controlId, SchemaForm } from "@/features/schema-form/form";
import { FileNames, fromJsonText, toJsonText } from "@/features/schema-form/json";
import { cleanInput, parseInput, validate, valuesFromInput, type InputField } from "@/features/schema-form/schema";

type PublicModel = Pick<Model, "owner" | "name" | "default_example" | "latest_version">;
const HERE = dirname(fileURLToPath(import.meta.url));
const MODELS = JSON.parse(readFileSync(join(HERE, "../../../node_modules/all-the-public-replicate-models/models.json"), "utf8")) as PublicModel[];
const BATCH = 100; // forms per test: a failing one is soon found, and the run says how far it is

const counts = { schemas: 0, rendered: 0, fields: 0, roundTripped: 0, withoutInputs: [] as string[], valid: 0, invalid: {} as Record<string, number> };

function inputsOf(openapi: OpenApi): Record<string, { "x-order"?: number }> {
    return (openapi.components?.schemas?.["Input"]?.properties ?? {}) as Record<string, { "x-order"?: number }>;
}

/** Every message about a value is one of these reasons, whatever its numbers are. */
function reasonOf(message: string): string {
    return message.replace(/^Entry \d+: /, "entry: ").replace(/-?\d+(\.\d+)?(e[-+]?\d+)?/g, "N");
}

/** What the control of a field shows, as the value it stands for; undefined: nothing. */
function shownValue(field: InputField, control: HTMLElement): Json | undefined {
    if (field.kind === "boolean") return control.matches("select") ? (control as HTMLSelectElement).value : control.getAttribute("aria-checked") === "true";
    if (field.kind === "choice") {
        const { value } = control as HTMLSelectElement;
        return value === "" ? undefined : value === "other" ? "other" : field.choices?.[Number(value)];
    }
    const { value } = control as HTMLInputElement;
    return value === "" ? undefined : value;
}

function expectShown(field: InputField, control: HTMLElement, value: InputValues[string] | undefined): void {
    const shown = shownValue(field, control);
    if (field.kind === "boolean") {
        if (typeof value === "boolean" || value === undefined) expect(String(shown)).toBe(String(value ?? (field.nullable ? undefined : field.default === true) ?? ""));
        else expect(shown).toBe(String(value));
    } else if (field.kind === "choice") expect(shown).toEqual(value === undefined || field.choices?.includes(value as Json) ? value : "other");
    else if (field.kind === "text" || field.kind === "secret") {
        // An <input> has one line; what a textarea gives back has its line ends as \n.
        const text = value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value);
        if (control.matches("textarea")) expect(shown).toBe(text?.replace(/\r\n?/g, "\n") || undefined);
        else expect(shown).toBe(text?.replace(/[\r\n]/g, "") || undefined);
    } else if (field.kind === "number" || field.kind === "integer") expect(shown).toBe(value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value));
}

function expectForm(fields: InputField[], values: InputValues): void {
    const { container } = render(
        <LanguageProvider initial="en">
            <SchemaForm fields={fields} values={values} onChange={() => {}} idPrefix="input" />
        </LanguageProvider>,
    );
    const labels = new Set([...container.querySelectorAll("label")].map((label) => label.htmlFor));
    for (const field of fields) {
        const id = controlId("input", field.name);
        const control = document.getElementById(id);
        if (!control || !labels.has(id)) throw new Error(`no labelled control for ${field.name} (${field.kind})`);
        expectShown(field, control, values[field.name]);
    }
    cleanup();
}

function expectRoundTrip(fields: InputField[], values: InputValues): void {
    const files = new FileNames();
    const text = toJsonText(fields, values, files);
    const read = fromJsonText(text, files);
    if ("broken" in read) throw new Error(`its own JSON is not understood: ${read.broken}`);
    expect(read.values).toEqual(cleanInput(fields, values));
    const again = valuesFromInput(fields, JSON.parse(text) as Record<string, Json>);
    expect(toJsonText(fields, { ...again, ...read.values }, files)).toBe(text);
}

function expectModel(model: PublicModel): void {
    const openapi = model.latest_version?.openapi_schema;
    if (!openapi) throw new Error("it has no schema");
    counts.schemas += 1;
    const inputs = inputsOf(openapi);
    const fields = parseInput(openapi);
    expect(fields.map((field) => field.name).sort()).toEqual(Object.keys(inputs).sort());
    const orders = fields.map((field) => inputs[field.name]?.["x-order"] ?? Number.MAX_SAFE_INTEGER);
    expect(orders).toEqual([...orders].sort((one, other) => one - other));
    if (fields.length === 0) counts.withoutInputs.push(`${model.owner}/${model.name}`);
    const values = valuesFromInput(fields, model.default_example?.input);
    expectForm(fields, values);
    counts.rendered += 1;
    counts.fields += fields.length;
    expectRoundTrip(fields, values);
    counts.roundTripped += 1;
    const problems = Object.values(validate(fields, values, "en"));
    if (problems.length === 0) counts.valid += 1;
    for (const reason of new Set(problems.map(reasonOf))) counts.invalid[reason] = (counts.invalid[reason] ?? 0) + 1;
}

describe("every public schema", () => {
    beforeAll(() => {
        globalThis.ResizeObserver ??= class {
            observe() {}
            unobserve() {}
            disconnect() {}
        };
    });

    for (let first = 0; first < MODELS.length; first += BATCH)
        it(`models ${first + 1} to ${Math.min(first + BATCH, MODELS.length)} render and round-trip`, async () => {
            const broken: string[] = [];
            for (const model of MODELS.slice(first, first + BATCH)) {
                await new Promise((resolve) => setTimeout(resolve)); // Vitest's own messages are let through
                try {
                    expectModel(model);
                } catch (error) {
                    cleanup();
                    broken.push(`${model.owner}/${model.name}: ${error instanceof Error ? error.message : String(error)}`);
                }
            }
            expect(broken).toEqual([]);
        });

    it("covers all of them", () => {
        expect(counts.schemas).toBe(MODELS.length);
        expect(counts).toMatchObject({ schemas: 3808, rendered: 3808, fields: 48286, roundTripped: 3808 });
        expect(counts.withoutInputs).toEqual(["andreasjansson/plasma", "elleo/uk-petition-generator"]);
        // Examples older than their model's newest schema: what they lack, offer no more, or have too much of.
        expect(counts.valid).toBe(3753);
        expect(counts.invalid).toEqual({ "This is needed.": 33, "This is none of the choices.": 21, "This must be at most N.": 1 });
    });

    afterAll(() => {
        const reasons = Object.entries(counts.invalid).map(([reason, count]) => `  ${count} × ${reason}`);
        console.log(
            [
                `public schemas: ${counts.schemas}, rendered ${counts.rendered} (${counts.fields} fields), round-tripped ${counts.roundTripped}`,
                `without inputs: ${counts.withoutInputs.length} (${counts.withoutInputs.join(", ")})`,
                `examples that pass the checks: ${counts.valid}; the others say why:`,
                ...reasons,
            ].join("\n"),
        );
    });
});
