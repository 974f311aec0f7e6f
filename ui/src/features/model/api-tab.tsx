// The API tab: the form's input as code, in every language there is a client for.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useMemo, useState } from "react";
import { functionsQuery } from "@/api/queries";
import { useMay } from "@/api/session";
import type { Model, OpenApi } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Alert } from "@/components/ui/bits";
import { Checkbox } from "@/components/ui/controls";
import { Label } from "@/components/ui/input";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { useMessages } from "@/i18n";
import { CodeBlock } from "@/features/model/code-block";
import type { SampleRequest } from "@/features/model/code/request";
import { sampleInput, samplesOf, type SampleKind } from "@/features/model/code/samples";
import { modelMessages } from "@/features/model/messages";
import type { Playground } from "@/features/model/use-playground";
import { cleanInput, outputSchema } from "@/features/schema-form/schema";
import { isEmpty, withoutDefaults } from "@/features/schema-form/values";

const INSTALL: Partial<Record<SampleKind, string>> = {
    javascript: "npm install replicate",
    python: "pip install replicate",
    go: "go get github.com/replicate/replicate-go",
    // In the folder of Mimeo's sources; the version goes into the User-Agent.
    c: `cc -D_GNU_SOURCE -DMIMEO_VERSION='"0.1.0"' -Iclient -Isrc -o sample sample.c client/*.c src/base/*.c -lcurl -ljansson -lcrypto -lyaml`,
};

/** A file, or a list of files. */
function givesFiles(openapi: OpenApi): boolean {
    const output = outputSchema(openapi);
    return output?.format === "uri" || output?.items?.format === "uri";
}

function useRequest(model: Model, playground: Playground, short: boolean): SampleRequest | null {
    const full_name = `${model.owner}/${model.name}`;
    const functions = useQuery(functionsQuery).data;
    const { version, values, fields } = playground;
    return useMemo(() => {
        if (!version) return null;
        const clean = cleanInput(fields, values);
        const found = functions?.find((each) => each.model === full_name && each.version === version.id);
        return {
            origin: window.location.origin,
            model: full_name,
            version: version.id,
            byName: model.is_official && version.id === model.latest_version?.id,
            input: sampleInput(short ? withoutDefaults(fields, clean) : clean),
            files: givesFiles(version.openapi_schema),
            function: found?.name ?? null,
        };
    }, [model, full_name, functions, version, values, fields, short]);
}

export function ApiTab({ model, playground }: { model: Model; playground: Playground }) {
    const text = useMessages(modelMessages);
    const may_manage = useMay("manage");
    const id = useId();
    const [short, setShort] = useState(true);
    const [kind, setKind] = useState<string>("curl");
    const request = useRequest(model, playground, short);
    const samples = useMemo(() => (request ? samplesOf(request) : []), [request]);
    const shown = samples.some((sample) => sample.kind === kind) ? kind : "curl";
    const missing = playground.fields.filter((field) => field.required && isEmpty(field, playground.values[field.name]));
    return (
        <div className="space-y-4">
            <h2 className="sr-only">{text.tab_api}</h2>
            <p className="max-w-prose text-sm text-muted-foreground">
                {text.api_intro} {text.api_token}{" "}
                {may_manage && (
                    <Link to="/tokens" className="text-primary underline underline-offset-4">
                        {text.api_make_token}
                    </Link>
                )}
            </p>
            {missing.length > 0 && (
                <Alert>
                    {text.api_missing} <span className="font-mono text-xs">{missing.map((field) => field.name).join(", ")}</span>
                </Alert>
            )}
            <div className="flex items-center gap-2">
                <Checkbox id={id} checked={short} onCheckedChange={(checked) => setShort(checked === true)} />
                <Label htmlFor={id} className="font-normal">
                    {text.api_short}
                </Label>
            </div>
            <Tabs value={shown} onValueChange={setKind}>
                <TabsList aria-label={text.api_languages}>
                    {samples.map((sample) => (
                        <TabsTrigger key={sample.kind} value={sample.kind}>
                            {text[`kind_${sample.kind}`]}
                        </TabsTrigger>
                    ))}
                </TabsList>
                {samples.map((sample) => (
                    <TabsContent key={sample.kind} value={sample.kind} className="space-y-3">
                        {sample.kind === "gateway" && <p className="max-w-prose text-sm text-muted-foreground">{text.api_gateway_help}</p>}
                        {sample.kind === "function" && (
                            <p className="max-w-prose text-sm text-muted-foreground">
                                {text.api_function_help} {text.api_function_json}
                            </p>
                        )}
                        {INSTALL[sample.kind] && (
                            <p className="flex flex-wrap items-center gap-2 text-sm text-muted-foreground">
                                {sample.kind === "c" ? text.compile_with : text.install_with}: <code className="min-w-0 rounded bg-muted px-1.5 py-0.5 font-mono text-xs break-words text-foreground">{INSTALL[sample.kind]}</code>
                                <CopyButton text={INSTALL[sample.kind] ?? ""} />
                            </p>
                        )}
                        <div className="relative">
                            <div className="absolute top-2 right-3 rounded-md bg-card/90">
                                <CopyButton text={sample.code} />
                            </div>
                            <CodeBlock code={sample.code} label={text.code(text[`kind_${sample.kind}`])} className="pr-14" />
                        </div>
                    </TabsContent>
                ))}
            </Tabs>
        </div>
    );
}
