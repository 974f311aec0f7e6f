// The frame around every page: navigation, theme, language, account; and what is shown when there is no page or it fails.
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate, useMatches, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { CircleUser, Languages, LogOut, MapPinOff, Menu as MenuIcon, Moon, Sun, SunMoon } from "lucide-react";
import { useEffect, useState, type MouseEvent } from "react";
import { api } from "@/api/http";
import { endReason, endSession, useSession } from "@/api/session";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent } from "@/components/ui/dialog";
import { EmptyState, PageHeader } from "@/components/ui/bits";
import { Menu, MenuContent, MenuItem, MenuLabel, MenuRadioGroup, MenuRadioItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { Toaster } from "@/components/ui/toast";
import { LANGUAGES, useLanguage, useMessages, type Language } from "@/i18n";
import { Shortcuts } from "@/lib/shortcuts";
import { setTheme, useTheme, type Theme } from "@/lib/theme";
import { CONTENT_ID, focusContent, OfflineBanner, useFocusOnNavigation, useTitle } from "@/features/shell/frame";
import { shellMessages } from "@/features/shell/messages";
import { Navigation, NavigationShortcuts } from "@/features/shell/navigation";

function Brand() {
    return (
        <Link to="/" className="flex items-center gap-2 rounded-md px-1 text-lg font-semibold tracking-tight">
            <img src="/favicon.svg" alt="" className="size-7" />
            Mimeo
        </Link>
    );
}

function ThemeMenu() {
    const text = useMessages(shellMessages);
    const theme = useTheme();
    const icon = theme === "light" ? <Sun /> : theme === "dark" ? <Moon /> : <SunMoon />;
    return (
        <Menu>
            <MenuTrigger asChild>
                <Button variant="ghost" size="icon" aria-label={text.theme}>
                    {icon}
                </Button>
            </MenuTrigger>
            <MenuContent align="end">
                <MenuRadioGroup value={theme} onValueChange={(value) => setTheme(value as Theme)}>
                    <MenuRadioItem value="light">{text.light}</MenuRadioItem>
                    <MenuRadioItem value="dark">{text.dark}</MenuRadioItem>
                    <MenuRadioItem value="system">{text.system}</MenuRadioItem>
                </MenuRadioGroup>
            </MenuContent>
        </Menu>
    );
}

function LanguageMenu() {
    const text = useMessages(shellMessages);
    const { language, setLanguage } = useLanguage();
    return (
        <Menu>
            <MenuTrigger asChild>
                <Button variant="ghost" size="icon" aria-label={text.language}>
                    <Languages />
                </Button>
            </MenuTrigger>
            <MenuContent align="end">
                <MenuRadioGroup value={language} onValueChange={(value) => setLanguage(value as Language)}>
                    {Object.entries(LANGUAGES).map(([code, name]) => (
                        <MenuRadioItem key={code} value={code} lang={code}>
                            {name}
                        </MenuRadioItem>
                    ))}
                </MenuRadioGroup>
            </MenuContent>
        </Menu>
    );
}

function AccountMenu() {
    const text = useMessages(shellMessages);
    const session = useSession();
    if (!session) return null;
    const signOut = async () => {
        // A session's own token is of no use afterwards; one that was typed in stays.
        const mine = await api<{ session: boolean }>("GET", "/v1/account/tokens/current").catch(() => null);
        endSession("signed-out"); // first: nothing may ask with a token that has been revoked
        if (mine?.session) await api("DELETE", `/v1/account/tokens/${session.tokenId}`, { headers: { Authorization: `Bearer ${session.token}` } }).catch(() => undefined);
    };
    return (
        <Menu>
            <MenuTrigger asChild>
                <Button variant="ghost" size="icon" aria-label={text.account}>
                    <CircleUser />
                </Button>
            </MenuTrigger>
            <MenuContent align="end">
                <MenuLabel>{text.signed_in_as(session.account)}</MenuLabel>
                <MenuSeparator />
                <MenuItem onSelect={() => void signOut()}>
                    <LogOut />
                    {text.sign_out}
                </MenuItem>
            </MenuContent>
        </Menu>
    );
}

/** Without a session only the sign-in page is shown; afterwards one comes back to where one was. */
function useSignInFirst(): boolean {
    const session = useSession();
    const queries = useQueryClient();
    const navigate = useNavigate();
    const { pathname, href } = useLocation();
    const at_sign_in = pathname === "/sign-in";
    // The address changes before what is shown does: the sign-in page may have to be fetched first.
    const shows_sign_in = useMatches({ select: (matches) => matches.at(-1)?.fullPath === "/sign-in" });
    useEffect(() => {
        if (session || at_sign_in) return;
        if (href !== "/" && endReason() !== "signed-out") sessionStorage.setItem("mimeo-return-to", href);
        void navigate({ to: "/sign-in", replace: true });
    }, [session, at_sign_in, href, navigate]);
    useEffect(() => {
        if (!session && at_sign_in) queries.clear(); // nothing of the session stays; not before its page is gone, which would ask again
    }, [session, at_sign_in, queries]);
    return Boolean(session) || shows_sign_in;
}

export function Shell() {
    const text = useMessages(shellMessages);
    const session = useSession();
    const shown = useSignInFirst();
    const [menu_open, setMenuOpen] = useState(false);
    useTitle();
    useFocusOnNavigation();
    const skip = (event: MouseEvent) => {
        event.preventDefault(); // no #content in the address, which would come back after signing in
        focusContent();
        window.scrollTo({ top: 0 });
    };
    return (
        <>
            <a href={`#${CONTENT_ID}`} onClick={skip} className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-[70] focus:rounded-md focus:border focus:bg-card focus:px-3 focus:py-2 focus:shadow-lg">
                {text.skip}
            </a>
            <header className="sticky top-0 z-40 flex h-14 items-center gap-2 border-b bg-background/90 px-3 backdrop-blur sm:px-4">
                {session && (
                    <Button variant="ghost" size="icon" aria-label={text.menu} className="lg:hidden" onClick={() => setMenuOpen(true)}>
                        <MenuIcon />
                    </Button>
                )}
                <Brand />
                <div className="ml-auto flex items-center gap-0.5">
                    <LanguageMenu />
                    <ThemeMenu />
                    <AccountMenu />
                </div>
            </header>
            <OfflineBanner />
            <div className="mx-auto flex w-full max-w-[100rem]">
                {session && (
                    <aside className="sticky top-14 hidden h-[calc(100dvh-3.5rem)] w-56 shrink-0 overflow-y-auto border-r p-3 pt-5 lg:block">
                        <Navigation />
                    </aside>
                )}
                <main id={CONTENT_ID} tabIndex={-1} className="min-w-0 flex-1 px-4 py-6 outline-none sm:px-6 lg:px-8">
                    {shown && <Outlet />}
                </main>
            </div>
            <Dialog open={menu_open} onOpenChange={setMenuOpen}>
                <DialogContent side="left" title={text.menu} className="border-y-0 border-l-0">
                    <Navigation onGo={() => setMenuOpen(false)} />
                </DialogContent>
            </Dialog>
            <NavigationShortcuts />
            <Shortcuts />
            <Toaster />
        </>
    );
}

export function NotFound() {
    const text = useMessages(shellMessages);
    return (
        <EmptyState icon={<MapPinOff aria-hidden />} title={<h1 className="text-xl font-semibold tracking-tight">{text.not_found}</h1>}>
            <p className="mb-4">{text.not_found_help}</p>
            <Button asChild variant="outline">
                <Link to="/">{text.to_start}</Link>
            </Button>
        </EmptyState>
    );
}

export function PageError({ error }: ErrorComponentProps) {
    const text = useMessages(shellMessages);
    const router = useRouter();
    return (
        <>
            <PageHeader title={text.broken} actions={<Button onClick={() => void router.invalidate().then(() => window.location.reload())}>{text.reload}</Button>}>
                {text.broken_help}
            </PageHeader>
            <pre className="overflow-x-auto rounded-md border bg-muted p-4 text-sm">{String(error?.message ?? error)}</pre>
        </>
    );
}
