// The form made from a model's inputs: a row for each with its control, help, limits and what is wrong with it. It keeps no values itself.
// What the controls look like is in controls.tsx; form or JSON is editor.tsx.
import { RotateCcw } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Badge } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Label } from "@/components/ui/input";
import { useLanguage, useMessages } from "@/i18n";
import type { InputValues } from "@/features/run/prepare";
import { FieldControl } from "@/features/schema-form/controls";
import { formMessages } from "@/features/schema-form/messages";
import type { InputField } from "@/features/schema-form/schema";
import type { InputValue } from "@/features/schema-form/values";
import { brief, limitsText } from "@/features/schema-form/words";

export interface SchemaFormProps {
    fields: InputField[];
    values: InputValues;
    onChange: (values: InputValues) => void;
    /** What was wrong when it was last sent, by name. Kept in state by the caller: when the object changes, focus goes to the first wrong field. */
    errors?: Record<string, string>;
    only?: string[];
    except?: string[];
    disabled?: boolean;
    /** Unique on the page: ids of the controls begin with it. */
    idPrefix: string;
}

/** The id of a field's control. */
export function controlId(id_prefix: string, name: string): string {
    return `${id_prefix}-${name.replace(/[^\w-]/g, (letter) => `.${letter.charCodeAt(0)}`)}`;
}

/** Errors that still count: a field's own goes away when it is edited. */
function useOpenErrors(errors: Record<string, string> | undefined) {
    const [edited, setEdited] = useState<{ of: unknown; names: string[] }>({ of: errors, names: [] });
    const gone = edited.of === errors ? edited.names : [];
    const open = Object.fromEntries(Object.entries(errors ?? {}).filter(([name]) => !gone.includes(name)));
    const close = (name: string) => {
        if (errors && Object.hasOwn(errors, name) && !gone.includes(name)) setEdited({ of: errors, names: [...gone, name] });
    };
    return { open, close };
}

function FieldRow({ field, value, error, onChange, disabled, id }: { field: InputField; value: InputValue | undefined; error: string | undefined; onChange: (value: InputValue | undefined) => void; disabled?: boolean; id: string }) {
    const text = useMessages(formMessages);
    const { language } = useLanguage();
    const limits = limitsText(field, text, language);
    const described = [field.description && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
    const is_default = field.default === undefined ? value === undefined || value === null : JSON.stringify(value) === JSON.stringify(field.default) && !(value instanceof File);
    const inline = field.kind === "boolean" && !field.nullable;
    const control = <FieldControl field={field} value={value} onChange={onChange} id={id} invalid={Boolean(error)} describedBy={described} disabled={disabled} />;
    return (
        <div className="space-y-1.5" data-field={field.name}>
            <div className="flex min-h-8 items-center gap-2">
                {inline && control}
                <Label htmlFor={id} id={`${id}-label`} className="min-w-0 leading-snug break-words">
                    {field.title}
                    {field.required && (
                        <>
                            <span aria-hidden className="ml-0.5 text-destructive">
                                *
                            </span>
                            <span className="sr-only"> ({text.required})</span>
                        </>
                    )}
                </Label>
                <span className="ml-auto flex shrink-0 items-center gap-1 text-xs text-muted-foreground">
                    {limits && <span>{limits}</span>}
                    {!is_default && !disabled && (
                        <Button variant="ghost" size="icon" className="size-7" aria-label={text.reset(field.title)} title={field.default === undefined ? text.not_set : text.default_is(brief(field.default))} onClick={() => onChange(field.default === undefined ? undefined : structuredClone(field.default))}>
                            <RotateCcw className="size-3.5!" />
                        </Button>
                    )}
                </span>
            </div>
            {!inline && control}
            {error && (
                <p id={`${id}-error`} className="text-sm font-medium text-destructive">
                    {error}
                </p>
            )}
            {field.description && (
                <p id={`${id}-help`} className="text-xs break-words whitespace-pre-line text-muted-foreground">
                    {field.description}
                </p>
            )}
        </div>
    );
}

/** Where focus goes: the control itself, else the first thing in it that takes it. */
export function focusField(id_prefix: string, name: string): void {
    const found = document.getElementById(controlId(id_prefix, name));
    const target = found?.matches("input, textarea, select, button, [tabindex]") ? found : found?.querySelector<HTMLElement>("input, textarea, select, button, [tabindex]");
    target?.focus({ preventScroll: true });
    target?.closest("[data-field]")?.scrollIntoView?.({ block: "center" }); // clear of bars that stay in place
}

export function SchemaForm({ fields, values, onChange, errors, only, except, disabled, idPrefix }: SchemaFormProps) {
    const text = useMessages(formMessages);
    const shown = fields.filter((field) => (!only || only.includes(field.name)) && !except?.includes(field.name));
    const usual = shown.filter((field) => !field.deprecated || field.required);
    const deprecated = shown.filter((field) => !usual.includes(field));
    const { open, close } = useOpenErrors(errors);
    const [show_deprecated, setShowDeprecated] = useState(false);

    // Two fields can change before the parent has drawn the first change (an upload that ends while one types).
    const latest = useRef(values);
    latest.current = values;
    const change = (name: string, value: InputValue | undefined) => {
        const next = { ...latest.current };
        if (value === undefined) delete next[name];
        else next[name] = value;
        latest.current = next;
        close(name);
        onChange(next);
    };

    const first_wrong = fields.find((field) => errors && Object.hasOwn(errors, field.name))?.name;
    const focus_here = first_wrong !== undefined && shown.some((field) => field.name === first_wrong) ? first_wrong : null;
    const folded = focus_here !== null && deprecated.some((field) => field.name === focus_here);
    useEffect(() => {
        if (focus_here === null) return;
        if (folded) setShowDeprecated(true);
        const timer = setTimeout(() => focusField(idPrefix, focus_here)); // once what was folded is there
        return () => clearTimeout(timer);
    }, [errors]); // only when something new was found

    const row = (field: InputField) => (
        <FieldRow key={field.name} field={field} value={values[field.name]} error={open[field.name]} onChange={(value) => change(field.name, value)} disabled={disabled} id={controlId(idPrefix, field.name)} />
    );
    const elsewhere = Object.entries(open).filter(([name]) => !fields.some((field) => field.name === name));
    return (
        <div className="space-y-5">
            {fields.length === 0 && <p className="text-sm text-muted-foreground">{text.no_inputs}</p>}
            {usual.map(row)}
            {deprecated.length > 0 && (
                <details open={show_deprecated} onToggle={(event) => setShowDeprecated(event.currentTarget.open)} className="rounded-md border px-3">
                    <summary className="flex min-h-9 items-center gap-2 text-sm text-muted-foreground">
                        <Badge tone="outline">{text.deprecated(deprecated.length)}</Badge>
                    </summary>
                    <div className="space-y-5 pt-2 pb-4">{deprecated.map(row)}</div>
                </details>
            )}
            {!only && elsewhere.length > 0 && (
                <ul role="alert" aria-label={text.other_problems} className="space-y-1 text-sm text-destructive">
                    {elsewhere.map(([name, message]) => (
                        <li key={name} className="break-words">
                            <code>{name}</code>: {message}
                        </li>
                    ))}
                </ul>
            )}
        </div>
    );
}
