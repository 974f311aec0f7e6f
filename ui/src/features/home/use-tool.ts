// A tab at work: its form's values, what is wrong with them, and its run.
import { useEffect, useRef, useState } from "react";
import { ApiError } from "@/api/http";
import type { ApiFunction, Prediction } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { blobOfDataUrl } from "@/lib/data-url";
import { bytesOf } from "@/features/picture/links";
import { reducePicture } from "@/features/picture/reduce";
import type { InputValues } from "@/features/run/prepare";
import { useRun, type Run } from "@/features/run/use-run";
import { cleanInput, validate, type InputField } from "@/features/schema-form/schema";
import { patchForm, useForm } from "@/features/home/form-store";
import { homeMessages } from "@/features/home/messages";
import { resultName } from "@/features/home/naming";
import type { Tab } from "@/features/home/tabs";
import type { Given } from "@/features/home/picture-field";

export interface Tool {
    run: Run;
    working: boolean;
    values: InputValues;
    setValues: (values: InputValues) => void;
    errors: Record<string, string> | undefined;
    /** The input for the tab's picture; null when it has none. */
    image_input: string | null;
    picture: Given;
    setPicture: (picture: Given) => void;
    mask: File | null;
    setMask: (mask: File | null) => void;
    reduce: boolean;
    setReduce: (reduce: boolean) => void;
    submit: () => void;
    nameOf: (prediction: Prediction) => string;
}

const NAMES_KEY = "mimeo-picture-names";
const NAMES_MAX = 30;

/** Names of the pictures that runs of this browser tab were made from, by prediction: results are called after them. */
function readNames(): Record<string, string> {
    try {
        return JSON.parse(sessionStorage.getItem(NAMES_KEY) ?? "{}") as Record<string, string>;
    } catch {
        return {};
    }
}

function nameOfRun(id: string): string | null {
    const name: unknown = readNames()[id];
    return typeof name === "string" ? name : null;
}

function keepName(id: string, name: string): void {
    if (!name || name.length > 300 || nameOfRun(id) !== null) return;
    sessionStorage.setItem(NAMES_KEY, JSON.stringify(Object.fromEntries([...Object.entries(readNames()), [id, name]].slice(-NAMES_MAX))));
}

// The same picture is reduced once, so that it is uploaded once.
const reduced = new WeakMap<File, Promise<File>>();

function reducedOnce(file: File): Promise<File> {
    const known = reduced.get(file) ?? reducePicture(file);
    reduced.set(file, known);
    return known;
}

/** A mask that came back as a link (a restored form) becomes a file, as the painter wants it. */
function useMaskFile(tab: Tab, value: InputValues[string] | undefined): File | null {
    useEffect(() => {
        if (!tab.mask || typeof value !== "string") return;
        const name = tab.mask;
        const stop = new AbortController();
        bytesOf(value, stop.signal).then(
            (bytes) => stop.signal.aborted || patchForm(tab.name, { [name]: new File([bytes], "mask.png", { type: bytes.type }) }),
            () => stop.signal.aborted || patchForm(tab.name, { [name]: undefined }),
        );
        return () => stop.abort();
    }, [tab, value]);
    return value instanceof File ? value : null;
}

/** After a reload in the middle of a run the form has lost its files: they are taken from the run. */
function useRunsFiles(tab: Tab, run: Run, values: InputValues, names: string[]): void {
    const done = useRef(false);
    useEffect(() => {
        if (done.current || run.state.kind === "idle" || run.state.kind === "preparing") return;
        done.current = true;
        if (run.state.kind === "refused") return;
        const { id, input } = run.state.prediction;
        for (const name of names) {
            const sent = input[name];
            if (values[name] !== undefined || typeof sent !== "string") continue;
            const small = sent.startsWith("data:") ? blobOfDataUrl(sent) : null;
            patchForm(tab.name, { [name]: small ? new File([small], nameOfRun(id) ?? name, { type: small.type }) : sent });
        }
    }, [tab, run.state, values, names]);
}

export function useTool(tab: Tab, api_function: ApiFunction, fields: InputField[]): Tool {
    const text = useMessages(homeMessages);
    const { language } = useLanguage();
    const run = useRun(`home:${tab.name}`);
    const [values, setValues] = useForm(tab.name, fields);
    const [errors, setErrors] = useState<Record<string, string>>();
    const [reduce, setReduce] = useState(false);
    const [reducing, setReducing] = useState(false);
    const image_input = tab.picture ? api_function.image_input : null;
    const given = image_input ? values[image_input] : undefined;
    const picture: Given = given instanceof File || typeof given === "string" ? given : null;
    const mask = useMaskFile(tab, tab.mask ? values[tab.mask] : undefined);
    const working = reducing || run.state.kind === "preparing" || run.state.kind === "running";
    useRunsFiles(tab, run, values, [image_input, tab.mask].filter((name) => name !== null && name !== undefined));

    const refusal = run.state.kind === "refused" ? run.state.error : null;
    useEffect(() => {
        if (refusal instanceof ApiError && Object.keys(refusal.fields).length > 0) setErrors(refusal.fields);
    }, [refusal]);

    const setPicture = (next: Given) => {
        if (!image_input) return;
        setErrors(undefined);
        setReduce(false);
        // What was said of the picture before would seem to be about this one.
        if (run.state.kind === "refused" || (run.state.kind === "ended" && run.state.prediction.status !== "succeeded")) run.reset();
        patchForm(tab.name, { [image_input]: next ?? undefined, ...(tab.mask ? { [tab.mask]: undefined } : {}) });
    };
    const setMask = (next: File | null) => {
        if (!tab.mask) return;
        setErrors((old) => (old && tab.mask! in old ? undefined : old));
        patchForm(tab.name, { [tab.mask]: next ?? undefined });
    };

    const send = async () => {
        const input = cleanInput(fields, values);
        if (reduce && image_input && picture instanceof File) {
            setReducing(true);
            try {
                input[image_input] = await reducedOnce(picture);
            } catch {
                toast(text.read_failed, "destructive");
            } finally {
                setReducing(false);
            }
        }
        await run.start(api_function.version, input);
    };
    const submit = () => {
        if (working) return;
        // Some models take a link in another field in place of the picture, so their schema does not require it; one of the two it must be.
        const by_link = fields.some((field) => field.name === "image_url" && values[field.name]);
        const checked = fields.map((field) => (field.name === image_input && !by_link ? { ...field, required: true } : field));
        const found = validate(checked, values, language);
        if (tab.mask && picture && !mask) found[tab.mask] = text.mask_missing;
        setErrors(Object.keys(found).length > 0 ? found : undefined);
        if (Object.keys(found).length === 0) void send();
    };

    // A run that has been created takes the name of the picture it was started with.
    const created = run.state.kind === "running" ? run.state.prediction.id : null;
    useEffect(() => {
        if (created) keepName(created, picture instanceof File ? picture.name : typeof picture === "string" && /^https?:/i.test(picture) ? picture : "");
    }, [created]); // later pictures are other runs'
    const nameOf = (prediction: Prediction) => {
        const sent = image_input ? prediction.input[image_input] : null;
        return resultName(tab.name, prediction.input, nameOfRun(prediction.id) ?? (typeof sent === "string" ? sent : null));
    };
    return { run, working, values, setValues, errors, image_input, picture, setPicture, mask, setMask, reduce, setReduce, submit, nameOf };
}
