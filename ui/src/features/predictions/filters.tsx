// What the list of predictions shows: model, status, source, token, days. The state is the URL's.
import { useQuery, queryOptions } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useId, type ReactNode } from "react";
import { api } from "@/api/http";
import { modelsQuery } from "@/api/queries";
import { useMay } from "@/api/session";
import type { Token } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Input, Label } from "@/components/ui/input";
import { Select, type Choice } from "@/components/ui/select";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { FILTERS, type ListSearch } from "@/features/predictions/list-query";
import { predictionMessages } from "@/features/predictions/messages";

const tokensQuery = queryOptions({
    queryKey: ["tokens"],
    queryFn: async ({ signal }) => api<{ results: Token[] }>("GET", "/v1/account/tokens", { signal }),
});

function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
    const id = useId();
    return (
        <div className="min-w-0 space-y-1.5">
            <Label htmlFor={id} className="text-xs text-muted-foreground">
                {label}
            </Label>
            {children(id)}
        </div>
    );
}

/** A value of the URL that is not among the choices is offered, too: the filter counts, so it must be seen. */
function withValue(choices: Choice[], value: string | undefined): Choice[] {
    return !value || choices.some((choice) => choice.value === value) ? choices : [...choices, { value, label: value }];
}

function useChoices(search: ListSearch) {
    const text = useMessages(predictionMessages);
    const common = useMessages(commonMessages);
    const models = useQuery(modelsQuery);
    const may_manage = useMay("manage");
    const tokens = useQuery({ ...tokensQuery, enabled: may_manage });
    const any = { value: "", label: text.any };
    const names = (models.data ?? []).map((model) => `${model.owner}/${model.name}`).sort();
    const statuses = [
        { value: "starting,processing", label: text.under_way },
        { value: "succeeded", label: common.status_succeeded },
        { value: "failed", label: common.status_failed },
        { value: "canceled,aborted", label: common.status_canceled },
    ];
    const sources = [
        { value: "web", label: text.source_web },
        { value: "api", label: text.source_api },
    ];
    return {
        model: withValue([any, ...names.map((name) => ({ value: name, label: name }))], search.model),
        status: withValue([any, ...statuses], search.status),
        source: withValue([any, ...sources], search.source),
        token: may_manage || search.token ? withValue([any, ...(tokens.data?.results ?? []).map((token) => ({ value: token.id, label: `${token.name} · ${token.starts}…` }))], search.token) : null,
    };
}

export function Filters({ search, onChange }: { search: ListSearch; onChange: (next: ListSearch) => void }) {
    const text = useMessages(predictionMessages);
    const choices = useChoices(search);
    const set = (name: (typeof FILTERS)[number]) => (value: string) => onChange({ ...search, [name]: value || undefined, cursor: undefined });
    const filtered = FILTERS.some((name) => search[name]);
    return (
        <div role="group" aria-label={text.filters} className="mb-4 grid grid-cols-2 gap-x-3 gap-y-2.5 sm:grid-cols-3 xl:grid-cols-[minmax(0,2fr)_minmax(0,1.2fr)_minmax(0,1fr)_minmax(0,1.4fr)_9.5rem_9.5rem_auto] xl:items-end">
            <Field label={text.model}>{(id) => <Select id={id} value={search.model ?? ""} choices={choices.model} onChange={set("model")} />}</Field>
            <Field label={text.status}>{(id) => <Select id={id} value={search.status ?? ""} choices={choices.status} onChange={set("status")} />}</Field>
            <Field label={text.source}>{(id) => <Select id={id} value={search.source ?? ""} choices={choices.source} onChange={set("source")} />}</Field>
            {choices.token && <Field label={text.token}>{(id) => <Select id={id} value={search.token ?? ""} choices={choices.token!} onChange={set("token")} />}</Field>}
            <Field label={text.from}>{(id) => <Input id={id} type="date" value={search.after ?? ""} max={search.before} onChange={(event) => set("after")(event.target.value)} />}</Field>
            <Field label={text.to}>{(id) => <Input id={id} type="date" value={search.before ?? ""} min={search.after} onChange={(event) => set("before")(event.target.value)} />}</Field>
            {filtered && (
                <Button variant="ghost" className="col-span-full justify-self-start xl:col-span-1" onClick={() => onChange({})}>
                    <X />
                    {text.clear_filters}
                </Button>
            )}
        </div>
    );
}
