// The control for each kind of input. A control shows any value it is given, also one that is wrong: what was typed is kept as it is and
// said to be wrong when it is checked.
import { Dices, Eye, EyeOff, Plus, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { Json } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Slider, Switch } from "@/components/ui/controls";
import { Input, Textarea } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { FileInput } from "@/features/picture/file-input";
import { formMessages } from "@/features/schema-form/messages";
import type { InputField } from "@/features/schema-form/schema";
import { variantOf, type InputValue } from "@/features/schema-form/values";
import { brief, sliderStep } from "@/features/schema-form/words";

export interface ControlProps {
    field: InputField;
    value: InputValue | undefined;
    /** undefined: not given any more. */
    onChange: (value: InputValue | undefined) => void;
    id: string;
    invalid?: boolean;
    describedBy?: string;
    disabled?: boolean;
    /** The accessible name where no Label points at the control (entries of a list). */
    label?: string;
}

/** What every native control gets. */
function shared({ id, invalid, describedBy, disabled, label, field }: ControlProps) {
    return { id, disabled, "aria-invalid": invalid || undefined, "aria-describedby": describedBy, "aria-label": label, "aria-required": field.required || undefined };
}

/** A value that is not text, as text to edit. */
function asText(value: InputValue | undefined): string {
    if (value === undefined || value === null) return "";
    return typeof value === "string" ? value : JSON.stringify(value);
}

function TextControl(props: ControlProps) {
    const { field, value, onChange } = props;
    const placeholder = field.default === undefined ? undefined : brief(field.default);
    const change = (text: string) => onChange(text === "" && (field.default === undefined || field.default === "") && props.label === undefined ? undefined : text);
    if (field.long) return <Textarea {...shared(props)} value={asText(value)} placeholder={placeholder} spellCheck onChange={(event) => change(event.target.value)} className="min-h-20" />;
    return <Input {...shared(props)} value={asText(value)} placeholder={placeholder} onChange={(event) => change(event.target.value)} />;
}

function SecretControl(props: ControlProps) {
    const text = useMessages(formMessages);
    const [shown, setShown] = useState(false);
    return (
        <div className="flex gap-1">
            <Input {...shared(props)} type={shown ? "text" : "password"} autoComplete="off" spellCheck={false} value={asText(props.value)} onChange={(event) => props.onChange(event.target.value || undefined)} />
            <Button variant="ghost" size="icon" aria-label={shown ? text.hide_secret : text.show_secret} onClick={() => setShown(!shown)} disabled={props.disabled}>
                {shown ? <EyeOff /> : <Eye />}
            </Button>
        </div>
    );
}

/** What was typed, as a number where it is one ("1,5" too, but not "1,000", which may mean either); text that is none is kept and found wrong later. */
function typedNumber(typed: string): InputValue | undefined {
    const text = typed.trim().replace(/^([-+]?\d*),(\d{1,2}|\d{4,})$/, "$1.$2");
    if (text === "") return undefined;
    const number = Number(text);
    return Number.isFinite(number) && !/^[-+]?0[xob]/i.test(text) ? number : typed;
}

const SEED_MOST = 2 ** 31 - 1;

function NumberControl(props: ControlProps) {
    const { field, value, onChange, disabled } = props;
    const text = useMessages(formMessages);
    const [typed, setTyped] = useState<string | null>(null); // while it is edited: "1." must not become "1"
    const shown = typed !== null && typedNumber(typed) === value ? typed : asText(value);
    const step = props.label === undefined ? sliderStep(field) : null;
    const number = typeof value === "number" ? value : typeof field.default === "number" ? field.default : (field.minimum ?? 0);
    const is_seed = field.kind === "integer" && /(^|_)seed$/i.test(field.name);
    return (
        <div className="flex items-center gap-3">
            {step !== null && (
                <Slider
                    thumbLabels={[text.slider(field.title)]}
                    min={field.minimum}
                    max={field.maximum}
                    step={step}
                    value={[Math.min(field.maximum ?? number, Math.max(field.minimum ?? number, number))]}
                    disabled={disabled}
                    onValueChange={([next]) => next !== undefined && onChange(field.kind === "integer" ? Math.round(next) : Number(next.toFixed(6)))}
                />
            )}
            <Input
                {...shared(props)}
                inputMode={field.kind === "integer" && (field.minimum ?? -1) >= 0 ? "numeric" : "text"}
                autoComplete="off"
                placeholder={field.default === undefined ? undefined : brief(field.default)}
                value={shown}
                className={cn("tabular-nums", step !== null && "w-24 shrink-0")}
                onChange={(event) => {
                    setTyped(event.target.value);
                    onChange(typedNumber(event.target.value));
                }}
                onBlur={() => setTyped(null)}
            />
            {is_seed && (
                <Button variant="outline" size="icon" aria-label={text.random_for(field.title)} title={text.random} disabled={disabled} onClick={() => onChange(Math.floor(Math.random() * Math.min(field.maximum ?? SEED_MOST, SEED_MOST)))}>
                    <Dices />
                </Button>
            )}
        </div>
    );
}

