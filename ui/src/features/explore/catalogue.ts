// Which models are in which collection, and which ones a search means. Pure but for the query.
import { queryOptions } from "@tanstack/react-query";
import { api } from "@/api/http";
import { everyPage } from "@/api/queries";
import type { Collection, Model, Weights } from "@/api/types";
import { LANGUAGES, type Language } from "@/i18n";
import { collectionNames } from "@/features/explore/messages";

const LANGUAGE_CODES = Object.keys(LANGUAGES) as Language[];
const COLLECTIONS_MAX = 60; // each is asked for by itself

export interface Category {
    slug: string;
    name: string;
    description: string;
    models: string[];
}

export const categoriesQuery = queryOptions({
    queryKey: ["collections", "models"],
    queryFn: async ({ signal }): Promise<Category[]> => {
        const listed = (await everyPage<Collection>("/v1/collections", signal)).slice(0, COLLECTIONS_MAX);
        const whole = await Promise.all(listed.map((each) => api<Collection>("GET", `/v1/collections/${encodeURIComponent(each.slug)}`, { signal })));
        return whole.map((each) => ({ slug: each.slug, name: each.name, description: each.description, models: (each.models ?? []).map((model) => `${model.owner}/${model.name}`) }));
    },
    staleTime: 300_000,
});

/** The category of those that can run now; no collection's slug begins so. */
export const READY = "~ready";

export function fullName(model: Model): string {
    return `${model.owner}/${model.name}`;
}

export function isReady(weights: Weights | undefined): boolean {
    return weights?.state === "ready" && weights.fits;
}

/** A collection's name in the page's language, where this page knows it. */
export function categoryName(category: Category, language: Language): string {
    const names = collectionNames[language];
    return names && Object.hasOwn(names, category.slug) ? (names[category.slug] ?? category.name) : category.name;
}

/** Without accents and case: "Chân dung" is found by "chan". */
export function folded(text: string): string {
    return text.normalize("NFD").replace(/\p{M}/gu, "").replaceAll("đ", "d").replaceAll("Đ", "D").toLowerCase();
}

/** Every word of the search must be in the name, the description or a category's name; names first. */
export function matches(models: Model[], query: string, categories: Category[]): Model[] {
    const words = folded(query).split(/[\s/,]+/).filter(Boolean);
    if (words.length === 0) return models;
    const rated = models.flatMap((model) => {
        const name = folded(fullName(model));
        const around = folded([model.description, ...categories.filter((each) => each.models.includes(fullName(model))).flatMap((each) => [each.name, each.slug, ...LANGUAGE_CODES.map((language) => categoryName(each, language))])].join(" "));
        if (!words.every((word) => name.includes(word) || around.includes(word))) return [];
        return [{ model, rating: words.filter((word) => name.includes(word)).length }];
    });
    return rated.sort((one, other) => other.rating - one.rating).map((each) => each.model);
}

/** What can run now first, then what could; within these the most run ones. */
export function ordered(models: Model[], weights: Map<string, Weights>): Model[] {
    const place = (model: Model) => {
        const known = weights.get(fullName(model));
        if (!known) return 2;
        if (isReady(known)) return 0;
        return known.state === "unsupported" || !known.fits ? 3 : 1;
    };
    return [...models].sort((one, other) => place(one) - place(other) || other.run_count - one.run_count || fullName(one).localeCompare(fullName(other)));
}
