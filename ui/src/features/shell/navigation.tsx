// The list of pages: what it offers depends on what the token may do.
import { Link, useNavigate } from "@tanstack/react-router";
import { Activity, BarChart3, Columns2, Compass, FolderOpen, KeyRound, Layers, List, Rocket, Settings, Sparkles, Webhook } from "lucide-react";
import { useId, type ReactNode } from "react";
import { useSession } from "@/api/session";
import type { Scope } from "@/api/types";
import { useMessages } from "@/i18n";
import { useShortcut } from "@/lib/shortcuts";
import { shellMessages } from "@/features/shell/messages";

type Word = "home" | "explore" | "predictions" | "compare" | "batch" | "files" | "deployments" | "webhooks" | "tokens" | "usage" | "operations" | "settings";
interface Entry {
    to: string;
    word: Word;
    icon: ReactNode;
    keys?: string;
    scope?: Scope;
}
const GROUPS: { word: "group_make" | "group_build" | "group_watch"; entries: Entry[] }[] = [
    {
        word: "group_make",
        entries: [
            { to: "/", word: "home", icon: <Sparkles />, keys: "g h", scope: "run" },
            { to: "/explore", word: "explore", icon: <Compass />, keys: "g e" },
            { to: "/compare", word: "compare", icon: <Columns2 />, keys: "g c", scope: "run" },
            { to: "/batch", word: "batch", icon: <Layers />, keys: "g b", scope: "run" },
        ],
    },
    {
        word: "group_build",
        entries: [
            { to: "/predictions", word: "predictions", icon: <List />, keys: "g p" },
            { to: "/files", word: "files", icon: <FolderOpen />, keys: "g f" },
            { to: "/deployments", word: "deployments", icon: <Rocket />, keys: "g d" },
            { to: "/webhooks", word: "webhooks", icon: <Webhook />, keys: "g w" },
            { to: "/tokens", word: "tokens", icon: <KeyRound />, keys: "g t", scope: "manage" },
        ],
    },
    {
        word: "group_watch",
        entries: [
            { to: "/usage", word: "usage", icon: <BarChart3 />, keys: "g u" },
            { to: "/operations", word: "operations", icon: <Activity />, keys: "g o", scope: "operate" },
            { to: "/settings", word: "settings", icon: <Settings />, keys: "g s" },
        ],
    },
];

function GoTo({ entry }: { entry: Entry }) {
    const text = useMessages(shellMessages);
    const navigate = useNavigate();
    useShortcut(entry.keys ?? "", text.go_to(text[entry.word]), () => void navigate({ to: entry.to }), Boolean(entry.keys));
    return null;
}

/** The shortcuts of all pages, whether or not the list is shown (on a phone it is folded). */
export function NavigationShortcuts() {
    const session = useSession();
    return GROUPS.flatMap((group) => group.entries)
        .filter((entry) => session && (!entry.scope || session.scopes.includes(entry.scope)))
        .map((entry) => <GoTo key={entry.to} entry={entry} />);
}

export function Navigation({ onGo }: { onGo?: () => void }) {
    const text = useMessages(shellMessages);
    const session = useSession();
    const id = useId();
    return (
        <nav aria-label={text.main} className="space-y-5">
            {GROUPS.map((group) => {
                const offered = group.entries.filter((entry) => !entry.scope || session?.scopes.includes(entry.scope));
                if (offered.length === 0) return null;
                return (
                    <div key={group.word}>
                        <p id={`${id}-${group.word}`} className="mb-1 px-3 text-xs font-medium text-muted-foreground">
                            {text[group.word]}
                        </p>
                        <ul aria-labelledby={`${id}-${group.word}`} className="space-y-0.5">
                            {offered.map((entry) => (
                                <li key={entry.to}>
                                    <Link
                                        to={entry.to}
                                        onClick={onGo}
                                        activeOptions={{ exact: entry.to === "/", includeSearch: false }}
                                        className="relative flex min-h-8 items-center gap-2.5 rounded-md px-3 py-1.5 text-sm text-foreground/80 before:absolute before:inset-y-1.5 before:-left-0.5 before:w-1 before:rounded-full hover:bg-accent hover:text-accent-foreground data-[status=active]:bg-accent data-[status=active]:font-medium data-[status=active]:text-accent-foreground data-[status=active]:before:bg-primary [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:opacity-80"
                                    >
                                        {entry.icon}
                                        {text[entry.word]}
                                    </Link>
                                </li>
                            ))}
                        </ul>
                    </div>
                );
            })}
        </nav>
    );
}
