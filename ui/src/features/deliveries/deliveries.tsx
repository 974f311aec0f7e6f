// The ledger of webhooks: what became of telling the ends of predictions to their receivers. Also on a prediction's page.
import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, Clock, RotateCw, Webhook, X } from "lucide-react";
import { api } from "@/api/http";
import { useMay } from "@/api/session";
import type { Delivery, Page } from "@/api/types";
import { Ago } from "@/components/ago";
import { Alert, Badge, EmptyState, Skeleton, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { deliveryMessages } from "@/features/deliveries/messages";

const LIVE_MS = 2000; // while one is to be sent
const CALM_MS = 15_000;

export function deliveriesQuery(prediction?: string) {
    return queryOptions({
        queryKey: ["webhooks", "deliveries", prediction ?? null],
        queryFn: ({ signal }) => api<Page<Delivery>>("GET", "/v1/webhooks/deliveries", { query: { prediction }, signal }),
        refetchInterval: (query) => (query.state.data?.results.some((each) => each.state === "pending") ? LIVE_MS : CALM_MS),
    });
}

function StateBadge({ state }: { state: Delivery["state"] }) {
    const text = useMessages(deliveryMessages);
    if (state === "delivered") return <Badge tone="success"><Check aria-hidden />{text.delivered}</Badge>;
    if (state === "failed") return <Badge tone="destructive"><X aria-hidden />{text.failed}</Badge>;
    return <Badge tone="warning"><Clock aria-hidden />{text.pending}</Badge>;
}

function Replay({ delivery }: { delivery: Delivery }) {
    const text = useMessages(deliveryMessages);
    const queries = useQueryClient();
    const errorText = useErrorText();
    const replay = useMutation({
        mutationFn: () => api<Delivery>("POST", `/v1/webhooks/deliveries/${encodeURIComponent(delivery.id)}/replay`),
        onSuccess: () => toast(text.replayed),
        onError: (error) => toast(errorText(error), "destructive"),
        onSettled: () => queries.invalidateQueries({ queryKey: ["webhooks", "deliveries"] }),
    });
    return (
        <Button variant="outline" size="sm" aria-label={text.replay_one(delivery.id)} title={text.replay} disabled={replay.isPending} onClick={() => replay.mutate()}>
            <RotateCw />
            <span className="hidden 2xl:inline">{text.replay}</span>
        </Button>
    );
}

function Row({ delivery, with_prediction, may_replay }: { delivery: Delivery; with_prediction: boolean; may_replay: boolean }) {
    const text = useMessages(deliveryMessages);
    const next = delivery.next_at ? (Date.parse(delivery.next_at) <= Date.now() ? text.due : <Ago at={delivery.next_at} />) : "–";
    return (
        <tr>
            <td>
                <StateBadge state={delivery.state} />
            </td>
            <td className="max-w-80 min-w-48">
                <span className="block truncate" title={delivery.url}>
                    {delivery.url}
                </span>
                <span className="block truncate font-mono text-xs text-muted-foreground" title={delivery.id}>
                    {delivery.id}
                </span>
                {delivery.last_error && <span className="block text-xs break-words text-destructive">{delivery.last_error}</span>}
            </td>
            {with_prediction && (
                <td>
                    <Link to="/p/$id" params={{ id: delivery.prediction }} className="block max-w-36 truncate font-mono text-xs text-primary underline underline-offset-2" title={delivery.prediction}>
                        {delivery.prediction}
                    </Link>
                </td>
            )}
            <td className="text-right tabular-nums">{delivery.attempts}</td>
            <td className="text-right tabular-nums">{delivery.last_status ?? text.no_answer}</td>
            <td className="whitespace-nowrap">{next}</td>
            <td className="whitespace-nowrap">
                <Ago at={delivery.created_at} />
            </td>
            {may_replay && (
                <td className="text-right">
                    <Replay delivery={delivery} />
                </td>
            )}
        </tr>
    );
}

export function Deliveries({ prediction }: { prediction?: string }) {
    const text = useMessages(deliveryMessages);
    const common = useMessages(commonMessages);
    const may_replay = useMay("manage");
    const errorText = useErrorText();
    const list = useQuery(deliveriesQuery(prediction));
    if (list.isPending) return <Skeleton className="h-32" />;
    if (list.isError && !list.data)
        return (
            <Alert tone="destructive" action={<Button variant="outline" size="sm" onClick={() => void list.refetch()}>{common.retry}</Button>}>
                {errorText(list.error)}
            </Alert>
        );
    const deliveries = list.data?.results ?? [];
    if (deliveries.length === 0)
        return prediction ? <p className="text-sm text-muted-foreground">{text.none_for_prediction}</p> : <EmptyState icon={<Webhook />} title={text.empty}>{text.empty_help}</EmptyState>;
    return (
        <Table label={text.deliveries}>
            <thead>
                <tr>
                    <th>{text.state}</th>
                    <th>{text.receiver}</th>
                    {!prediction && <th>{text.prediction}</th>}
                    <th className="text-right">{text.attempts}</th>
                    <th className="text-right">{text.answer}</th>
                    <th>{text.next_try}</th>
                    <th>{text.created}</th>
                    {may_replay && (
                        <th>
                            <span className="sr-only">{text.action}</span>
                        </th>
                    )}
                </tr>
            </thead>
            <tbody>
                {deliveries.map((delivery) => (
                    <Row key={delivery.id} delivery={delivery} with_prediction={!prediction} may_replay={may_replay} />
                ))}
            </tbody>
        </Table>
    );
}
