// The sign-in page: with a token, or with the code of a one-time link. It is also what a newcomer sees first.
import { useQueryClient } from "@tanstack/react-query";
import { useLocation, useRouter } from "@tanstack/react-router";
import { Eye, EyeOff, ImageUp, Lock, Plug } from "lucide-react";
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { endReason, useSession } from "@/api/session";
import { CopyButton } from "@/components/copy-button";
import { Alert, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input, Label } from "@/components/ui/input";
import { useMessages } from "@/i18n";
import { exchangeCode, forgetExchange, signInWithToken, type Refusal } from "@/features/sign-in/exchange";
import { signInMessages } from "@/features/sign-in/messages";
import { takeReturnPath } from "@/features/sign-in/return-path";
import { Sheets } from "@/features/sign-in/sheets";

/** Go where one wanted to be, with nothing left of another session. */
function useEnter() {
    const router = useRouter();
    const queries = useQueryClient();
    return () => {
        queries.clear();
        forgetExchange();
        router.history.replace(takeReturnPath());
    };
}

function RefusalAlert({ refusal }: { refusal: Refusal }) {
    const text = useMessages(signInMessages);
    return (
        <Alert tone="destructive">
            {text[refusal.kind]}
            {refusal.kind === "other" && refusal.message && <span className="mt-1 block text-xs">{refusal.message}</span>}
        </Alert>
    );
}

function TokenField({ value, onChange, invalid }: { value: string; onChange: (value: string) => void; invalid: boolean }) {
    const text = useMessages(signInMessages);
    const [visible, setVisible] = useState(false);
    return (
        <div className="space-y-2">
            <Label htmlFor="token" className="block">
                {text.token}
            </Label>
            <div className="relative">
                <Input
                    id="token"
                    name="password"
                    type={visible ? "text" : "password"}
                    autoComplete="current-password"
                    autoCapitalize="none"
                    spellCheck={false}
                    autoFocus
                    className="h-11 pr-11 font-mono text-base"
                    placeholder="r8_…"
                    value={value}
                    aria-invalid={invalid}
                    aria-describedby="token-help"
                    onChange={(event) => onChange(event.target.value)}
                />
                <Button variant="ghost" size="icon-sm" className="absolute top-1.5 right-1.5" aria-label={text.show} aria-pressed={visible} onClick={() => setVisible(!visible)}>
                    {visible ? <EyeOff /> : <Eye />}
                </Button>
            </div>
            <p id="token-help" className="text-xs text-muted-foreground">
                {text.token_help}
            </p>
        </div>
    );
}

function TokenForm({ refusal, onRefusal, onEnter }: { refusal: Refusal | null; onRefusal: (refusal: Refusal | null) => void; onEnter: () => void }) {
    const text = useMessages(signInMessages);
    const [token, setToken] = useState("");
    const [missing, setMissing] = useState(false);
    const [busy, setBusy] = useState(false);
    const submit = async (event: FormEvent) => {
        event.preventDefault();
        setMissing(!token.trim());
        if (busy || !token.trim()) return;
        setBusy(true);
        const refused = await signInWithToken(token);
        setBusy(false);
        onRefusal(refused);
        if (!refused) onEnter();
    };
    return (
        <form className="space-y-4" onSubmit={(event) => void submit(event)}>
            <TokenField value={token} onChange={setToken} invalid={missing || refusal?.kind === "wrong"} />
            {missing && <Alert tone="destructive">{text.empty}</Alert>}
            {refusal && !missing && <RefusalAlert refusal={refusal} />}
            <Button type="submit" size="lg" className="w-full" disabled={busy}>
                {busy && <Spinner />}
                {busy ? text.checking : text.submit}
            </Button>
        </form>
    );
}

function Command({ children }: { children: string }) {
    return (
        <div className="mt-1.5 flex items-center justify-between gap-2 rounded-md border bg-muted py-0.5 pr-1 pl-3">
            <code className="min-w-0 overflow-x-auto text-[0.8125rem] whitespace-nowrap">{children}</code>
            <CopyButton text={children} />
        </div>
    );
}