function BooleanControl(props: ControlProps) {
    const { field, value, onChange, id, disabled } = props;
    const text = useMessages(formMessages);
    if (field.nullable || (typeof value !== "boolean" && value !== undefined && value !== null)) {
        const choices = [{ value: "", label: text.not_set }, { value: "true", label: text.on }, { value: "false", label: text.off }];
        if (typeof value !== "boolean" && value !== undefined && value !== null) choices.push({ value: asText(value), label: text.not_offered(brief(asText(value))) });
        return <Select {...shared(props)} choices={choices} value={value === undefined || value === null ? "" : asText(value)} onChange={(next) => onChange(next === "" ? undefined : next === "true")} />;
    }
    const { "aria-required": _required, ...rest } = shared(props);
    return <Switch {...rest} id={id} disabled={disabled} checked={value === undefined ? field.default === true : value === true} onCheckedChange={(checked) => onChange(checked)} />;
}

function ChoiceControl(props: ControlProps) {
    const { field, value, onChange } = props;
    const text = useMessages(formMessages);
    const known = field.choices ?? [];
    const at = known.findIndex((choice) => choice === value);
    const given = value !== undefined && value !== null;
    const choices = known.map((choice, index) => ({ value: String(index), label: asText(choice) === "" ? "–" : asText(choice) }));
    // Something must stand there when nothing is chosen; what is not offered any more stays until something else is chosen.
    if (!given || field.default === undefined) choices.unshift({ value: "", label: field.default === undefined ? "–" : text.default_is(brief(field.default)) });
    if (given && at < 0) choices.push({ value: "other", label: text.not_offered(brief(value instanceof File ? value.name : asText(value))) });
    return <Select {...shared(props)} choices={choices} value={at >= 0 ? String(at) : given ? "other" : ""} onChange={(next) => next !== "other" && onChange(next === "" ? undefined : known[Number(next)])} />;
}

function FileControl({ field, value, onChange, id, invalid, describedBy, disabled, label }: ControlProps) {
    const shown = value instanceof File || typeof value === "string" ? value : null;
    return <FileInput id={id} value={shown} onChange={(next) => onChange(next ?? (label === undefined ? undefined : ""))} accept={field.accept} label={label ?? field.title} invalid={invalid} describedBy={describedBy} disabled={disabled} compact={label !== undefined || (!field.required && !field.first && shown === null)} />;
}

/** A new entry of a list, before something is put in. */
function blankOf(item: InputField): Json {
    if (item.default !== undefined) return structuredClone(item.default);
    if (item.kind === "boolean") return false;
    if (item.kind === "choice") return item.choices?.[0] ?? null;
    return item.kind === "number" || item.kind === "integer" ? null : "";
}

