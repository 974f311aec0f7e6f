// Settings: how the page looks and is steered (kept in this browser), and what the server does that is set elsewhere.
import { useQuery } from "@tanstack/react-query";
import { ExternalLink, Monitor, Moon, Sun } from "lucide-react";
import { useId, type ReactNode } from "react";
import { currentTokenQuery } from "@/api/queries";
import { useMay, useSession } from "@/api/session";
import { CopyButton } from "@/components/copy-button";
import { PageHeader } from "@/components/ui/bits";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Switch } from "@/components/ui/controls";
import { Label } from "@/components/ui/input";
import { LANGUAGES, useLanguage, useMessages, type Language } from "@/i18n";
import { formatBytes, formatTime } from "@/lib/format";
import { setPlainShortcuts, ShortcutList, usePlainShortcuts } from "@/lib/shortcuts";
import { setTheme, useTheme, type Theme } from "@/lib/theme";
import { operationsQuery } from "@/api/operations";
import { settingsMessages } from "@/features/settings/messages";
import { shellMessages } from "@/features/shell/messages";

function SettingsCard({ title, children }: { title: string; children: ReactNode }) {
    return (
        <Card className="min-w-0">
            <CardHeader>
                <CardTitle>{title}</CardTitle>
            </CardHeader>
            <CardContent className="space-y-5">{children}</CardContent>
        </Card>
    );
}

interface RadioChoice<Value extends string> {
    value: Value;
    label: string;
    lang?: string;
    icon?: ReactNode;
}

/** One of a few, all of them seen: the browser's own radio buttons as tiles. */
function RadioTiles<Value extends string>({ legend, choices, value, onChange }: { legend: string; choices: RadioChoice<Value>[]; value: Value; onChange: (value: Value) => void }) {
    const name = useId();
    return (
        <fieldset>
            <legend className="mb-2 text-sm font-medium">{legend}</legend>
            <div className="grid gap-2 sm:grid-cols-3">
                {choices.map((choice) => (
                    <label
                        key={choice.value}
                        lang={choice.lang}
                        className="flex min-h-10 cursor-pointer items-center gap-2.5 rounded-md border border-input px-3 text-sm hover:bg-accent has-checked:border-primary has-checked:bg-accent has-checked:text-accent-foreground has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-ring [&_svg]:size-4 [&_svg]:shrink-0"
                    >
                        <input type="radio" name={name} className="size-4 shrink-0 accent-primary outline-none" checked={choice.value === value} onChange={() => onChange(choice.value)} />
                        {choice.icon}
                        {choice.label}
                    </label>
                ))}
            </div>
        </fieldset>
    );
}

function Look() {
    const text = useMessages(settingsMessages);
    const words = useMessages(shellMessages);
    const theme = useTheme();
    const { language, setLanguage } = useLanguage();
    const themes: RadioChoice<Theme>[] = [
        { value: "light", label: words.light, icon: <Sun aria-hidden /> },
        { value: "dark", label: words.dark, icon: <Moon aria-hidden /> },
        { value: "system", label: words.system, icon: <Monitor aria-hidden /> },
    ];
    const languages = (Object.entries(LANGUAGES) as [Language, string][]).map(([value, label]) => ({ value, label, lang: value }));
    return (
        <SettingsCard title={text.look}>
            <RadioTiles legend={text.theme} choices={themes} value={theme} onChange={setTheme} />
            <RadioTiles legend={text.language} choices={languages} value={language} onChange={setLanguage} />
        </SettingsCard>
    );
}

function Keyboard() {
    const text = useMessages(settingsMessages);
    const plain = usePlainShortcuts();
    return (
        <SettingsCard title={text.keyboard}>
            <div className="flex items-start justify-between gap-4">
                <div className="min-w-0">
                    <Label htmlFor="plain-shortcuts">{text.plain}</Label>
                    <p id="plain-shortcuts-help" className="mt-1 text-sm text-muted-foreground">
                        {text.plain_help}
                    </p>
                </div>
                <Switch id="plain-shortcuts" aria-describedby="plain-shortcuts-help" checked={plain} onCheckedChange={setPlainShortcuts} />
            </div>
            <section>
                <h3 className="mb-3 text-sm font-medium">{text.list}</h3>
                <ShortcutList />
            </section>
        </SettingsCard>
    );
}

