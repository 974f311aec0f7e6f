// What a run of a model costs, where its manifest gives a price, and how long it takes here.
import type { Weights } from "@/api/types";
import { Badge } from "@/components/ui/bits";
import { useLanguage, useMessages, type Language } from "@/i18n";
import { formatMoney, formatSeconds } from "@/lib/format";
import { factMessages } from "@/features/facts/messages";

export function PriceText({ weights }: { weights: Weights | undefined }) {
    const text = useMessages(factMessages);
    const { language } = useLanguage();
    const price = weights?.price;
    if (!price || !(price.per_second || price.per_image || price.per_run)) return null;
    const said = [price.per_run && text.price_run(formatMoney(price.per_run, language)), price.per_image && text.price_image(formatMoney(price.per_image, language)), price.per_second && text.price_second(formatMoney(price.per_second, language))];
    return (
        <Badge tone="outline">
            <span className="sr-only">{text.price}: </span>
            {said.filter(Boolean).join(" + ")}
        </Badge>
    );
}

const SHORTEST_S = 0.01; // what is quicker is not told apart

export function speedText(seconds: number, language: Language): string {
    return seconds < SHORTEST_S ? `< ${formatSeconds(SHORTEST_S, language)}` : formatSeconds(seconds, language);
}
