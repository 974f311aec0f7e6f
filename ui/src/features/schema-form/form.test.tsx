// The form as somebody uses it: typing, resetting, lists, errors and where focus goes, form and JSON in step.
import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { JsonSchema } from "@/api/types";
import { LanguageProvider } from "@/i18n";
import type { InputValues } from "@/features/run/prepare";
import { InputEditor } from "@/features/schema-form/editor";
import { SchemaForm } from "@/features/schema-form/form";
import { defaultsOf, parseInput } from "@/features/schema-form/schema";

beforeAll(() => {
    globalThis.ResizeObserver ??= class {
        observe() {}
        unobserve() {}
        disconnect() {}
    };
});
afterEach(cleanup);

const PROPERTIES: Record<string, JsonSchema> = {
    prompt: { type: "string", title: "Prompt", description: "What to draw", "x-order": 0 },
    scale: { type: "number", title: "Scale", default: 4, minimum: 1, maximum: 10, "x-order": 1 },
    face: { type: "boolean", title: "Face", default: false, "x-order": 2 },
    tags: { type: "array", items: { type: "string" }, title: "Tags", "x-order": 3 },
    old: { type: "string", title: "Old", deprecated: true, "x-order": 4 },
};
const fields = parseInput({ components: { schemas: { Input: { type: "object", properties: PROPERTIES, required: ["prompt"] } } } });

let latest: InputValues = {};

function Held({ errors, editor = false, only, onBroken }: { errors?: Record<string, string>; editor?: boolean; only?: string[]; onBroken?: (broken: boolean) => void }) {
    const [values, setValues] = useState<InputValues>(defaultsOf(fields));
    latest = values;
    const props = { fields, values, onChange: setValues, errors, idPrefix: "t" };
    return <LanguageProvider initial="en">{editor ? <InputEditor {...props} onBroken={onBroken} /> : <SchemaForm {...props} only={only} />}</LanguageProvider>;
}
const box = (name: string) => screen.getByRole<HTMLInputElement>("textbox", { name });
const type = (name: string, value: string) => fireEvent.change(box(name), { target: { value } });

describe("SchemaForm", () => {
    it("gives numbers as numbers, and keeps what is none as it was typed", () => {
        render(<Held />);
        type("Scale", "2,5");
        expect(latest["scale"]).toBe(2.5);
        expect(box("Scale").value).toBe("2,5");
        type("Scale", "2x");
        expect(latest["scale"]).toBe("2x");
        type("Scale", "");
        expect(latest).not.toHaveProperty("scale");
    });

    it("resets one field to its default", () => {
        render(<Held />);
        expect(screen.queryByRole("button", { name: "Reset Scale to its default" })).toBeNull();
        type("Scale", "9");
        fireEvent.click(screen.getByRole("button", { name: "Reset Scale to its default" }));
        expect(latest["scale"]).toBe(4);
    });

    it("marks what is needed, and links help to its control", () => {
        render(<Held />);
        const prompt = screen.getByRole("textbox", { name: "Prompt (required)" });
        expect(prompt.getAttribute("aria-required")).toBe("true");
        expect(document.getElementById(prompt.getAttribute("aria-describedby") ?? "")?.textContent).toBe("What to draw");
    });

    it("moves by the slider and the switch", () => {
        render(<Held />);
        fireEvent.keyDown(screen.getByRole("slider", { name: "Scale, slider" }), { key: "ArrowRight" });
        expect(latest["scale"]).toBe(4.1);
        fireEvent.click(screen.getByRole("switch", { name: "Face" }));
        expect(latest["face"]).toBe(true);
    });

    it("adds to lists and takes away", () => {
        render(<Held />);
        fireEvent.click(screen.getByRole("button", { name: "Add an entry to Tags" }));
        type("Tags, entry 1", "a");
        fireEvent.click(screen.getByRole("button", { name: "Add an entry to Tags" }));
        type("Tags, entry 2", "b");
        expect(latest["tags"]).toEqual(["a", "b"]);
        fireEvent.click(screen.getByRole("button", { name: "Remove entry 1 of Tags" }));
        expect(latest["tags"]).toEqual(["b"]);
    });

    it("brings focus to the first wrong field, describes it, and forgets the error once it is edited", async () => {
        const { rerender } = render(<Held />);
        rerender(<Held errors={{ scale: "too large", face: "no", elsewhere: "what is this" }} />);
        await waitFor(() => expect(document.activeElement).toBe(box("Scale")));
        expect(box("Scale").getAttribute("aria-invalid")).toBe("true");
        expect(document.getElementById("t-scale-error")?.textContent).toBe("too large");
        expect(box("Scale").getAttribute("aria-describedby")).toContain("t-scale-error");
        expect(screen.getByRole("alert").textContent).toContain("elsewhere: what is this");
        type("Scale", "3");
        expect(document.getElementById("t-scale-error")).toBeNull();
        expect(document.getElementById("t-face-error")).not.toBeNull();
    });

    it("opens the deprecated ones when the error is there", async () => {
        const { rerender } = render(<Held />);
        expect(document.querySelector("details")?.open).toBe(false);
        rerender(<Held errors={{ old: "gone" }} />);
        await waitFor(() => expect(document.activeElement).toBe(document.getElementById("t-old")));
        expect(document.querySelector("details")?.open).toBe(true);
    });

    it("shows only what it is asked to, and does not take focus from another part of the form", async () => {
        const { rerender } = render(<Held only={["scale"]} />);
        expect(screen.queryByRole("switch")).toBeNull();
        rerender(<Held only={["scale"]} errors={{ prompt: "needed", scale: "no" }} />);
        await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
        expect(document.activeElement).toBe(document.body);
    });
});

describe("InputEditor", () => {
    const tab = (name: string) => fireEvent.mouseDown(screen.getByRole("tab", { name }), { button: 0 });
    const json = () => screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Input as JSON" });

    it("keeps form and JSON in step, both ways", () => {
        render(<Held editor />);
        fireEvent.change(screen.getByRole("textbox", { name: "Prompt (required)" }), { target: { value: "cat" } });
        tab("JSON");
        expect(JSON.parse(json().value)).toEqual({ prompt: "cat", scale: 4, face: false });
        fireEvent.change(json(), { target: { value: '{ "prompt":"dog",\n"scale": 7 }' } });
        expect(json().value).toBe('{ "prompt":"dog",\n"scale": 7 }');
        tab("Form");
        expect(screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Prompt (required)" }).value).toBe("dog");
        expect(box("Scale").value).toBe("7");
        expect(latest).toEqual({ prompt: "dog", scale: 7 });
    });

    it("says what is wrong with the JSON, holds it, and tells that nothing may be sent", () => {
        const told: boolean[] = [];
        render(<Held editor onBroken={(broken) => told.push(broken)} />);
        tab("JSON");
        fireEvent.change(json(), { target: { value: '{ "prompt": ' } });
        expect(screen.getByText(/^Not valid JSON/)).toBeTruthy();
        expect(latest["scale"]).toBe(4);
        tab("Form");
        expect(json().value).toBe('{ "prompt": ');
        fireEvent.change(json(), { target: { value: '{ "scale": 70, "what": 1 }' } });
        const said = screen.getAllByRole("listitem").map((each) => each.textContent);
        expect(said).toEqual(["prompt: This is needed.", "scale: This must be at most 10.", "what: The model has no such input."]);
        expect(told).toEqual([true, false]);
        fireEvent.click(screen.getByRole("button", { name: "Reset all" }));
        expect(latest).toEqual({ scale: 4, face: false });
    });
});