function Command({ children }: { children: string }) {
    return (
        <div className="flex items-center justify-between gap-2 rounded-md border bg-muted py-0.5 pr-1 pl-3">
            <code className="min-w-0 py-1 text-[0.8125rem] break-all">{children}</code>
            <CopyButton text={children} />
        </div>
    );
}

function Pictures() {
    const text = useMessages(settingsMessages);
    return (
        <SettingsCard title={text.pictures}>
            <div className="space-y-3 text-sm">
                <h3 className="font-medium">{text.making}</h3>
                <p className="text-muted-foreground">{text.making_help}</p>
                <p>{text.making_off}</p>
                <Command>mimeo serve --picture-metadata no</Command>
            </div>
        </SettingsCard>
    );
}

function Facts({ rows }: { rows: [string, ReactNode][] }) {
    return (
        <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2 text-sm">
            {rows.map(([name, value]) => (
                <div key={name} className="contents">
                    <dt className="text-muted-foreground">{name}</dt>
                    <dd className="min-w-0 break-words">{value}</dd>
                </div>
            ))}
        </dl>
    );
}

function SessionFacts() {
    const text = useMessages(settingsMessages);
    const { language } = useLanguage();
    const session = useSession();
    const token = useQuery(currentTokenQuery).data;
    const rows: [string, ReactNode][] = [[text.account, session?.account]];
    if (token) rows.push([text.token, <>{token.name} <code className="ml-1 text-[0.8125rem] text-muted-foreground">{token.starts}…</code></>]);
    rows.push([text.scopes, session?.scopes.map((scope) => text[`scope_${scope}`]).join(", ")]);
    if (token) rows.push([text.expires, token.expires_at ? formatTime(token.expires_at, language) : text.never]);
    return (
        <SettingsCard title={text.session}>
            <Facts rows={rows} />
            <p className="text-sm text-muted-foreground">{text.kept}</p>
        </SettingsCard>
    );
}

function ServerFacts() {
    const text = useMessages(settingsMessages);
    const { language } = useLanguage();
    const may = useMay("operate");
    const operations = useQuery({ ...operationsQuery, enabled: may, refetchInterval: false, staleTime: 60_000 }).data;
    const rows: [string, ReactNode][] = [[text.address, <code key="address">{window.location.origin}</code>]];
    if (operations) {
        rows.push([text.version, `Mimeo ${operations.version}`]);
        rows.push([text.since, formatTime(operations.started_at, language)]);
        rows.push([text.memory, formatBytes(operations.memory.budget_bytes, language)]);
    }
    return (
        <SettingsCard title={text.server}>
            <Facts rows={rows} />
            {!may && <p className="text-sm text-muted-foreground">{text.operators_only}</p>}
            <section className="space-y-3 border-t pt-4 text-sm">
                <h3 className="font-medium">{text.api}</h3>
                <p className="text-muted-foreground">{text.api_help}</p>
                <Command>{`${window.location.origin}/v1`}</Command>
                <a href="/openapi.json" target="_blank" rel="noreferrer noopener" className="inline-flex items-center gap-1.5 text-primary underline underline-offset-4 hover:no-underline">
                    {text.openapi}
                    <ExternalLink aria-hidden className="size-3.5" />
                </a>
            </section>
        </SettingsCard>
    );
}

export function SettingsPage() {
    const text = useMessages(settingsMessages);
    return (
        <>
            <PageHeader title={text.title}>{text.about}</PageHeader>
            <div className="grid items-start gap-4 xl:grid-cols-2">
                <div className="grid gap-4">
                    <Look />
                    <Pictures />
                    <SessionFacts />
                </div>
                <div className="grid gap-4">
                    <Keyboard />
                    <ServerFacts />
                </div>
            </div>
        </>
    );
}
