// Numbers, sizes and times as people read them, in the page's language. Pure.

const UNITS = {
    en: { bytes: ["B", "kB", "MB", "GB", "TB"], ms: "ms", s: "s", min: "min", h: "h" },
    ru: { bytes: ["Б", "кБ", "МБ", "ГБ", "ТБ"], ms: "мс", s: "с", min: "мин", h: "ч" },
    vi: { bytes: ["B", "kB", "MB", "GB", "TB"], ms: "ms", s: "giây", min: "phút", h: "giờ" },
};

function unitsOf(locale: string | undefined) {
    return UNITS[locale as keyof typeof UNITS] ?? UNITS.en;
}

/** 1.4 MB, 33 MB, 2.1 GB: decimal units, as disks and networks have them. */
export function formatBytes(bytes: number, locale?: string): string {
    const units = unitsOf(locale).bytes;
    let value = bytes;
    let unit = 0;
    while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit += 1;
    }
    const digits = unit === 0 || value >= 9.95 ? 0 : 1;
    return `${value.toLocaleString(locale, { maximumFractionDigits: digits })} ${units[unit]}`;
}

/** < 0.01 s, 0.34 s, 5.2 s, 48 s, 3 min 5 s, 2 h 4 min. */
export function formatSeconds(seconds: number, locale?: string): string {
    if (!Number.isFinite(seconds)) return "–";
    const { s, min, h } = unitsOf(locale);
    if (seconds > 0 && seconds < 0.005) return `< ${(0.01).toLocaleString(locale)} ${s}`;
    if (seconds < 59.5) {
        const digits = seconds < 1 ? 2 : seconds < 10 ? 1 : 0;
        return `${seconds.toLocaleString(locale, { maximumFractionDigits: digits })} ${s}`;
    }
    const whole = Math.round(seconds);
    if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} ${min} ${whole % 60} ${s}` : `${Math.floor(whole / 60)} ${min}`;
    const minutes = Math.round(whole / 60);
    return minutes % 60 ? `${Math.floor(minutes / 60)} ${h} ${minutes % 60} ${min}` : `${Math.floor(minutes / 60)} ${h}`;
}

/** 0.8 ms, 34 ms, 1.2 s. */
export function formatMilliseconds(milliseconds: number, locale?: string): string {
    if (milliseconds >= 1000) return formatSeconds(milliseconds / 1000, locale);
    return `${milliseconds.toLocaleString(locale, { maximumFractionDigits: milliseconds < 10 ? 1 : 0 })} ${unitsOf(locale).ms}`;
}

export function formatCount(count: number, locale?: string): string {
    return count.toLocaleString(locale, count >= 10_000 ? { notation: "compact", maximumFractionDigits: 1 } : {});
}

export function formatTime(at: string | number | Date, locale?: string): string {
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return "–";
    return date.toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium" });
}

/** "3 minutes ago", in the page's language. */
export function formatAgo(at: string | number | Date, locale?: string, now = Date.now()): string {
    const seconds = (new Date(at).getTime() - now) / 1000;
    if (Number.isNaN(seconds)) return "–";
    const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
    const steps: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400], ["hour", 3600], ["minute", 60]];
    for (const [unit, size] of steps) if (Math.abs(seconds) >= size) return format.format(Math.round(seconds / size), unit);
    return format.format(Math.round(seconds), "second");
}

/** Dollars, with enough digits that small prices are not 0. */
export function formatMoney(dollars: number, locale?: string): string {
    const digits = dollars !== 0 && Math.abs(dollars) < 0.01 ? 6 : 2;
    return dollars.toLocaleString(locale, { style: "currency", currency: "USD", maximumFractionDigits: digits });
}
