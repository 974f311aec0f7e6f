// The head of a model's page: its name, what it is for, what it costs and needs here, where it comes from.
import { useQuery } from "@tanstack/react-query";
import { CodeXml, ExternalLink, FileText, Scale } from "lucide-react";
import type { ReactNode } from "react";
import { modelWeightsQuery } from "@/api/queries";
import type { Model } from "@/api/types";
import { Badge } from "@/components/ui/bits";
import { Tooltip } from "@/components/ui/menu";
import { CopyButton } from "@/components/copy-button";
import { useLanguage, useMessages } from "@/i18n";
import { formatCount } from "@/lib/format";
import { safeLink } from "@/lib/safe-links";
import { MoreParts, RemoveWeights, WeightsBadge } from "@/features/install/panel";
import { factMessages } from "@/features/facts/messages";
import { modelMessages } from "@/features/model/messages";
import { inlineOf, plainText } from "@/lib/markdown";
import { PriceText, speedText } from "@/features/facts/price";

function Away({ link, icon, children }: { link: string | null; icon: ReactNode; children: ReactNode }) {
    const text = useMessages(modelMessages);
    const safe = safeLink(link);
    if (!safe) return null;
    return (
        <a href={safe} target="_blank" rel="noreferrer noopener" className="inline-flex min-h-6 items-center gap-1.5 text-sm text-muted-foreground hover:text-foreground hover:underline [&_svg]:size-4">
            {icon}
            {children}
            <ExternalLink aria-hidden className="size-3! opacity-70" />
            <span className="sr-only"> ({text.opens_new_tab})</span>
        </a>
    );
}

export function ModelHeader({ model }: { model: Model }) {
    const text = useMessages(modelMessages);
    const facts = useMessages(factMessages);
    const { language } = useLanguage();
    const full_name = `${model.owner}/${model.name}`;
    const weights = useQuery(modelWeightsQuery(full_name)).data;
    return (
        <header className="mb-5 space-y-3">
            <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
                <h1 className="min-w-0 text-2xl font-semibold tracking-tight break-words">
                    <span className="font-normal text-muted-foreground">{model.owner}/</span>
                    {model.name}
                </h1>
                <CopyButton text={full_name} />
            </div>
            {model.description && <p className="max-w-prose break-words text-muted-foreground">{plainText(inlineOf(model.description))}</p>}
            <div className="flex flex-wrap items-center gap-2">
                <WeightsBadge weights={weights} />
                {model.is_official && <Badge tone="primary">{facts.official}</Badge>}
                {model.visibility === "private" && <Badge tone="outline">{text.private}</Badge>}
                {model.run_count > 0 && <Badge tone="outline">{facts.runs(model.run_count, formatCount(model.run_count, language))}</Badge>}
                {weights?.speed && (
                    <Tooltip content={facts.speed_help(weights.speed.runs)}>
                        <button type="button" className="inline-flex min-h-6 items-center rounded-full">
                            <Badge tone="outline">{facts.speed(speedText(weights.speed.p50_s, language))}</Badge>
                        </button>
                    </Tooltip>
                )}
                <PriceText weights={weights} />
            </div>
            <div className="flex flex-wrap items-center gap-x-5 gap-y-1">
                <Away link={model.github_url} icon={<CodeXml />}>
                    {text.github}
                </Away>
                <Away link={model.paper_url} icon={<FileText />}>
                    {text.paper}
                </Away>
                <Away link={model.license_url} icon={<Scale />}>
                    {text.license}
                </Away>
                {weights && <MoreParts weights={weights} />}
                {weights && <RemoveWeights weights={weights} />}
            </div>
        </header>
    );
}
