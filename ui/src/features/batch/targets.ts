// What a batch can run: functions that take a file, and models that do. Pure but for the hook.
import { useQuery } from "@tanstack/react-query";
import { functionsQuery, modelsQuery } from "@/api/queries";
import type { ApiFunction, Model, OpenApi } from "@/api/types";
import { parseInput, type InputField } from "@/features/schema-form/schema";

export interface Target {
    /** As the URL has it: a function's name, or owner/name. */
    value: string;
    label: string;
    model: string;
    version: string;
    fields: InputField[];
    /** Inputs that take a file; the function's own first. */
    file_inputs: InputField[];
}

/** Inputs that take one file, required ones first, masks last. */
export function fileInputs(fields: InputField[], first?: string | null): InputField[] {
    const rank = (field: InputField) => (field.name === first ? 0 : /mask/i.test(field.name) ? 3 : field.required ? 1 : 2);
    return fields.filter((field) => field.kind === "file").sort((one, other) => rank(one) - rank(other));
}

function targetOf(value: string, label: string, model: string, version: string, schema: OpenApi, first?: string | null): Target | null {
    const fields = parseInput(schema);
    const file_inputs = fileInputs(fields, first);
    return file_inputs.length ? { value, label, model, version, fields, file_inputs } : null;
}

export function targetsOf(models: Model[], functions: ApiFunction[]): Target[] {
    const by_name = new Map(models.map((model) => [`${model.owner}/${model.name}`, model]));
    const targets: (Target | null)[] = functions.map((each) => {
        const version = by_name.get(each.model)?.latest_version;
        return version ? targetOf(each.name, `${each.name} · ${each.model}`, each.model, version.id, version.openapi_schema, each.image_input) : null;
    });
    for (const [name, model] of by_name) if (model.latest_version) targets.push(targetOf(name, name, name, model.latest_version.id, model.latest_version.openapi_schema));
    return targets.filter((target) => target !== null);
}

export function useTargets() {
    const models = useQuery(modelsQuery);
    const functions = useQuery(functionsQuery);
    const pending = models.isPending || functions.isPending;
    return { targets: pending ? [] : targetsOf(models.data ?? [], functions.data ?? []), pending, error: models.error ?? functions.error };
}
