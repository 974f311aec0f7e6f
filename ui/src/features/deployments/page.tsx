// The account's deployments: what each stands for, how many runners it keeps, and how to call it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Pencil, Plus, Rocket, Terminal, Trash2 } from "lucide-react";
import { useState } from "react";
import { useModel } from "@/api/queries";
import { useMay } from "@/api/session";
import type { Deployment } from "@/api/types";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { CopyButton } from "@/components/copy-button";
import { Alert, Badge, EmptyState, PageHeader, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Dialog, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { formatAgo, formatTime } from "@/lib/format";
import { curlCommand, exampleInput } from "@/features/deployments/call";
import { DeploymentDialog } from "@/features/deployments/form-dialog";
import { deploymentsMessages } from "@/features/deployments/messages";
import { deleteDeployment, deploymentsQuery } from "@/features/deployments/queries";

type Doing = { kind: "edit" | "delete" | "call"; deployment: Deployment } | { kind: "create" };

function Facts({ deployment }: { deployment: Deployment }) {
    const text = useMessages(deploymentsMessages);
    const { language } = useLanguage();
    const { current_release: release } = deployment;
    const [owner = "", name = ""] = release.model.split("/");
    const { hardware, min_instances, max_instances } = release.configuration;
    return (
        <dl className="grid grid-cols-[auto_1fr] gap-x-5 gap-y-1.5 text-sm [&_dd]:min-w-0 [&_dd]:break-words [&_dt]:text-muted-foreground">
            <dt>{text.model}</dt>
            <dd>
                <Link to="/$owner/$name" params={{ owner, name }} className="underline-offset-4 hover:underline">
                    {release.model}
                </Link>
            </dd>
            <dt>{text.version}</dt>
            <dd>
                <code title={release.version} className="text-[0.8125rem]">
                    {release.version.slice(0, 12)}
                </code>
            </dd>
            <dt>{text.instances}</dt>
            <dd>{text.instances_value(min_instances, max_instances)}</dd>
            <dt>{text.hardware}</dt>
            <dd>{hardware}</dd>
            <dt>{text.release}</dt>
            <dd>
                {release.number}
                <time dateTime={release.created_at} title={formatTime(release.created_at, language)} className="ml-2 text-muted-foreground">
                    {formatAgo(release.created_at, language)}
                </time>
            </dd>
        </dl>
    );
}

function DeploymentCard({ deployment, onDo }: { deployment: Deployment; onDo: (doing: Doing) => void }) {
    const text = useMessages(deploymentsMessages);
    const common = useMessages(commonMessages);
    const may = useMay("manage");
    return (
        <Card className="flex min-w-0 flex-col gap-4 p-4 sm:p-5">
            <div className="flex flex-wrap items-center justify-between gap-2">
                <h2 className="min-w-0 font-semibold break-all">
                    <span className="font-normal text-muted-foreground">{deployment.owner}/</span>
                    {deployment.name}
                </h2>
                {deployment.current_release.configuration.min_instances > 0 && <Badge tone="success">{text.online}</Badge>}
            </div>
            <Facts deployment={deployment} />
            <div className="mt-auto flex flex-wrap gap-1.5 border-t pt-3">
                <Button variant="ghost" size="sm" aria-label={text.call_named(deployment.name)} onClick={() => onDo({ kind: "call", deployment })}>
                    <Terminal />
                    {text.call}
                </Button>
                {may && (
                    <>
                        <Button variant="ghost" size="sm" className="ml-auto" aria-label={text.edit_named(deployment.name)} onClick={() => onDo({ kind: "edit", deployment })}>
                            <Pencil />
                            {text.edit}
                        </Button>
                        <Button variant="ghost" size="sm" className="text-destructive" aria-label={text.delete_named(deployment.name)} onClick={() => onDo({ kind: "delete", deployment })}>
                            <Trash2 />
                            {common.delete}
                        </Button>
                    </>
                )}
            </div>
        </Card>
    );
}

function CallHelp({ deployment }: { deployment: Deployment }) {
    const text = useMessages(deploymentsMessages);
    const common = useMessages(commonMessages);
    const model = useModel(deployment.current_release.model);
    if (model.isPending) return <Skeleton className="h-44" />; // its example is part of the command
    const command = curlCommand(window.location.origin, deployment.owner, deployment.name, exampleInput(model.data));
    return (
        <div className="min-w-0 space-y-3">
            <pre tabIndex={0} role="region" aria-label={text.call} className="max-h-80 overflow-auto rounded-md border bg-muted p-3 text-[0.8125rem] leading-relaxed">
                {command}
            </pre>
            <p className="text-sm text-muted-foreground">
                {text.call_help} {text.call_fill}
            </p>
            <DialogFooter>
                <CopyButton text={command} variant="outline" size="default">
                    {common.copy}
                </CopyButton>
            </DialogFooter>
        </div>
    );
}

function Dialogs({ doing, onClose }: { doing: Doing | null; onClose: () => void }) {
    const text = useMessages(deploymentsMessages);
    const common = useMessages(commonMessages);
    const queries = useQueryClient();
    const about = doing && doing.kind !== "create" ? doing.deployment : null;
    const close = (open: boolean) => !open && onClose();
    const remove = async () => {
        if (!about) return;
        await deleteDeployment(about);
        toast(text.deleted(about.name));
        await queries.invalidateQueries({ queryKey: deploymentsQuery.queryKey });
    };
    return (
        <>
            <DeploymentDialog open={doing?.kind === "create" || doing?.kind === "edit"} deployment={about} onOpenChange={close} />
            <ConfirmDialog open={doing?.kind === "delete"} onOpenChange={close} title={text.delete_title(about?.name ?? "")} description={text.delete_help} confirm={common.delete} onConfirm={remove} />
            <Dialog open={doing?.kind === "call"} onOpenChange={close}>
                <DialogContent className="max-w-2xl" title={text.call_named(about?.name ?? "")}>
                    {about && <CallHelp deployment={about} />}
                </DialogContent>
            </Dialog>
        </>
    );
}

function DeploymentList({ onDo }: { onDo: (doing: Doing) => void }) {
    const text = useMessages(deploymentsMessages);
    const common = useMessages(commonMessages);
    const deployments = useQuery(deploymentsQuery);
    if (deployments.isPending) return <Skeleton className="h-56" />;
    if (!deployments.data)
        return (
            <Alert tone="destructive" action={<Button size="sm" variant="outline" onClick={() => void deployments.refetch()}>{common.retry}</Button>}>
                {deployments.error.message}
            </Alert>
        );
    if (deployments.data.length === 0)
        return (
            <EmptyState icon={<Rocket />} title={text.empty}>
                {text.empty_help}
            </EmptyState>
        );
    return (
        <ul aria-label={text.list} className="grid gap-4 md:grid-cols-2 2xl:grid-cols-3">
            {deployments.data.map((deployment) => (
                <li key={deployment.name} className="grid min-w-0">
                    <DeploymentCard deployment={deployment} onDo={onDo} />
                </li>
            ))}
        </ul>
    );
}

export function DeploymentsPage() {
    const text = useMessages(deploymentsMessages);
    const may = useMay("manage");
    const [doing, setDoing] = useState<Doing | null>(null);
    return (
        <>
            <PageHeader
                title={text.title}
                actions={
                    may && (
                        <Button onClick={() => setDoing({ kind: "create" })}>
                            <Plus />
                            {text.create}
                        </Button>
                    )
                }
            >
                {text.about}
            </PageHeader>
            <DeploymentList onDo={setDoing} />
            <Dialogs doing={doing} onClose={() => setDoing(null)} />
        </>
    );
}
