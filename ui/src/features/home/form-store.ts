// What stands in the forms of the tabs, over changes of tab and page; what is no file also over a reload. Other tabs of the browser have
// their own.
import { useSyncExternalStore } from "react";
import { currentToken, endReason, subscribe } from "@/api/session";
import type { Json } from "@/api/types";
import type { InputValues } from "@/features/run/prepare";
import { valuesFromInput, type InputField } from "@/features/schema-form/schema";
import { TAB_NAMES, type TabName } from "@/features/home/tabs";

interface KeptForm {
    values: InputValues;
    /** Names that are not there have their defaults (a form that was handed in); else they are not given. */
    partial: boolean;
}

const PREFIX = "mimeo-form:";
const KEPT_CHARS_MAX = 500_000; // of one form: sessionStorage holds some five million
const forms = new Map<TabName, KeptForm>();
const listeners = new Set<() => void>();

function withoutFiles(values: InputValues): Record<string, Json> {
    return Object.fromEntries(Object.entries(values).filter(([, value]) => !(value instanceof File) && !(Array.isArray(value) && value.some((each) => (each as unknown) instanceof File)))) as Record<string, Json>;
}

function readKept(tab: TabName): KeptForm | undefined {
    try {
        const kept = JSON.parse(sessionStorage.getItem(PREFIX + tab) ?? "null") as { values?: unknown } | null;
        return kept && typeof kept.values === "object" && kept.values !== null ? { values: kept.values as InputValues, partial: false } : undefined;
    } catch {
        return undefined;
    }
}

// Who signs out takes the forms along; a session that has expired is gone on with.
subscribe(() => {
    if (currentToken() || endReason() !== "signed-out") return;
    forms.clear();
    for (const listener of listeners) listener();
});

for (const tab of TAB_NAMES) {
    const kept = readKept(tab);
    if (kept) forms.set(tab, kept);
}

function put(tab: TabName, form: KeptForm): void {
    forms.set(tab, form);
    for (const listener of listeners) listener();
    try {
        const text = JSON.stringify({ values: withoutFiles(form.values) });
        if (text.length <= KEPT_CHARS_MAX && !form.partial) sessionStorage.setItem(PREFIX + tab, text);
        else sessionStorage.removeItem(PREFIX + tab);
    } catch {
        // the storage is full or forbidden: then a reload begins anew
    }
}

/** Change some values of a tab's form, shown or not; undefined takes one away. */
export function patchForm(tab: TabName, changes: { [name: string]: InputValues[string] | undefined }): void {
    const old = forms.get(tab);
    const values: InputValues = { ...old?.values };
    for (const [name, value] of Object.entries(changes)) {
        if (value === undefined) delete values[name];
        else values[name] = value;
    }
    put(tab, { values, partial: old?.partial ?? true });
}

/** A whole other form: what `input` does not say has its default. */
export function replaceForm(tab: TabName, input: InputValues): void {
    put(tab, { values: input, partial: true });
}

/** The form's values once its fields are known. */
export function valuesOf(form: KeptForm | undefined, fields: InputField[]): InputValues {
    if (form && !form.partial) return form.values;
    const given = form?.values ?? {};
    const files = Object.entries(given).filter(([name, value]) => (value instanceof File || Array.isArray(value)) && fields.some((field) => field.name === name));
    return { ...valuesFromInput(fields, withoutFiles(given)), ...Object.fromEntries(files) };
}

export function useForm(tab: TabName, fields: InputField[]): [InputValues, (values: InputValues) => void] {
    const form = useSyncExternalStore(
        (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        () => forms.get(tab),
    );
    return [valuesOf(form, fields), (values) => put(tab, { values, partial: false })];
}