function ListControl(props: ControlProps) {
    const { field, value, onChange, id, disabled, invalid, describedBy } = props;
    const text = useMessages(formMessages);
    const entries = (Array.isArray(value) ? value : []) as InputValue[];
    const item = field.item;
    const added = useRef(false);
    useEffect(() => {
        if (added.current) document.getElementById(`${id}-${entries.length - 1}`)?.focus();
        added.current = false;
    }, [entries.length, id]);
    if (!item) return <JsonControl {...props} />;
    const put = (next: InputValue[]) => onChange(next as InputValue);
    const full = field.maxItems !== undefined && entries.length >= field.maxItems;
    return (
        <div id={id} role="group" tabIndex={-1} aria-labelledby={`${id}-label`} aria-describedby={describedBy} className="space-y-2 rounded-md">
            {entries.map((entry, index) => (
                <div key={index} className="flex items-start gap-1">
                    <div className="min-w-0 flex-1">
                        <FieldControl
                            field={{ ...item, title: field.title }}
                            value={entry ?? undefined}
                            onChange={(next) => put(entries.map((each, position) => (position === index ? (next ?? blankOf(item)) : each)))}
                            id={`${id}-${index}`}
                            label={text.entry(field.title, index + 1)}
                            invalid={invalid}
                            describedBy={describedBy}
                            disabled={disabled}
                        />
                    </div>
                    <Button variant="ghost" size="icon" aria-label={text.remove(field.title, index + 1)} disabled={disabled} onClick={() => put(entries.filter((_each, position) => position !== index))}>
                        <Trash2 />
                    </Button>
                </div>
            ))}
            <Button
                variant="outline"
                size="sm"
                aria-label={text.add_to(field.title)}
                disabled={disabled || full}
                onClick={() => {
                    added.current = true;
                    put([...entries, blankOf(item)]);
                }}
            >
                <Plus />
                {text.add}
            </Button>
        </div>
    );
}

function UnionControl(props: ControlProps) {
    const { field, value, onChange, id } = props;
    const text = useMessages(formMessages);
    const variants = field.variants ?? [];
    const [chosen, setChosen] = useState(() => variantOf(field, value));
    const index = value === undefined || value === null ? Math.min(chosen, variants.length - 1) : variantOf(field, value);
    const variant = variants[index];
    if (!variant) return <JsonControl {...props} />;
    return (
        <div className="space-y-2">
            <Select
                aria-label={text.kind_of(field.title)}
                className="w-auto"
                disabled={props.disabled}
                value={String(index)}
                choices={variants.map((each, position) => ({ value: String(position), label: text[`kind_${each.kind}`] }))}
                onChange={(next) => {
                    setChosen(Number(next));
                    onChange(variants[Number(next)]?.kind === "list" ? [] : undefined);
                }}
            />
            <FieldControl {...props} field={{ ...variant, title: field.title, name: field.name }} id={id} />
        </div>
    );
}

/** Text of a value for the JSON control: a text that would read as something else stands in quotes. */
function jsonText(field: InputField, value: InputValue | undefined): string {
    if (value === undefined || value === null) return "";
    if (typeof value !== "string") return JSON.stringify(value, null, 2);
    return field.json_type || parsed(value) === value ? value : JSON.stringify(value);
}

/** The value of typed JSON; as it was typed when it is none (checking says so where it matters). */
function parsed(typed: string): Json {
    try {
        return JSON.parse(typed) as Json;
    } catch {
        return typed;
    }
}

function JsonControl(props: ControlProps) {
    const { field, value, onChange } = props;
    const [typed, setTyped] = useState<string | null>(null);
    const same = typed !== null && JSON.stringify(typed.trim() === "" ? undefined : parsed(typed)) === JSON.stringify(value);
    return (
        <Textarea
            {...shared(props)}
            value={same ? (typed ?? "") : jsonText(field, value)}
            spellCheck={false}
            autoCapitalize="off"
            placeholder={field.json_type === "array" ? "[ ]" : "{ }"}
            className="font-mono text-xs"
            onChange={(event) => {
                setTyped(event.target.value);
                onChange(event.target.value.trim() === "" ? undefined : parsed(event.target.value));
            }}
            onBlur={() => setTyped(null)}
        />
    );
}

const CONTROLS = { text: TextControl, secret: SecretControl, number: NumberControl, integer: NumberControl, boolean: BooleanControl, choice: ChoiceControl, file: FileControl, list: ListControl, union: UnionControl, json: JsonControl };

export function FieldControl(props: ControlProps) {
    const Control = CONTROLS[props.field.kind];
    return <Control {...props} />;
}