function WhereToGetIn() {
    const text = useMessages(signInMessages);
    return (
        <section aria-labelledby="where" className="space-y-3 border-t pt-5 text-sm text-muted-foreground">
            <h2 id="where" className="font-medium text-foreground">
                {text.where}
            </h2>
            <div>
                <p>{text.where_link}</p>
                <p className="mt-1.5 rounded-md border border-dashed px-3 py-1.5 font-mono text-xs break-all">sign in at {window.location.origin}/sign-in#code=…</p>
            </div>
            <div>
                <p>{text.where_new}</p>
                <Command>mimeo link</Command>
            </div>
            <div>
                <p>{text.where_token}</p>
                <Command>mimeo tokens create</Command>
            </div>
        </section>
    );
}

function Point({ icon, children }: { icon: ReactNode; children: ReactNode }) {
    return (
        <li className="flex items-start gap-3 [&_svg]:mt-0.5 [&_svg]:size-4.5 [&_svg]:shrink-0 [&_svg]:text-primary">
            {icon}
            <span>{children}</span>
        </li>
    );
}

function Welcome() {
    const text = useMessages(signInMessages);
    return (
        <div className="max-w-md max-lg:hidden">
            <Sheets className="mb-8 w-full" />
            <p className="text-3xl leading-tight font-semibold tracking-tight text-balance">{text.tagline}</p>
            <ul className="mt-6 space-y-3 text-sm text-muted-foreground">
                <Point icon={<ImageUp aria-hidden />}>{text.point_run}</Point>
                <Point icon={<Plug aria-hidden />}>{text.point_api}</Point>
                <Point icon={<Lock aria-hidden />}>{text.point_own}</Point>
            </ul>
        </div>
    );
}

/** Uses the code of the address, if there is one. `busy` while it is asked. */
function useLink(onRefusal: (refusal: Refusal | null) => void, onEnter: () => void): boolean {
    const { hash } = useLocation();
    const [busy, setBusy] = useState(() => window.location.hash.includes("code="));
    useEffect(() => {
        const exchange = exchangeCode();
        setBusy(exchange !== null);
        if (!exchange) return;
        let left = false;
        void exchange.then((refused) => {
            if (left) return;
            forgetExchange();
            setBusy(false);
            onRefusal(refused);
            if (!refused) onEnter();
        });
        return () => {
            left = true;
        };
        // A new link that is opened in the same tab changes nothing but the fragment.
    }, [hash]);
    return busy;
}

function Reason() {
    const text = useMessages(signInMessages);
    const reason = endReason();
    if (!reason) return null;
    return <Alert tone={reason === "expired" ? "warning" : "neutral"}>{reason === "expired" ? text.expired : text.signed_out}</Alert>;
}

function AlreadyIn({ onEnter }: { onEnter: () => void }) {
    const text = useMessages(signInMessages);
    return (
        <Alert
            action={
                <Button size="sm" onClick={onEnter}>
                    {text.go_on}
                </Button>
            }
        >
            {text.signed_in}
        </Alert>
    );
}

export function SignInPage() {
    const text = useMessages(signInMessages);
    const session = useSession();
    const enter = useEnter();
    const [refusal, setRefusal] = useState<Refusal | null>(null);
    const busy = useLink(setRefusal, enter);
    return (
        <div className="mx-auto flex w-full max-w-5xl items-center justify-center gap-16 py-4 lg:min-h-[calc(100dvh-8rem)] lg:justify-between lg:py-8">
            <Welcome />
            <Card className="w-full max-w-md space-y-5 p-5 shadow-sm sm:p-7">
                <div>
                    <h1 className="text-2xl font-semibold tracking-tight">{text.title}</h1>
                    <p className="mt-1 text-sm text-muted-foreground lg:hidden">{text.tagline}</p>
                </div>
                {session && !busy && <AlreadyIn onEnter={enter} />}
                {!refusal && !busy && !session && <Reason />}
                {busy ? (
                    <p role="status" className="flex items-center gap-3 py-8 text-sm">
                        <Spinner />
                        {text.link_works}
                    </p>
                ) : (
                    <TokenForm refusal={refusal} onRefusal={setRefusal} onEnter={enter} />
                )}
                <WhereToGetIn />
            </Card>
        </div>
    );
}
