// What there is to do about a model's weights: licence first, then fetching with its progress, stopping, resuming, removing.
import { Download, ExternalLink, Square, Trash2 } from "lucide-react";
import { useId, useState } from "react";
import { useMay } from "@/api/session";
import type { Weights } from "@/api/types";
import { Alert, Badge, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Checkbox, Progress } from "@/components/ui/controls";
import { Dialog, DialogClose, DialogContent, DialogFooter, DialogTrigger } from "@/components/ui/dialog";
import { Label } from "@/components/ui/input";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { formatBytes, formatSeconds } from "@/lib/format";
import { safeLink } from "@/lib/safe-links";
import { installMessages } from "@/features/install/messages";
import { useCancelInstall, useInstall, useRemoveWeights } from "@/features/install/use-install";

/** Ready, needs 33 MB, does not fit, …: in words, with a colour beside them. */
export function WeightsBadge({ weights }: { weights: Weights | undefined }) {
    const text = useMessages(installMessages);
    const { language } = useLanguage();
    if (!weights) return null;
    if (weights.state === "unsupported") return <Badge tone="outline">{text.unsupported}</Badge>;
    if (!weights.fits) return <Badge tone="destructive">{text.does_not_fit}</Badge>;
    if (weights.state === "ready") return <Badge tone="success">{text.ready}</Badge>;
    if (weights.state === "installing")
        return (
            <Badge tone="primary">
                <Spinner />
                {text.installing}
            </Badge>
        );
    return <Badge tone="warning">{weights.download_bytes > 0 ? text.needs(formatBytes(weights.download_bytes, language)) : text.needs_weights}</Badge>;
}

export function LicenseText({ license }: { license: NonNullable<Weights["license"]> }) {
    const text = useMessages(installMessages);
    const all = license.all && license.all.length > 0 ? license.all : [license];
    return (
        <ul aria-label={text.license} className="max-h-72 space-y-3 overflow-y-auto rounded-md border bg-muted/60 px-3 py-2 text-sm" tabIndex={0}>
            {all.map((each, index) => {
                const link = safeLink(each.url);
                return (
                    <li key={index} className="space-y-1">
                        <p className="font-medium">{each.name ?? text.license}</p>
                        {each.text && <p className="text-muted-foreground">{each.text}</p>}
                        {link && (
                            <a href={link} target="_blank" rel="noreferrer noopener" className="inline-flex min-h-6 items-center gap-1 text-primary underline underline-offset-4">
                                {text.license_read}
                                {each.name && <span className="sr-only"> ({each.name})</span>}
                                <ExternalLink aria-hidden className="size-3.5" />
                            </a>
                        )}
                    </li>
                );
            })}
        </ul>
    );
}

/** How far fetching is, with a button that stops it. */
export function InstallProgress({ weights }: { weights: Weights }) {
    const text = useMessages(installMessages);
    const { language } = useLanguage();
    const cancel = useCancelInstall(weights.model);
    const may_operate = useMay("operate");
    const install = weights.install;
    const total = install?.total_bytes ?? null;
    const done = install?.done_bytes ?? 0;
    const rate = install?.bytes_per_second ?? null;
    const left_s = total !== null && rate ? (total - done) / rate : null;
    return (
        <div className="space-y-2">
            <Progress label={text.progress(weights.model)} value={total ? (100 * done) / total : null} />
            <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-muted-foreground tabular-nums">
                <span>{total ? text.done_of(formatBytes(done, language), formatBytes(total, language)) : formatBytes(done, language)}</span>
                {rate !== null && <span>{text.rate(formatBytes(rate, language))}</span>}
                {left_s !== null && left_s >= 1 && <span>{text.left(formatSeconds(Math.round(left_s), language))}</span>}
                {install?.step && <span className="min-w-0 truncate">{install.step}</span>}
                {may_operate && (
                    <Button variant="outline" size="sm" className="ml-auto" disabled={cancel.isPending} onClick={() => cancel.mutate()}>
                        <Square />
                        {text.cancel}
                    </Button>
                )}
            </div>
        </div>
    );
}

function OptionalParts({ weights, chosen, onChange }: { weights: Weights; chosen: string[]; onChange: (chosen: string[]) => void }) {
    const text = useMessages(installMessages);
    const { language } = useLanguage();
    const id = useId();
    const parts = weights.parts.filter((part) => part.optional && !part.installed);
    if (parts.length === 0) return null;
    return (
        <fieldset className="space-y-2">
            <legend className="mb-1 text-sm font-medium">{text.parts}</legend>
            {parts.map((part, index) => (
                <div key={part.name} className="flex items-center gap-2">
                    <Checkbox id={`${id}-${index}`} checked={chosen.includes(part.name)} onCheckedChange={(checked) => onChange(checked === true ? [...chosen, part.name] : chosen.filter((name) => name !== part.name))} />
                    <Label htmlFor={`${id}-${index}`} className="leading-snug font-normal">
                        {part.name} ({formatBytes(part.bytes, language)}){part.description && <span className="text-muted-foreground">: {part.description}</span>}
                    </Label>
                </div>
            ))}
        </fieldset>
    );
}

