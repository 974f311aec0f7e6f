// The account's tokens: who may get in, with what, and since when.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { endSession, useMay } from "@/api/session";
import type { Token } from "@/api/types";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { Alert, Badge, EmptyState, PageHeader, Skeleton, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { formatAgo, formatCount, formatTime } from "@/lib/format";
import { CreateTokenDialog } from "@/features/tokens/create-dialog";
import { tokensMessages } from "@/features/tokens/messages";
import { SCOPES } from "@/features/tokens/new-token";
import { revokeToken, tokensQuery } from "@/api/tokens";

/** A time as "3 minutes ago"; the exact one on hover. */
function Ago({ at, otherwise }: { at: string | null; otherwise: string }) {
    const { language } = useLanguage();
    if (!at) return <span className="text-muted-foreground">{otherwise}</span>;
    return (
        <time dateTime={at} title={formatTime(at, language)} className="whitespace-nowrap">
            {formatAgo(at, language)}
        </time>
    );
}

function LimitsOf({ token }: { token: Token }) {
    const text = useMessages(tokensMessages);
    const { language } = useLanguage();
    const limits = [
        token.creates_per_minute !== null && text.per_minute(formatCount(token.creates_per_minute, language)),
        token.predictions_per_day !== null && text.per_day(formatCount(token.predictions_per_day, language)),
    ].filter((each) => each !== false);
    if (limits.length === 0) return <span className="text-muted-foreground">{text.no_limits}</span>;
    return limits.map((limit) => (
        <span key={limit} className="block whitespace-nowrap">
            {limit}
        </span>
    ));
}

function TokenRow({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
    const text = useMessages(tokensMessages);
    return (
        <tr className="align-top">
            <th scope="row" className="min-w-36">
                <span className="break-words">{token.name || "–"}</span>
                <code className="block text-xs font-normal text-muted-foreground">
                    <span className="sr-only">{text.starts} </span>
                    {token.starts}…
                </code>
                <span className="mt-1 flex flex-wrap gap-1">
                    {token.current && <Badge tone="primary">{text.this_session}</Badge>}
                    {token.session && !token.current && <Badge tone="outline">{text.from_link}</Badge>}
                </span>
            </th>
            <td>
                <span className="flex flex-wrap gap-1">
                    {SCOPES.filter((scope) => token.scopes.includes(scope)).map((scope) => (
                        <Badge key={scope}>{text[`scope_${scope}`]}</Badge>
                    ))}
                </span>
            </td>
            <td>
                <LimitsOf token={token} />
            </td>
            <td>
                <Ago at={token.created_at} otherwise="–" />
            </td>
            <td>
                <Ago at={token.last_used_at} otherwise={text.never} />
            </td>
            <td>
                <Ago at={token.expires_at} otherwise={text.never} />
            </td>
            <td className="text-right">
                <Button variant="ghost" size="sm" className="text-destructive" aria-label={text.revoke_named(token.name)} onClick={onRevoke}>
                    <Trash2 />
                    {text.revoke}
                </Button>
            </td>
        </tr>
    );
}

function TokenTable({ tokens, onRevoke }: { tokens: Token[]; onRevoke: (token: Token) => void }) {
    const text = useMessages(tokensMessages);
    return (
        <>
            <Table label={text.list}>
                <thead>
                    <tr>
                        {([text.name, text.scopes, text.limits, text.created, text.used, text.expires] as const).map((head) => (
                            <th key={head} scope="col">
                                {head}
                            </th>
                        ))}
                        <th scope="col">
                            <span className="sr-only">{text.revoke}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {tokens.map((token) => (
                        <TokenRow key={token.id} token={token} onRevoke={() => onRevoke(token)} />
                    ))}
                </tbody>
            </Table>
            <p className="mt-2 text-xs text-muted-foreground">{text.count(tokens.length)}</p>
        </>
    );
}

/** Asks, revokes, and signs out when it was the session's own. */
function RevokeDialog({ token, onClose }: { token: Token | null; onClose: () => void }) {
    const text = useMessages(tokensMessages);
    const queries = useQueryClient();
    const revoke = async () => {
        if (!token) return;
        await revokeToken(token.id);
        if (token.current) {
            endSession("signed-out");
            return;
        }
        toast(text.revoked(token.name));
        await queries.invalidateQueries({ queryKey: tokensQuery.queryKey });
    };
    return (
        <ConfirmDialog
            open={token !== null}
            onOpenChange={(open) => !open && onClose()}
            title={text.revoke_title(token?.name ?? "")}
            description={token?.current ? text.revoke_own : text.revoke_help}
            confirm={text.revoke}
            onConfirm={revoke}
        />
    );
}

function TokenList() {
    const text = useMessages(tokensMessages);
    const common = useMessages(commonMessages);
    const tokens = useQuery(tokensQuery);
    const [revoking, setRevoking] = useState<Token | null>(null);
    if (tokens.isPending) return <Skeleton className="h-48" />;
    if (!tokens.data)
        return (
            <Alert tone="destructive" action={<Button size="sm" variant="outline" onClick={() => void tokens.refetch()}>{common.retry}</Button>}>
                {tokens.error.message}
            </Alert>
        );
    return (
        <>
            {tokens.data.length === 0 ? (
                <EmptyState icon={<KeyRound />} title={text.empty}>
                    {text.empty_help}
                </EmptyState>
            ) : (
                <TokenTable tokens={tokens.data} onRevoke={setRevoking} />
            )}
            <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />
        </>
    );
}

export function TokensPage() {
    const text = useMessages(tokensMessages);
    const common = useMessages(commonMessages);
    const may = useMay("manage");
    const [creating, setCreating] = useState(false);
    return (
        <>
            <PageHeader
                title={text.title}
                actions={
                    may && (
                        <Button onClick={() => setCreating(true)}>
                            <Plus />
                            {text.create}
                        </Button>
                    )
                }
            >
                {text.about}
            </PageHeader>
            {may ? <TokenList /> : <EmptyState icon={<KeyRound />} title={common.not_allowed} />}
            <CreateTokenDialog open={creating} onOpenChange={setCreating} />
        </>
    );
}
