// Makes a deployment, or changes what one stands for.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError } from "@/api/http";
import { modelsQuery, versionsQuery } from "@/api/queries";
import type { Deployment, Model } from "@/api/types";
import { Alert, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { Input, Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { formatTime } from "@/lib/format";
import { configurationOf, MAX_MOST, MIN_MOST, problemsOf, type Draft, type DraftField, type DraftProblem } from "@/features/deployments/draft";
import { deploymentsMessages } from "@/features/deployments/messages";
import { createDeployment, deploymentsQuery, hardwareQuery, updateDeployment } from "@/features/deployments/queries";

type Errors = Partial<Record<DraftField, string>>;
interface PartProps {
    draft: Draft;
    errors: Errors;
    change: (next: Partial<Draft>) => void;
}

function draftOf(deployment: Deployment | null): Draft {
    if (!deployment) return { name: "", model: "", version: "", hardware: "cpu", min_instances: "0", max_instances: "1" };
    const { current_release: release } = deployment;
    const { hardware, min_instances, max_instances } = release.configuration;
    return { name: deployment.name, model: release.model, version: release.version, hardware, min_instances: String(min_instances), max_instances: String(max_instances) };
}

/** A labelled control with its help or its error under it; the control's describedby is for the caller to set (described()). */
function Field({ id, label, help, error, children }: { id: string; label: string; help?: string; error?: string; children: ReactNode }) {
    return (
        <div className="min-w-0 space-y-1.5">
            <Label htmlFor={id} className="block">
                {label}
            </Label>
            {children}
            {(error ?? help) && (
                <p id={`${id}-note`} className={error ? "text-xs text-destructive" : "text-xs text-muted-foreground"}>
                    {error ?? help}
                </p>
            )}
        </div>
    );
}

function described(id: string, error: string | undefined) {
    return { id, "aria-invalid": Boolean(error), "aria-describedby": `${id}-note` };
}

const fullName = (model: Model) => `${model.owner}/${model.name}`;

function ModelField({ draft, errors, change }: PartProps) {
    const text = useMessages(deploymentsMessages);
    const models = useQuery(modelsQuery);
    const able = (models.data ?? []).filter((model) => model.latest_version);
    const choose = (name: string) => change({ model: name, version: able.find((model) => fullName(model) === name)?.latest_version?.id ?? "" });
    return (
        <Field id="deployment-model" label={text.model} error={errors.model}>
            <Select {...described("deployment-model", errors.model)} choices={[{ value: "", label: text.choose }, ...able.map((model) => ({ value: fullName(model), label: fullName(model) }))]} value={draft.model} onChange={choose} />
        </Field>
    );
}

function VersionField({ draft, errors, change }: PartProps) {
    const text = useMessages(deploymentsMessages);
    const { language } = useLanguage();
    const versions = useQuery({ ...versionsQuery(draft.model), enabled: draft.model !== "" });
    const all = versions.data ?? [];
    const choices = all.map((version, index) => ({ value: version.id, label: `${version.id.slice(0, 12)} · ${formatTime(version.created_at, language)}${index === 0 ? ` · ${text.version_latest}` : ""}` }));
    // One that is used and no longer listed can be kept.
    if (draft.version && !all.some((version) => version.id === draft.version)) choices.unshift({ value: draft.version, label: draft.version.slice(0, 12) });
    if (!draft.version) choices.unshift({ value: "", label: text.choose });
    return (
        <Field id="deployment-version" label={text.version} error={errors.version} help={versions.data?.length === 0 ? text.no_versions : undefined}>
            <Select {...described("deployment-version", errors.version)} disabled={!draft.model} choices={choices} value={draft.version} onChange={(version) => change({ version })} />
        </Field>
    );
}

function HardwareField({ draft, errors, change }: PartProps) {
    const text = useMessages(deploymentsMessages);
    const hardware = useQuery(hardwareQuery);
    const choices = (hardware.data ?? []).map((each) => ({ value: each.sku, label: `${each.name} (${each.sku})` }));
    if (!choices.some((each) => each.value === draft.hardware)) choices.unshift({ value: draft.hardware, label: draft.hardware });
    return (
        <Field id="deployment-hardware" label={text.hardware} help={text.hardware_help} error={errors.hardware}>
            <Select {...described("deployment-hardware", errors.hardware)} choices={choices} value={draft.hardware} onChange={(sku) => change({ hardware: sku })} />
        </Field>
    );
}

function InstancesFields({ draft, errors, change }: PartProps) {
    const text = useMessages(deploymentsMessages);
    const fields = [
        ["min_instances", text.min_help, MIN_MOST],
        ["max_instances", text.max_help, MAX_MOST],
    ] as const;
    return (
        <fieldset className="grid gap-4 sm:grid-cols-2">
            <legend className="mb-2 text-sm font-medium text-muted-foreground">{text.instances}</legend>
            {fields.map(([field, help, most]) => (
                <Field key={field} id={`deployment-${field}`} label={text[field]} help={help} error={errors[field]}>
                    <Input type="number" min={0} max={most} {...described(`deployment-${field}`, errors[field])} value={draft[field]} onChange={(event) => change({ [field]: event.target.value })} />
                </Field>
            ))}
        </fieldset>
    );
}

function useSaying(): (problem: DraftProblem) => string {
    const text = useMessages(deploymentsMessages);
    return (problem) => (problem === "min_number" ? text.number(0, MIN_MOST) : problem === "max_number" ? text.number(0, MAX_MOST) : text[problem]);
}

function DeploymentForm({ deployment, onDone }: { deployment: Deployment | null; onDone: () => void }) {
    const text = useMessages(deploymentsMessages);
    const common = useMessages(commonMessages);
    const queries = useQueryClient();
    const say = useSaying();
    const sayError = useErrorText();
    const [draft, setDraft] = useState(() => draftOf(deployment));
    const [tried, setTried] = useState(false);
    const save = useMutation({
        mutationFn: () => (deployment ? updateDeployment(deployment, configurationOf(draft)) : createDeployment({ ...configurationOf(draft), name: draft.name.trim(), model: draft.model })),
        onSuccess: (saved) => {
            toast(deployment ? text.changed(saved.name, saved.current_release.number) : text.created(saved.name));
            void queries.invalidateQueries({ queryKey: deploymentsQuery.queryKey });
            onDone();
        },
    });
    const problems = problemsOf(draft);
    const own = Object.fromEntries(Object.entries(problems).map(([field, problem]) => [field, say(problem)])) as Errors;
    const errors: Errors = { ...(save.error instanceof ApiError ? (save.error.fields as Errors) : {}), ...(tried ? own : {}) };
    const part: PartProps = { draft, errors, change: (next) => setDraft((before) => ({ ...before, ...next })) };
    const submit = (event: FormEvent) => {
        event.preventDefault();
        setTried(true);
        if (Object.keys(problems).length === 0 && !save.isPending) save.mutate();
    };
    return (
        <form className="space-y-5" noValidate onSubmit={submit}>
            {!deployment && (
                <>
                    <Field id="deployment-name" label={text.name} help={text.name_help} error={errors.name}>
                        <Input {...described("deployment-name", errors.name)} autoFocus autoComplete="off" spellCheck={false} value={draft.name} onChange={(event) => part.change({ name: event.target.value })} />
                    </Field>
                    <ModelField {...part} />
                </>
            )}
            <VersionField {...part} />
            <InstancesFields {...part} />
            <HardwareField {...part} />
            {save.error && <Alert tone="destructive">{sayError(save.error)}</Alert>}
            <DialogFooter>
                <Button variant="outline" onClick={onDone}>
                    {common.cancel}
                </Button>
                <Button type="submit" disabled={save.isPending}>
                    {save.isPending && <Spinner />}
                    {deployment ? common.save : text.submit}
                </Button>
            </DialogFooter>
        </form>
    );
}

/** deployment: the one to change; null: a new one. */
export function DeploymentDialog({ open, deployment, onOpenChange }: { open: boolean; deployment: Deployment | null; onOpenChange: (open: boolean) => void }) {
    const text = useMessages(deploymentsMessages);
    return (
        <Dialog open={open} onOpenChange={onOpenChange}>
            <DialogContent title={deployment ? text.edit_named(deployment.name) : text.create} description={deployment ? deployment.current_release.model : undefined}>
                <DeploymentForm deployment={deployment} onDone={() => onOpenChange(false)} />
            </DialogContent>
        </Dialog>
    );
}
