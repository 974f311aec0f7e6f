// All code samples for a request. Pure; a chunk of its own, loaded with the API tab.
import type { InputValues } from "@/features/run/prepare";
import { cSample } from "@/features/model/code/c";
import { goSample } from "@/features/model/code/go";
import { javascriptSample } from "@/features/model/code/javascript";
import { pythonSample } from "@/features/model/code/python";
import { localFile, type SampleValue } from "@/features/model/code/quote";
import type { SampleRequest } from "@/features/model/code/request";
import { curlSample, functionSample, gatewaySample } from "@/features/model/code/shell";

/** A form's values for samples: files by their names. */
export function sampleInput(values: InputValues): Record<string, SampleValue> {
    const one = (value: unknown): SampleValue => (value instanceof File ? localFile(value.name || "file") : (value as SampleValue));
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Array.isArray(value) ? (value as unknown[]).map(one) as SampleValue : one(value)]));
}

export type SampleKind = "curl" | "javascript" | "python" | "go" | "c" | "gateway" | "function";

/** All samples that there are for a request, in the order they are shown. */
export function samplesOf(request: SampleRequest): { kind: SampleKind; code: string }[] {
    const short = functionSample(request);
    return [
        { kind: "curl", code: curlSample(request) },
        { kind: "javascript", code: javascriptSample(request) },
        { kind: "python", code: pythonSample(request) },
        { kind: "go", code: goSample(request) },
        { kind: "c", code: cSample(request) },
        { kind: "gateway", code: gatewaySample(request) },
        ...(short ? [{ kind: "function" as const, code: short }] : []),
    ];
}
