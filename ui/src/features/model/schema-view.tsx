// A version's schema as a table of inputs, its output, and the whole as JSON.
import { useState } from "react";
import type { Version } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Badge, Table } from "@/components/ui/bits";
import { useLanguage, useMessages } from "@/i18n";
import { CodeBlock } from "@/features/model/code-block";
import { modelMessages } from "@/features/model/messages";
import { formMessages } from "@/features/schema-form/messages";
import { outputSchema, parseInput, type InputField } from "@/features/schema-form/schema";
import { brief, limitsText } from "@/features/schema-form/words";

/** "integer", "string (uri)", "array of string". */
function typeOf(field: InputField): string {
    if (field.item) return `array of ${typeOf(field.item)}`;
    if (field.variants) return field.variants.map(typeOf).join(" | ");
    const type = typeof field.schema.type === "string" ? field.schema.type : field.choices ? typeof field.choices[0] : "any";
    return `${type}${field.schema.format ? ` (${field.schema.format})` : ""}${field.nullable ? " | null" : ""}`;
}

function InputRow({ field }: { field: InputField }) {
    const text = useMessages(modelMessages);
    const form = useMessages(formMessages);
    const { language } = useLanguage();
    const limits = field.choices ? field.choices.map((choice) => brief(choice)).join(", ") : limitsText(field, form, language);
    return (
        <tr className="align-top">
            <th scope="row" className="border-t font-mono text-xs font-medium text-foreground!">
                {field.name} {field.required && <Badge tone="primary">{text.schema_required}</Badge>}
            </th>
            <td className="font-mono text-xs whitespace-nowrap">{typeOf(field)}</td>
            <td className="max-w-48 font-mono text-xs break-words">{brief(field.default) || "–"}</td>
            <td className="max-w-56 text-xs break-words">{limits ?? "–"}</td>
            <td className="min-w-56 text-xs whitespace-pre-line text-muted-foreground">{field.description || "–"}</td>
        </tr>
    );
}

export function SchemaView({ version }: { version: Version }) {
    const text = useMessages(modelMessages);
    const [raw, setRaw] = useState(false);
    const fields = parseInput(version.openapi_schema);
    const output = outputSchema(version.openapi_schema);
    const json = raw ? JSON.stringify(version.openapi_schema, null, 2) : "";
    return (
        <div className="space-y-4">
            <h3 className="font-semibold">{text.schema_of(version.id.slice(0, 12))}</h3>
            <Table label={text.schema_inputs}>
                <thead>
                    <tr>
                        <th scope="col">{text.schema_name}</th>
                        <th scope="col">{text.schema_type}</th>
                        <th scope="col">{text.schema_default}</th>
                        <th scope="col">{text.schema_limits}</th>
                        <th scope="col">{text.schema_help}</th>
                    </tr>
                </thead>
                <tbody>
                    {fields.map((field) => (
                        <InputRow key={field.name} field={field} />
                    ))}
                </tbody>
            </Table>
            <div className="space-y-2">
                <h4 className="text-sm font-medium">{text.schema_output}</h4>
                {output ? <CodeBlock label={text.schema_output} code={JSON.stringify(output, null, 2)} /> : <p className="text-sm text-muted-foreground">{text.schema_output_any}</p>}
            </div>
            <details className="rounded-lg border px-4" onToggle={(event) => setRaw(event.currentTarget.open)}>
                <summary className="flex min-h-10 items-center text-sm font-medium">{text.schema_raw}</summary>
                {raw && (
                    <div className="space-y-2 pb-4">
                        <CopyButton text={json} />
                        <CodeBlock label={text.schema_raw} code={json} />
                    </div>
                )}
            </details>
        </div>
    );
}
