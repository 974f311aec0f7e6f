// Webhooks: the ledger, the signing secret, and how a receiver checks what it gets.
import { useQuery, useQueryClient, queryOptions } from "@tanstack/react-query";
import { Eye, EyeOff, RefreshCw } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/http";
import { useMay } from "@/api/session";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { CopyButton } from "@/components/copy-button";
import { Alert, PageHeader } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { Deliveries } from "@/features/deliveries/deliveries";
import { webhookMessages } from "@/features/webhooks/messages";
import { SNIPPETS } from "@/features/webhooks/snippets";

const SECRET_PATH = "/v1/webhooks/default/secret";
const secretQuery = queryOptions({
    queryKey: ["webhooks", "secret"],
    queryFn: async ({ signal }) => (await api<{ key: string }>("GET", SECRET_PATH, { signal })).key,
    gcTime: 0, // not kept once it is hidden
});

function Rotate() {
    const text = useMessages(webhookMessages);
    const queries = useQueryClient();
    const [asking, setAsking] = useState(false);
    const rotate = async () => {
        await api<{ key: string }>("POST", SECRET_PATH);
        toast(text.rotated);
        await queries.invalidateQueries({ queryKey: secretQuery.queryKey });
    };
    return (
        <>
            <Button variant="outline" onClick={() => setAsking(true)}>
                <RefreshCw />
                {text.rotate}
            </Button>
            <ConfirmDialog open={asking} onOpenChange={setAsking} title={text.rotate_title} description={text.rotate_text} confirm={text.rotate} onConfirm={rotate} />
        </>
    );
}

/** Not even asked for until it is to be shown. */
function Secret() {
    const text = useMessages(webhookMessages);
    const [shown, setShown] = useState(false);
    const secret = useQuery({ ...secretQuery, enabled: shown });
    return (
        <Card>
            <CardHeader>
                <div className="space-y-1">
                    <CardTitle>{text.secret}</CardTitle>
                    <CardDescription>{text.secret_help}</CardDescription>
                </div>
            </CardHeader>
            <CardContent className="flex flex-wrap items-center gap-2">
                <code className="flex h-9 max-w-full min-w-0 flex-1 items-center overflow-x-auto rounded-md border bg-muted px-3 font-mono text-sm sm:max-w-md" tabIndex={0} aria-label={text.secret}>
                    {shown && secret.data ? secret.data : <span className="text-muted-foreground">whsec_•••••••••••• ({text.hidden})</span>}
                </code>
                {shown && secret.data && <CopyButton text={secret.data} label={text.copy_secret} />}
                <Button variant="outline" aria-pressed={shown} onClick={() => setShown(!shown)}>
                    {shown ? <EyeOff /> : <Eye />}
                    {shown ? text.hide : text.show}
                </Button>
                <Rotate />
                {shown && secret.isError && (
                    <Alert tone="destructive" className="w-full">
                        {secret.error.message}
                    </Alert>
                )}
            </CardContent>
        </Card>
    );
}

function Verification() {
    const text = useMessages(webhookMessages);
    const [language, setLanguage] = useState(SNIPPETS[0]!.name);
    return (
        <Card>
            <CardHeader>
                <CardTitle>{text.verify}</CardTitle>
            </CardHeader>
            <CardContent className="space-y-4">
                <p className="max-w-prose text-sm">{text.verify_help}</p>
                <p className="max-w-prose text-sm">{text.verify_once}</p>
                <Tabs value={language} onValueChange={setLanguage}>
                    <div className="flex items-center justify-between gap-2">
                        <TabsList className="w-fit">
                            {SNIPPETS.map((snippet) => (
                                <TabsTrigger key={snippet.name} value={snippet.name}>
                                    {snippet.name}
                                </TabsTrigger>
                            ))}
                        </TabsList>
                        <CopyButton text={SNIPPETS.find((snippet) => snippet.name === language)!.code} label={text.copy_code} />
                    </div>
                    {SNIPPETS.map((snippet) => (
                        <TabsContent key={snippet.name} value={snippet.name}>
                            <pre tabIndex={0} aria-label={snippet.name} className="overflow-x-auto rounded-md border bg-muted p-4 font-mono text-xs leading-relaxed">
                                {snippet.code}
                            </pre>
                        </TabsContent>
                    ))}
                </Tabs>
            </CardContent>
        </Card>
    );
}

export function WebhooksPage() {
    const text = useMessages(webhookMessages);
    const may_manage = useMay("manage");
    return (
        <>
            <PageHeader title={text.title}>{text.intro}</PageHeader>
            <div className="space-y-6">
                <div className="space-y-3">
                    <h2 className="text-base font-semibold">
                        {text.deliveries}
                    </h2>
                    <p className="max-w-prose text-sm text-muted-foreground">{text.deliveries_help}</p>
                    <Deliveries />
                </div>
                {may_manage && <Secret />}
                <Verification />
            </div>
        </>
    );
}
