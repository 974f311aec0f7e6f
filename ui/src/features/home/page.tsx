// The start page: a tab per function. Pictures may be dropped or pasted anywhere on it.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { api, ApiError } from "@/api/http";
import { functionsQuery, predictionQuery } from "@/api/queries";
import type { ApiFunction, Prediction } from "@/api/types";
import { Alert, PageHeader, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { givenBy } from "@/features/picture/file-input";
import { readMaking, type Making } from "@/features/picture/making";
import { handOver, inputOf } from "@/features/picture/restore";
import { patchForm, replaceForm } from "@/features/home/form-store";
import { homeMessages } from "@/features/home/messages";
import { Panel } from "@/features/home/panel";
import { TAB_NAMES, tabOf, TABS, type TabName } from "@/features/home/tabs";
import { wordOf } from "@/features/home/words";

function isTextField(target: EventTarget | null): boolean {
    return target instanceof HTMLElement && target.matches("input:not([type=file]), textarea, select, [contenteditable]");
}

/** Files and links dropped or pasted anywhere that nobody else took. */
function useGivenAnywhere(onGiven: (given: File | string) => void): void {
    const latest = useRef(onGiven);
    latest.current = onGiven;
    useEffect(() => {
        const onDragOver = (event: DragEvent) => {
            if (!isTextField(event.target)) event.preventDefault(); // else the browser would leave the page for the file
        };
        const onDrop = (event: DragEvent) => {
            if (event.defaultPrevented || isTextField(event.target)) return;
            event.preventDefault();
            const given = givenBy(event.dataTransfer);
            if (given) latest.current(given);
        };
        const onPaste = (event: ClipboardEvent) => {
            const given = givenBy(event.clipboardData);
            if (event.defaultPrevented || !given || (isTextField(event.target) && typeof given === "string") || document.querySelector("[role=dialog]")) return;
            event.preventDefault();
            latest.current(given);
        };
        window.addEventListener("dragover", onDragOver);
        window.addEventListener("drop", onDrop);
        window.addEventListener("paste", onPaste);
        return () => {
            window.removeEventListener("dragover", onDragOver);
            window.removeEventListener("drop", onDrop);
            window.removeEventListener("paste", onPaste);
        };
    }, []);
}

/** ?from=ID: the form as that prediction had it, in the tab of its model, else on the model's page. */
function useTweak(functions: ApiFunction[] | undefined, from: string | undefined): void {
    const text = useMessages(homeMessages);
    const navigate = useNavigate();
    const { data, error } = useQuery({ ...predictionQuery(from ?? ""), enabled: Boolean(from) });
    const missing = error instanceof ApiError && error.status === 404;
    useEffect(() => {
        if (!from || !functions || (!data && !missing)) return;
        const tab = TAB_NAMES.find((name) => functions.some((each) => each.name === name && each.model === data?.model));
        if (!data || data.data_removed) toast(text.from_gone, "destructive");
        else if (tab) replaceForm(tab, data.input);
        const [owner, name] = (data?.model ?? "").split("/");
        if (data && !tab && owner && name) void navigate({ to: "/$owner/$name", params: { owner, name }, search: { from }, replace: true });
        else void navigate({ to: "/", search: { tab }, replace: true });
    }, [from, functions, data, missing, text, navigate]);
}

/** The whole input, files too, when the prediction is one of this server's and its data is still there. */
async function storedInput(making: Making): Promise<Prediction["input"] | null> {
    if (!making.prediction) return null;
    const stored = await api<Prediction>("GET", `/v1/predictions/${making.prediction}`).catch(() => null);
    return stored && stored.model === making.model && !stored.data_removed ? { ...inputOf(making), ...stored.input } : null;
}

function MakingOffer({ making, onRestore, onDismiss }: { making: Making; onRestore: () => void; onDismiss: () => void }) {
    const text = useMessages(homeMessages);
    return (
        <Alert
            className="mb-4 border-primary/50 bg-accent"
            action={
                <div className="flex flex-wrap gap-2">
                    <Button size="sm" onClick={onRestore}>
                        {text.making_restore}
                    </Button>
                    <Button size="sm" variant="outline" onClick={onDismiss}>
                        {text.making_dismiss}
                    </Button>
                </div>
            }
        >
            {text.making_title(making.model)}
        </Alert>
    );
}

/** The tabs that have been shown stay as they are while others are. */
function useVisited(tab: TabName): TabName[] {
    const [visited, setVisited] = useState<TabName[]>([tab]);
    if (!visited.includes(tab)) setVisited([...visited, tab]);
    return visited;
}

export function HomePage() {
    const text = useMessages(homeMessages);
    const common = useMessages(commonMessages);
    const textOf = useErrorText();
    const navigate = useNavigate();
    const search = useSearch({ strict: false }) as { tab?: string; from?: string };
    const tab = tabOf(search.tab);
    const visited = useVisited(tab);
    const functions = useQuery(functionsQuery);
    const [making, setMaking] = useState<Making | null>(null);
    useTweak(functions.data, search.from);

    // On a phone not all tabs fit: the chosen one is brought into sight.
    const list = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const row = list.current;
        const chosen = row?.querySelector<HTMLElement>("[data-state=active]");
        if (row && chosen) row.scrollLeft = chosen.offsetLeft - row.offsetLeft - (row.clientWidth - chosen.offsetWidth) / 2;
    }, [tab]);

    const goTo = (next: TabName, to_top = false) => void navigate({ to: "/", search: { tab: next }, resetScroll: to_top });
    const lookFor = async (picture: File) => setMaking(await readMaking(picture).catch(() => null));
    const functionOf = (name: TabName) => functions.data?.find((each) => each.name === name);
    const give = (name: TabName, given: File | string) => {
        const input = functionOf(name)?.image_input;
        if (!input || (given instanceof File && given.type && !given.type.startsWith("image/"))) return;
        patchForm(name, { [input]: given, ...(TABS[name].mask ? { [TABS[name].mask]: undefined } : {}) });
    };
    useGivenAnywhere((given) => {
        give(tab, given);
        if (given instanceof File) void lookFor(given);
    });

    const restore = async () => {
        if (!making) return;
        setMaking(null);
        const own = TAB_NAMES.find((name) => functionOf(name)?.model === making.model);
        if (own) {
            replaceForm(own, (await storedInput(making)) ?? inputOf(making));
            goTo(own);
            toast(text.restored);
            return;
        }
        handOver(making);
        const [owner, name] = making.model.split("/") as [string, string];
        void navigate({ to: "/$owner/$name", params: { owner, name } });
    };

    return (
        <>
            <PageHeader title={text.title}>{text.intro}</PageHeader>
            {functions.error && !functions.data && (
                <Alert
                    tone="destructive"
                    action={
                        <Button variant="outline" size="sm" onClick={() => void functions.refetch()}>
                            {common.retry}
                        </Button>
                    }
                >
                    {textOf(functions.error)}
                </Alert>
            )}
            {making && <MakingOffer making={making} onRestore={() => void restore()} onDismiss={() => setMaking(null)} />}
            <Tabs value={tab} onValueChange={(next) => goTo(tabOf(next))}>
                <TabsList ref={list} aria-label={text.tabs}>
                    {TAB_NAMES.map((name) => (
                        <TabsTrigger key={name} value={name}>
                            {TABS[name].icon}
                            {wordOf(text, "tab", name)}
                        </TabsTrigger>
                    ))}
                </TabsList>
                {TAB_NAMES.map((name) => {
                    const api_function = functionOf(name);
                    return (
                        <TabsContent key={name} value={name} forceMount={visited.includes(name) || undefined} className="mt-6 data-[state=inactive]:hidden">
                            {api_function && (
                                <Panel
                                    tab={name}
                                    active={name === tab}
                                    api_function={api_function}
                                    onUse={(next, file) => {
                                        give(next, file);
                                        goTo(next, true);
                                    }}
                                    onGiven={(picture) => void lookFor(picture)}
                                />
                            )}
                            {functions.isPending && <Skeleton className="mx-auto h-64 max-w-3xl" />}
                            {functions.data && !api_function && <Alert>{text.no_function}</Alert>}
                        </TabsContent>
                    );
                })}
            </Tabs>
        </>
    );
}
