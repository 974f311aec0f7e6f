// One model in the list: cover, what it is, what it needs; its weights can be fetched and removed from here.
import { Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useEffect, useState } from "react";
import { useMay } from "@/api/session";
import type { Model, Weights } from "@/api/types";
import { Badge } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent } from "@/components/ui/dialog";
import { useLanguage, useMessages } from "@/i18n";
import { formatBytes, formatCount } from "@/lib/format";
import { InstallPanel, InstallProgress, MoreParts, RemoveWeights, WeightsBadge } from "@/features/install/panel";
import { useInstallEnd } from "@/features/install/use-install";
import { factMessages } from "@/features/facts/messages";
import { inlineOf, plainText } from "@/lib/markdown";
import { PriceText, speedText } from "@/features/facts/price";
import { categoryName, type Category } from "@/features/explore/catalogue";
import { Cover, taskOf } from "@/features/explore/cover";
import { exploreMessages } from "@/features/explore/messages";

function InstallDialog({ weights, onClose }: { weights: Weights; onClose: () => void }) {
    const text = useMessages(exploreMessages);
    return (
        <Dialog open onOpenChange={(open) => !open && onClose()}>
            <DialogContent title={text.weights_of(weights.model)}>
                <InstallPanel weights={weights} />
            </DialogContent>
        </Dialog>
    );
}

/** The card's last line: fetch, how far fetching is, remove. */
function WeightsLine({ weights }: { weights: Weights }) {
    const text = useMessages(exploreMessages);
    const { language } = useLanguage();
    const may_operate = useMay("operate");
    const [open, setOpen] = useState(false);
    // Once fetching has begun the dialog is done: it does not come back by itself when that is stopped, or the weights removed.
    useEffect(() => {
        if (weights.state !== "needs_weights") setOpen(false);
    }, [weights.state]);
    useInstallEnd(weights);
    if (weights.state === "installing") return <InstallProgress weights={weights} />;
    const again = weights.install?.state === "failed" || weights.install?.state === "canceled";
    const offered = weights.state === "needs_weights" && weights.fits && may_operate;
    if (!offered && weights.installed_bytes === 0) return null;
    return (
        <div className="flex min-h-8 flex-wrap items-center justify-between gap-2">
            {weights.installed_bytes > 0 && <span className="text-xs text-muted-foreground">{text.on_disk(formatBytes(weights.installed_bytes, language))}</span>}
            {offered && (
                <Button variant="outline" size="sm" title={text.install_of(weights.model)} onClick={() => setOpen(true)}>
                    <Download />
                    {again ? text.resume : weights.download_bytes > 0 ? text.install_size(formatBytes(weights.download_bytes, language)) : text.install}
                    <span className="sr-only"> ({weights.model})</span>
                </Button>
            )}
            <MoreParts weights={weights} />
            <RemoveWeights weights={weights} compact />
            {open && weights.state === "needs_weights" && <InstallDialog weights={weights} onClose={() => setOpen(false)} />}
        </div>
    );
}

export function ModelCard({ model, weights, categories }: { model: Model; weights: Weights | undefined; categories: Category[] }) {
    const text = useMessages(exploreMessages);
    const words = useMessages(factMessages);
    const { language } = useLanguage();
    const description = plainText(inlineOf(model.description ?? ""));
    const task = taskOf(categories.map((each) => each.slug), `${model.name} ${model.description}`);
    return (
        <article className="group relative flex min-w-0 flex-col overflow-hidden rounded-lg border bg-card transition-shadow focus-within:shadow-md hover:shadow-md">
            <div className="relative aspect-video overflow-hidden bg-muted">
                <Cover model={model} task={task} />
                <div className="absolute top-2 right-2 rounded-full bg-card">
                    <WeightsBadge weights={weights} />
                </div>
            </div>
            <div className="flex flex-1 flex-col gap-3 p-4">
                <div className="space-y-1">
                    <h2 className="text-base leading-snug font-semibold break-words">
                        <Link to="/$owner/$name" params={{ owner: model.owner, name: model.name }} className="after:absolute after:inset-0 after:rounded-lg">
                            <span className="font-normal text-muted-foreground">{model.owner}/</span>
                            {model.name}
                        </Link>
                    </h2>
                    <p className="line-clamp-2 text-sm text-muted-foreground" title={description || undefined}>
                        {description || text.no_description}
                    </p>
                </div>
                <div className="flex flex-wrap gap-1.5">
                    {categories.slice(0, 2).map((each) => (
                        <Badge key={each.slug}>{categoryName(each, language)}</Badge>
                    ))}
                    {model.is_official && <Badge tone="primary">{words.official}</Badge>}
                    {weights && weights.runners > 0 && <Badge tone="outline">{text.in_memory}</Badge>}
                    <PriceText weights={weights} />
                </div>
                <div className="mt-auto space-y-2">
                    {(model.run_count > 0 || weights?.speed) && (
                        <p className="flex flex-wrap gap-x-3 text-xs text-muted-foreground tabular-nums">
                            {model.run_count > 0 && <span>{words.runs(model.run_count, formatCount(model.run_count, language))}</span>}
                            {weights?.speed && <span title={words.speed_help(weights.speed.runs)}>{words.speed(speedText(weights.speed.p50_s, language))}</span>}
                        </p>
                    )}
                    {weights && (
                        <div className="relative z-10 empty:hidden">
                            <WeightsLine weights={weights} />
                        </div>
                    )}
                </div>
            </div>
        </article>
    );
}
