// Lets through what needs a model's weights when they are here; else shows what is missing and how to get it.
import { useQuery } from "@tanstack/react-query";
import { HardDriveDownload } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, OfflineError } from "@/api/http";
import { modelWeightsQuery, weightsQuery } from "@/api/queries";
import type { Weights } from "@/api/types";
import { Alert, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { cn } from "@/lib/cn";
import { formatBytes } from "@/lib/format";
import { installMessages } from "@/features/install/messages";
import { InstallPanel } from "@/features/install/panel";
import { useInstallEnd } from "@/features/install/use-install";

function DoesNotFit({ weights }: { weights: Weights }) {
    const text = useMessages(installMessages);
    const { language } = useLanguage();
    const all = useQuery(weightsQuery);
    const known = weights.memory_bytes && all.data?.memory_bytes;
    return <Alert tone="warning">{known ? text.does_not_fit_text(formatBytes(weights.memory_bytes ?? 0, language), formatBytes(all.data?.memory_bytes ?? 0, language)) : text.does_not_fit_unknown}</Alert>;
}

/** Why the model cannot run now. Also for pages that show their content all the same. */
export function WeightsMissing({ weights, compact }: { weights: Weights; compact?: boolean }) {
    const text = useMessages(installMessages);
    if (weights.state === "unsupported") return <Alert>{text.unsupported_text}</Alert>;
    if (!weights.fits) return <DoesNotFit weights={weights} />;
    return (
        <section aria-label={text.needs_title} className={cn("space-y-3 rounded-lg border bg-card", compact ? "p-3" : "p-4 sm:p-5")}>
            <p className="flex items-center gap-2 text-sm font-medium">
                <HardDriveDownload aria-hidden className="size-4" />
                {weights.state === "installing" ? text.progress(weights.model) : text.needs_title}
            </p>
            <InstallPanel weights={weights} />
        </section>
    );
}

/** Shows its children when the model can run now. */
export function WeightsGate({ model, compact, children }: { model: string; compact?: boolean; children: ReactNode }) {
    const text = useMessages(installMessages);
    const common = useMessages(commonMessages);
    const { data, error, isPending, failureReason, refetch } = useQuery(modelWeightsQuery(model));
    useInstallEnd(data);
    if (data) return data.state === "ready" && data.fits ? children : <WeightsMissing weights={data} compact={compact} />;
    // A server that knows nothing of this model's weights runs it without any.
    if (error instanceof ApiError && error.status === 404) return children;
    if (error)
        return (
            <Alert
                tone="destructive"
                action={
                    <Button variant="outline" size="sm" onClick={() => void refetch()}>
                        {common.retry}
                    </Button>
                }
            >
                {error.message}
            </Alert>
        );
    if (isPending && failureReason instanceof OfflineError) return <Alert tone="warning">{common.offline}</Alert>;
    return (
        <div role="status">
            <span className="sr-only">{text.checking}</span>
            <Skeleton className={compact ? "h-9 w-40" : "h-24 w-full"} />
        </div>
    );
}
