// Makes a token: first the form, then the token itself, shown once.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError } from "@/api/http";
import { useSession } from "@/api/session";
import type { Scope } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Alert, Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/controls";
import { Dialog, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { Input, Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { tokensMessages } from "@/features/tokens/messages";
import { bodyOf, EXPIRIES, problemsOf, SCOPES, type DraftField, type Expiry, type TokenDraft } from "@/features/tokens/new-token";
import { createToken, tokensQuery } from "@/api/tokens";

const FIRST: TokenDraft = { name: "", scopes: ["read", "run"], creates_per_minute: "", predictions_per_day: "", expiry: "" };
type Errors = Partial<Record<DraftField | "expires_in_s", string>>;
interface PartProps {
    draft: TokenDraft;
    errors: Errors;
    change: (next: Partial<TokenDraft>) => void;
}

/** A labelled control with its help and its error under it. */
function Field({ id, label, help, error, children }: { id: string; label: string; help?: string; error?: string; children: ReactNode }) {
    return (
        <div className="space-y-1.5">
            <Label htmlFor={id} className="block">
                {label}
            </Label>
            {children}
            {help && !error && (
                <p id={`${id}-help`} className="text-xs text-muted-foreground">
                    {help}
                </p>
            )}
            {error && (
                <p id={`${id}-error`} className="text-xs text-destructive">
                    {error}
                </p>
            )}
        </div>
    );
}

function Scopes({ draft, errors, change }: PartProps) {
    const text = useMessages(tokensMessages);
    const own = useSession()?.scopes ?? [];
    const toggle = (scope: Scope, on: boolean) => change({ scopes: on ? [...draft.scopes, scope] : draft.scopes.filter((each) => each !== scope) });
    return (
        <fieldset className="space-y-2">
            <legend className="mb-2 text-sm font-medium">{text.scopes}</legend>
            {SCOPES.map((scope) => {
                const mine = own.includes(scope);
                return (
                    <div key={scope} className="flex items-start gap-3">
                        <Checkbox id={`scope-${scope}`} className="mt-0.5" disabled={!mine} checked={draft.scopes.includes(scope)} onCheckedChange={(on) => toggle(scope, on === true)} aria-describedby={`scope-${scope}-help`} />
                        <div className="min-w-0">
                            <Label htmlFor={`scope-${scope}`}>{text[`scope_${scope}`]}</Label>
                            <p id={`scope-${scope}-help`} className="mt-0.5 text-xs text-muted-foreground">
                                {text[`scope_${scope}_help`]} {!mine && text.scope_not_yours}
                            </p>
                        </div>
                    </div>
                );
            })}
            {errors.scopes && <p className="text-xs text-destructive">{errors.scopes}</p>}
        </fieldset>
    );
}

function Limits({ draft, errors, change }: PartProps) {
    const text = useMessages(tokensMessages);
    return (
        <div className="grid gap-4 sm:grid-cols-2">
            {(["creates_per_minute", "predictions_per_day"] as const).map((field) => (
                <Field key={field} id={`token-${field}`} label={text[field]} error={errors[field]}>
                    <Input
                        id={`token-${field}`}
                        inputMode="numeric"
                        placeholder={field === "creates_per_minute" ? text.as_server : text.unlimited}
                        value={draft[field]}
                        aria-invalid={Boolean(errors[field])}
                        aria-describedby={errors[field] ? `token-${field}-error` : undefined}
                        onChange={(event) => change({ [field]: event.target.value })}
                    />
                </Field>
            ))}
        </div>
    );
}

function ExpiryField({ draft, errors, change }: PartProps) {
    const text = useMessages(tokensMessages);
    const choices = (Object.keys(EXPIRIES) as Expiry[]).map((value) => ({ value, label: text[`expiry_${value || "never"}` as "expiry_day"] }));
    return (
        <Field id="token-expiry" label={text.expiry} error={errors.expires_in_s}>
            <Select id="token-expiry" aria-invalid={Boolean(errors.expires_in_s)} aria-describedby={errors.expires_in_s ? "token-expiry-error" : undefined} choices={choices} value={draft.expiry} onChange={(value) => change({ expiry: value as Expiry })} />
        </Field>
    );
}

/** What the server says of fields, where it names them. */
function errorsOf(error: Error | null): Errors {
    return error instanceof ApiError ? (error.fields as Errors) : {};
}

function TokenForm({ onMade, onCancel }: { onMade: (token: string) => void; onCancel: () => void }) {
    const text = useMessages(tokensMessages);
    const common = useMessages(commonMessages);
    const say = useErrorText();
    const own = useSession()?.scopes ?? [];
    const queries = useQueryClient();
    const [draft, setDraft] = useState<TokenDraft>(() => ({ ...FIRST, scopes: FIRST.scopes.filter((scope) => own.includes(scope)) }));
    const [tried, setTried] = useState(false);
    const create = useMutation({
        mutationFn: createToken,
        onSuccess: (made) => {
            void queries.invalidateQueries({ queryKey: tokensQuery.queryKey });
            if (made.token) onMade(made.token);
        },
    });
    const problems = problemsOf(draft);
    const said = Object.fromEntries(Object.entries(problems).map(([field, problem]) => [field, text[problem]])) as Errors;
    const errors: Errors = { ...errorsOf(create.error), ...(tried ? said : {}) };
    const change = (next: Partial<TokenDraft>) => setDraft((before) => ({ ...before, ...next }));
    const submit = (event: FormEvent) => {
        event.preventDefault();
        setTried(true);
        if (Object.keys(problems).length === 0 && !create.isPending) create.mutate(bodyOf(draft));
    };
    const part = { draft, errors, change };
    return (
        <form className="space-y-5" noValidate onSubmit={submit}>
            <Field id="token-name" label={text.name} help={text.name_help} error={errors.name}>
                <Input id="token-name" autoFocus autoComplete="off" value={draft.name} aria-invalid={Boolean(errors.name)} aria-describedby={errors.name ? "token-name-error" : "token-name-help"} onChange={(event) => change({ name: event.target.value })} />
            </Field>
            <Scopes {...part} />
            <Limits {...part} />
            <ExpiryField {...part} />
            {create.error && <Alert tone="destructive">{say(create.error)}</Alert>}
            <DialogFooter>
                <Button variant="outline" onClick={onCancel}>
                    {common.cancel}
                </Button>
                <Button type="submit" disabled={create.isPending}>
                    {create.isPending && <Spinner />}
                    {text.submit}
                </Button>
            </DialogFooter>
        </form>
    );
}

function Made({ token, onDone }: { token: string; onDone: () => void }) {
    const text = useMessages(tokensMessages);
    return (
        <div className="space-y-4">
            <div className="flex items-center justify-between gap-2 rounded-md border bg-muted py-1.5 pr-1.5 pl-3">
                <code className="min-w-0 text-sm break-all select-all">{token}</code>
                <CopyButton text={token} label={text.copy} autoFocus />
            </div>
            <Alert tone="warning">{text.made_help}</Alert>
            <DialogFooter>
                <Button onClick={onDone}>{text.done}</Button>
            </DialogFooter>
        </div>
    );
}

export function CreateTokenDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
    const text = useMessages(tokensMessages);
    const [made, setMade] = useState<string | null>(null);
    const change = (next: boolean) => {
        if (!next) setMade(null);
        onOpenChange(next);
    };
    // A click beside the dialog must not throw the only sight of a token away.
    const keep = (event: Event) => made && event.preventDefault();
    return (
        <Dialog open={open} onOpenChange={change}>
            <DialogContent title={made ? text.made : text.create} description={made ? undefined : text.new_help} onPointerDownOutside={keep} onEscapeKeyDown={keep}>
                {made ? <Made token={made} onDone={() => change(false)} /> : <TokenForm onMade={setMade} onCancel={() => change(false)} />}
            </DialogContent>
        </Dialog>
    );
}
