// What the frame does without being seen: the tab's title, where the focus goes on another page, and whether the server answers.
import { useQueryClient } from "@tanstack/react-query";
import { useLocation, useRouter } from "@tanstack/react-router";
import { WifiOff } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { useWaitingForChunk } from "@/api/chunks";
import { OfflineError } from "@/api/http";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { shellMessages } from "@/features/shell/messages";
import { titleOf } from "@/features/shell/title";

export const CONTENT_ID = "content";

/** Put the focus on the page's heading, so that a screen reader begins there; on the content when it has none. */
export function focusContent(): void {
    const content = document.getElementById(CONTENT_ID);
    const heading = content?.querySelector<HTMLElement>("h1, [role=heading][aria-level=\"1\"]");
    if (heading && !heading.hasAttribute("tabindex")) {
        heading.tabIndex = -1;
        heading.style.outline = "none"; // it takes no keys: a ring around it would say that it does
    }
    (heading ?? content)?.focus({ preventScroll: true });
}

export function useTitle(): void {
    const text = useMessages(shellMessages);
    const { pathname } = useLocation();
    useEffect(() => {
        document.title = titleOf(pathname, text);
    }, [pathname, text]);
}

/** On another page (not on the first one) the focus moves there, unless something on it has taken it already. */
export function useFocusOnNavigation(): void {
    const router = useRouter();
    useEffect(
        () =>
            router.subscribe("onRendered", (event) => {
                if (!event.fromLocation || !event.pathChanged) return;
                const content = document.getElementById(CONTENT_ID);
                if (!content?.contains(document.activeElement) && !document.querySelector("[role=dialog]")) focusContent();
            }),
        [router],
    );
}

/** Does a question that is shown wait for a server that does not answer? */
function useOffline(): boolean {
    const cache = useQueryClient().getQueryCache();
    return useSyncExternalStore(
        (changed) => cache.subscribe(changed),
        () => cache.getAll().some((query) => query.getObserversCount() > 0 && (query.state.fetchFailureReason instanceof OfflineError || query.state.error instanceof OfflineError)),
    );
}

/** Always there, so that assistive technology hears it change; seen only while the server is away. */
export function OfflineBanner() {
    const text = useMessages(commonMessages);
    const waits_for_answer = useOffline();
    const waits_for_page = useWaitingForChunk();
    const offline = waits_for_answer || waits_for_page;
    return (
        <div role="status" className="sticky top-14 z-30">
            {offline && (
                <p className="flex items-center justify-center gap-2 border-b border-warning/50 bg-card px-4 py-2 text-sm [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-warning">
                    <WifiOff aria-hidden />
                    {text.offline}
                </p>
            )}
        </div>
    );
}
