// The page's languages: English, Russian, Vietnamese. Each feature has its own messages, made with defineMessages(); a missing
// translation is a type error. The choice is kept in this browser; at first it is the browser's language.
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

export const LANGUAGES = { en: "English", ru: "Русский", vi: "Tiếng Việt" } as const;
export type Language = keyof typeof LANGUAGES;
const KEY = "mimeo-language";

type Message = string | ((...values: never[]) => string);
export type Messages<T> = { en: T; ru: T; vi: T };

/** Messages of a feature: `en` sets the keys and their arguments, the others must have the same. */
export function defineMessages<T extends Record<string, Message>>(messages: { en: T; ru: NoInfer<Widen<T>>; vi: NoInfer<Widen<T>> }): Messages<Widen<T>> {
    return messages as Messages<Widen<T>>;
}
type Widen<T> = { [K in keyof T]: T[K] extends string ? string : T[K] };

/** The form of a word that a count needs: English one/other, Russian one/few/many, Vietnamese other. */
export function plural(language: Language, count: number, forms: { one?: string; few?: string; many?: string; other: string }): string {
    const kind = new Intl.PluralRules(language).select(count);
    return (kind in forms ? forms[kind as keyof typeof forms] : undefined) ?? forms.other;
}

export function preferredLanguage(): Language {
    const kept = localStorage.getItem(KEY);
    if (kept && kept in LANGUAGES) return kept as Language;
    for (const wanted of navigator.languages ?? []) {
        const short = wanted.slice(0, 2).toLowerCase();
        if (short in LANGUAGES) return short as Language;
    }
    return "en";
}

const LanguageContext = createContext<{ language: Language; setLanguage: (language: Language) => void }>({ language: "en", setLanguage: () => {} });

export function LanguageProvider({ children, initial }: { children: ReactNode; initial?: Language }) {
    const [language, setLanguage] = useState<Language>(initial ?? preferredLanguage);
    useEffect(() => {
        document.documentElement.lang = language;
    }, [language]);
    const value = useMemo(
        () => ({
            language,
            setLanguage: (next: Language) => {
                localStorage.setItem(KEY, next);
                setLanguage(next);
            },
        }),
        [language],
    );
    return <LanguageContext value={value}>{children}</LanguageContext>;
}

export function useLanguage() {
    return useContext(LanguageContext);
}

/** The messages of a feature in the page's language. */
export function useMessages<T>(messages: Messages<T>): T {
    return messages[useLanguage().language];
}