/** Licence, parts, and the button that begins. */
function InstallStart({ weights }: { weights: Weights }) {
    const text = useMessages(installMessages);
    const { language } = useLanguage();
    const id = useId();
    const install = useInstall(weights.model);
    const [accepted, setAccepted] = useState(false);
    const [chosen, setChosen] = useState<string[]>([]);
    const must_accept = weights.license?.must_accept ?? false;
    const again = weights.install?.state === "failed" || weights.install?.state === "canceled";
    const extra = weights.parts.filter((part) => chosen.includes(part.name)).reduce((sum, part) => sum + part.bytes, 0);
    const size = weights.download_bytes + extra;
    const start = () => {
        // Naming parts asks for exactly those: the needed ones are named with them.
        const needed = weights.parts.filter((part) => !part.optional && !part.installed).map((part) => part.name);
        install.mutate({ accept_license: accepted || !must_accept, ...(chosen.length > 0 ? { parts: [...needed, ...chosen] } : {}) });
    };
    return (
        <div className="space-y-3">
            {weights.license && <LicenseText license={weights.license} />}
            <OptionalParts weights={weights} chosen={chosen} onChange={setChosen} />
            {must_accept && (
                <div className="flex items-center gap-2">
                    <Checkbox id={id} checked={accepted} onCheckedChange={(checked) => setAccepted(checked === true)} />
                    <Label htmlFor={id} className="leading-snug">
                        {text.license_accept(weights.license?.name ?? text.license)}
                    </Label>
                </div>
            )}
            <div className="flex flex-wrap items-center gap-3">
                <Button disabled={(must_accept && !accepted) || install.isPending || (weights.state === "ready" && chosen.length === 0)} onClick={start}>
                    {install.isPending ? <Spinner /> : <Download />}
                    {again ? text.resume : size > 0 ? text.install_size(formatBytes(size, language)) : text.install}
                </Button>
                {must_accept && !accepted && <span className="text-xs text-muted-foreground">{text.license_needed}</span>}
            </div>
        </div>
    );
}

function LastInstall({ weights }: { weights: Weights }) {
    const text = useMessages(installMessages);
    if (weights.install?.state === "failed") return <Alert tone="destructive">{weights.install.error ? text.failed(weights.install.error) : text.failed_unknown}</Alert>;
    return weights.install?.state === "canceled" ? <Alert>{text.canceled}</Alert> : null;
}

/** Everything about fetching the weights of a model that are not all here. */
export function InstallPanel({ weights }: { weights: Weights }) {
    const text = useMessages(installMessages);
    const { language } = useLanguage();
    const may_operate = useMay("operate");
    if (weights.state === "installing") return <InstallProgress weights={weights} />;
    return (
        <div className="space-y-3">
            <p className="text-sm text-muted-foreground">
                {weights.state === "ready" ? text.parts_text : weights.download_bytes > 0 ? text.needs_text(formatBytes(weights.download_bytes, language)) : text.needs_text_unknown} {weights.memory_bytes ? text.memory(formatBytes(weights.memory_bytes, language)) : ""}
            </p>
            <LastInstall weights={weights} />
            {may_operate ? (
                <InstallStart weights={weights} />
            ) : (
                <>
                    {weights.license && <LicenseText license={weights.license} />}
                    <Alert>{text.ask_operator}</Alert>
                </>
            )}
        </div>
    );
}

/** A model that can run, but of which more could be fetched. */
export function MoreParts({ weights }: { weights: Weights }) {
    const text = useMessages(installMessages);
    const may_operate = useMay("operate");
    const left = weights.parts.filter((part) => part.optional && !part.installed).length;
    if (!may_operate || weights.state !== "ready" || left === 0) return null;
    return (
        <Dialog>
            <DialogTrigger asChild>
                <Button variant="ghost" size="sm">
                    <Download />
                    {text.more_parts(left)}
                </Button>
            </DialogTrigger>
            <DialogContent title={text.parts}>
                <InstallPanel weights={weights} />
            </DialogContent>
        </Dialog>
    );
}

/** Asks once more, then removes. compact: an icon. */
export function RemoveWeights({ weights, compact }: { weights: Weights; compact?: boolean }) {
    const text = useMessages(installMessages);
    const common = useMessages(commonMessages);
    const { language } = useLanguage();
    const remove = useRemoveWeights(weights.model);
    const may_operate = useMay("operate");
    const [open, setOpen] = useState(false);
    if (!may_operate || weights.installed_bytes === 0 || weights.state === "installing") return null;
    return (
        <Dialog open={open} onOpenChange={setOpen}>
            <DialogTrigger asChild>
                {compact ? (
                    <Button variant="ghost" size="icon-sm" aria-label={`${text.remove}: ${weights.model}`} title={text.remove}>
                        <Trash2 />
                    </Button>
                ) : (
                    <Button variant="ghost" size="sm">
                        <Trash2 />
                        {text.remove}
                    </Button>
                )}
            </DialogTrigger>
            <DialogContent title={text.remove_title(weights.model)} description={text.remove_text(formatBytes(weights.installed_bytes, language))}>
                <DialogFooter>
                    <DialogClose asChild>
                        <Button variant="outline">{common.cancel}</Button>
                    </DialogClose>
                    <Button variant="destructive" disabled={remove.isPending} onClick={() => remove.mutate(undefined, { onSettled: () => setOpen(false) })}>
                        {remove.isPending && <Spinner />}
                        {text.remove}
                    </Button>
                </DialogFooter>
            </DialogContent>
        </Dialog>
    );
}
