// The right side of a tab: how the run goes, and what came out.
import { Link } from "@tanstack/react-router";
import { ArrowRightLeft, ExternalLink, ImageIcon } from "lucide-react";
import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/bits";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import type { Prediction } from "@/api/types";
import { bytesOf, fileNameFor, kindOf } from "@/features/picture/links";
import { usePicture } from "@/features/picture/use-picture";
import { OutputView } from "@/features/run/output";
import { runMessages } from "@/features/run/messages";
import { RunStatus } from "@/features/run/status-line";
import type { Run } from "@/features/run/use-run";
import { homeMessages } from "@/features/home/messages";
import { TAB_NAMES, TABS, type TabName } from "@/features/home/tabs";
import { wordOf } from "@/features/home/words";

/** A result as the input of another tab. It is fetched at once: its link ends, the file stays. */
function UseAsInput({ link, name, tab, onUse }: { link: string; name: string; tab: TabName; onUse: (tab: TabName, file: File) => void }) {
    const text = useMessages(homeMessages);
    const use = async (next: TabName) => {
        try {
            const bytes = await bytesOf(link);
            onUse(next, new File([bytes], fileNameFor(link, name), { type: bytes.type }));
        } catch {
            toast(text.take_failed, "destructive");
        }
    };
    return (
        <Menu>
            <MenuTrigger asChild>
                <Button variant="outline" size="sm">
                    <ArrowRightLeft />
                    {text.use_as_input}
                </Button>
            </MenuTrigger>
            <MenuContent align="end">
                {TAB_NAMES.filter((each) => TABS[each].picture && each !== tab).map((each) => (
                    <MenuItem key={each} onSelect={() => void use(each)}>
                        {TABS[each].icon}
                        {wordOf(text, "tab", each)}
                    </MenuItem>
                ))}
            </MenuContent>
        </Menu>
    );
}

/** While it runs: the picture it is about, so that one sees that something happens to it. */
function UnderWork({ picture }: { picture: string | null }) {
    const text = useMessages(homeMessages);
    return (
        <div className="flex h-72 items-center justify-center overflow-hidden rounded-lg border bg-muted sm:h-96">
            {picture ? <img src={picture} alt={text.working_on} className="size-full animate-pulse object-contain opacity-60" /> : <ImageIcon aria-hidden className="size-10 animate-pulse text-muted-foreground" />}
        </div>
    );
}

interface ResultProps {
    tab: TabName;
    run: Run;
    /** The input that holds the picture; null when the tab works on none. */
    image_input: string | null;
    /** What the run was started with, for the time until the server has it. */
    given: File | string | null;
    name: (prediction: Prediction) => string;
    onUse: (tab: TabName, file: File) => void;
}

export function Result({ tab, run, image_input, given, name, onUse }: ResultProps) {
    const text = useMessages(homeMessages);
    const words = useMessages(runMessages);
    const { state } = run;
    const prediction = state.kind === "running" || state.kind === "ended" ? state.prediction : null;
    const sent = image_input && prediction ? prediction.input[image_input] : null;
    const before = usePicture(typeof sent === "string" ? sent : null);
    const mine = usePicture(given);
    const working = state.kind === "running" || state.kind === "preparing";
    const succeeded = state.kind === "ended" && state.prediction.status === "succeeded";
    return (
        <section aria-label={text.result} className="min-w-0 space-y-4">
            <RunStatus run={run} />
            {state.kind === "idle" && (
                <EmptyState icon={<ImageIcon />} title={text.result_empty}>
                    {image_input ? text.result_empty_help : text.result_empty_help_new}
                </EmptyState>
            )}
            {working && <UnderWork picture={before.src ?? mine.src} />}
            {succeeded && prediction && prediction.data_removed && <p className="text-sm text-muted-foreground">{words.data_removed}</p>}
            {succeeded && prediction && !prediction.data_removed && (
                <OutputView
                    key={prediction.id}
                    output={prediction.output}
                    before={before.src ?? undefined}
                    name={name(prediction)}
                    prediction={prediction.id}
                    actions={(link) => (kindOf(link) === "picture" ? <UseAsInput link={link} name={name(prediction)} tab={tab} onUse={onUse} /> : null)}
                />
            )}
            {prediction && (
                <Button asChild variant="link" size="sm" className="px-0">
                    <Link to="/p/$id" params={{ id: prediction.id }}>
                        <ExternalLink />
                        {text.permanent}
                    </Link>
                </Button>
            )}
        </section>
    );
}
