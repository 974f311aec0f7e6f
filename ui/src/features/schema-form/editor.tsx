// The whole input, as a form or as JSON: two views of the same values, kept in step.
import { Braces, RotateCcw, SlidersHorizontal } from "lucide-react";
import { useMemo, useRef, useState, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Label, Textarea } from "@/components/ui/input";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { CopyButton } from "@/components/copy-button";
import { useLanguage, useMessages } from "@/i18n";
import { SchemaForm, type SchemaFormProps } from "@/features/schema-form/form";
import { FileNames, fromJsonText, toJsonText } from "@/features/schema-form/json";
import { formMessages } from "@/features/schema-form/messages";
import { defaultsOf, validate } from "@/features/schema-form/schema";

export interface InputEditorProps extends Omit<SchemaFormProps, "only" | "except"> {
    /** The JSON is being typed and cannot be read now: nothing may be sent. */
    onBroken?: (broken: boolean) => void;
    /** Beside the tabs. */
    actions?: ReactNode;
}

interface Typed {
    text: string;
    broken: string | null; // a message
    as_shown: string; // the JSON of the values it was read to: while they are the same, the text stays as it was typed
}

function JsonEditor({ fields, values, onChange, disabled, idPrefix, files, typed, setTyped, errors }: Omit<SchemaFormProps, "only" | "except"> & { files: FileNames; typed: Typed | null; setTyped: (typed: Typed | null) => void }) {
    const text = useMessages(formMessages);
    const { language } = useLanguage();
    const shown = toJsonText(fields, values, files);
    const current = typed && (typed.broken !== null || typed.as_shown === shown) ? typed : null;
    const problems = { ...errors, ...validate(fields, values, language) };
    const change = (next: string) => {
        const result = fromJsonText(next, files);
        if ("values" in result) {
            setTyped({ text: next, broken: null, as_shown: toJsonText(fields, result.values, files) });
            onChange(result.values);
        } else setTyped({ text: next, broken: result.broken === null ? text.json_not_object : text.json_broken(result.broken), as_shown: shown });
    };
    const broken = current?.broken ?? null;
    const listed = broken === null ? Object.entries(problems) : [];
    return (
        <div className="space-y-2">
            <div className="flex items-center justify-between gap-2">
                <Label htmlFor={`${idPrefix}-json`}>{text.json_label}</Label>
                <CopyButton text={current?.text ?? shown} />
            </div>
            <Textarea
                id={`${idPrefix}-json`}
                value={current?.text ?? shown}
                disabled={disabled}
                spellCheck={false}
                autoCapitalize="off"
                aria-invalid={broken !== null || listed.length > 0 || undefined}
                aria-describedby={`${idPrefix}-json-problems ${idPrefix}-json-help`}
                onChange={(event) => change(event.target.value)}
                className="max-h-[32rem] min-h-64 font-mono text-[0.8125rem] leading-relaxed"
            />
            <div id={`${idPrefix}-json-problems`} role="status" className="text-sm font-medium text-destructive">
                {broken !== null && <p className="break-words">{broken}</p>}
                {listed.length > 0 && (
                    <ul className="space-y-1">
                        {listed.map(([name, message]) => (
                            <li key={name} className="break-words">
                                <code>{name}</code>: {message}
                            </li>
                        ))}
                    </ul>
                )}
            </div>
            <p id={`${idPrefix}-json-help`} className="text-xs text-muted-foreground">
                {text.json_help}
            </p>
        </div>
    );
}

export function InputEditor({ fields, values, onChange, errors, disabled, idPrefix, onBroken, actions }: InputEditorProps) {
    const text = useMessages(formMessages);
    const [mode, setMode] = useState("form");
    const [typed, setTypedState] = useState<Typed | null>(null);
    const files = useMemo(() => new FileNames(), []);
    const broken = useRef(false);
    const setTyped = (next: Typed | null) => {
        setTypedState(next);
        const is_broken = next !== null && next.broken !== null;
        if (is_broken !== broken.current) onBroken?.(is_broken);
        broken.current = is_broken;
    };
    const reset = () => {
        setTyped(null);
        onChange(defaultsOf(fields));
    };
    const change = (next: string) => {
        // What cannot be read cannot become a form; it stays until it is mended or reset.
        if (next === "form" && broken.current) document.getElementById(`${idPrefix}-json`)?.focus();
        else setMode(next);
    };
    return (
        <Tabs value={mode} onValueChange={change}>
            <div className="flex flex-wrap items-center gap-2">
                <TabsList aria-label={text.input_as}>
                    <TabsTrigger value="form">
                        <SlidersHorizontal />
                        {text.form}
                    </TabsTrigger>
                    <TabsTrigger value="json">
                        <Braces />
                        {text.json}
                    </TabsTrigger>
                </TabsList>
                <span className="ml-auto flex items-center gap-1">
                    {actions}
                    <Button variant="ghost" size="sm" onClick={reset} disabled={disabled || fields.length === 0}>
                        <RotateCcw />
                        {text.reset_all}
                    </Button>
                </span>
            </div>
            <TabsContent value="form">
                <SchemaForm fields={fields} values={values} onChange={onChange} errors={errors} disabled={disabled} idPrefix={idPrefix} />
            </TabsContent>
            <TabsContent value="json">
                <JsonEditor fields={fields} values={values} onChange={onChange} errors={errors} disabled={disabled} idPrefix={idPrefix} files={files} typed={typed} setTyped={setTyped} />
            </TabsContent>
        </Tabs>
    );
}
