// The state of a model's playground: which version, what is in the form, what is wrong with it, the run. Shared by the page's tabs.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "@/api/http";
import { predictionQuery, versionsQuery } from "@/api/queries";
import type { Json, Model, Prediction, Version } from "@/api/types";
import { useLanguage } from "@/i18n";
import type { InputValues } from "@/features/run/prepare";
import { useRun, type Run } from "@/features/run/use-run";
import { versionQuery } from "@/features/model/queries";
import { cleanInput, defaultsOf, parseInput, validate, valuesFromInput, type InputField } from "@/features/schema-form/schema";

export interface Playground {
    version: Version | null;
    /** ?version= names one that the model does not have. */
    versionMissing: boolean;
    versions: Version[];
    fields: InputField[];
    values: InputValues;
    setValues: (values: InputValues) => void;
    /** Put a stored input into the form. */
    fill: (input: Record<string, Json>) => void;
    errors: Record<string, string> | undefined;
    setBroken: (broken: boolean) => void;
    broken: boolean;
    run: Run;
    /** Checks, then runs; false when something was wrong. */
    start: (values?: InputValues) => boolean;
    /** ?from=: the prediction whose input the form begins with. */
    from: { pending: boolean; error: Error | null; prediction: Prediction | undefined };
}

/** The version a page means: the one it names, else that of the prediction it begins with, else the newest. */
function useVersion(model: Model, wanted: string | undefined, from: Prediction | undefined) {
    const full_name = `${model.owner}/${model.name}`;
    const listed = useQuery(versionsQuery(full_name)).data;
    const id = wanted ?? (from?.model === full_name && /^[0-9a-f]{64}$/.test(from.version) ? from.version : undefined);
    const known = id === undefined || id === model.latest_version?.id ? model.latest_version : listed?.find((each) => each.id === id);
    const asked = useQuery({ ...versionQuery(full_name, id ?? ""), enabled: id !== undefined && !known && listed !== undefined });
    return { version: known ?? asked.data ?? (asked.error ? model.latest_version : null), missing: Boolean(asked.error) && wanted !== undefined, versions: listed ?? (model.latest_version ? [model.latest_version] : []) };
}

/** Secrets are not restored: what is stored of them is not the secret. */
function restorable(fields: InputField[], input: Record<string, Json>): Record<string, Json> {
    const secret = new Set(fields.filter((field) => field.kind === "secret").map((field) => field.name));
    return Object.fromEntries(Object.entries(input).filter(([name]) => !secret.has(name)));
}

export function usePlayground(model: Model, wanted_version: string | undefined, from_id: string | undefined): Playground {
    const { language } = useLanguage();
    const from = useQuery({ ...predictionQuery(from_id ?? ""), enabled: from_id !== undefined });
    const { version, missing, versions } = useVersion(model, wanted_version, from.data);
    const fields = useMemo(() => parseInput(version?.openapi_schema), [version]);
    const [given, setGiven] = useState<InputValues | null>(null);
    const [errors, setErrors] = useState<Record<string, string>>();
    const [broken, setBroken] = useState(false);
    const run = useRun(`model:${model.owner}/${model.name}`);

    const values = useMemo(() => {
        if (!given) return defaultsOf(fields);
        return given;
    }, [given, fields]);

    const fill = useCallback(
        (input: Record<string, Json>) => {
            setErrors(undefined);
            setGiven(valuesFromInput(fields, restorable(fields, input)));
        },
        [fields],
    );

    // Another version has other inputs: what both have stays.
    const shown_version = useRef<string | null>(null);
    useEffect(() => {
        if (!version) return;
        const before = shown_version.current;
        shown_version.current = version.id;
        if (before === null || before === version.id) return;
        setErrors(undefined);
        setGiven((current) => current && { ...defaultsOf(fields), ...Object.fromEntries(Object.entries(current).filter(([name]) => fields.some((field) => field.name === name))) });
    }, [version, fields]);

    const filled_from = useRef<string | null>(null);
    const restored = run.state.kind === "running" || run.state.kind === "ended" ? run.state.prediction : undefined;
    useEffect(() => {
        if (!version) return;
        if (from_id !== undefined) {
            if (from.data && filled_from.current !== from.data.id && !from.data.data_removed) {
                filled_from.current = from.data.id;
                fill(from.data.input ?? {});
            }
        } else if (given === null && filled_from.current === null && restored && !restored.data_removed && restored.version === version.id) {
            filled_from.current = restored.id; // the page was loaded again: the form of the run that goes on
            fill(restored.input ?? {});
        }
    }, [version, from_id, from.data, given, restored, fill]);

    // The server's own messages go to their fields.
    const refused = run.state.kind === "refused" ? run.state.error : null;
    useEffect(() => {
        if (refused instanceof ApiError && Object.keys(refused.fields).length > 0) setErrors(refused.fields);
    }, [refused]);

    const start = (chosen: InputValues = values): boolean => {
        if (!version || broken) return false;
        const found = validate(fields, chosen, language);
        setErrors(Object.keys(found).length > 0 ? found : undefined);
        if (Object.keys(found).length > 0) return false;
        void run.start(version.id, cleanInput(fields, chosen));
        return true;
    };

    return { version, versionMissing: missing, versions, fields, values, setValues: setGiven, fill, errors, broken, setBroken, run, start, from: { pending: from_id !== undefined && from.isPending, error: from.error, prediction: from.data } };
}
