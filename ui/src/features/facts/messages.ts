// Words for what is said of a model in several places: runs, speed, price.
import { defineMessages, plural } from "@/i18n";

export const factMessages = defineMessages({
    en: {
        official: "official",
        runs: (count: number, shown: string) => `${shown} ${plural("en", count, { one: "run", other: "runs" })}`,
        speed: (seconds: string) => `${seconds} here`,
        speed_help: (count: number) => `Half of the last ${count} runs on this machine took no longer.`,
        price: "Price",
        price_second: (price: string) => `${price} a second`,
        price_image: (price: string) => `${price} a picture`,
        price_run: (price: string) => `${price} a run`,
    },
    ru: {
        official: "официальная",
        runs: (count: number, shown: string) => `${shown} ${plural("ru", count, { one: "запуск", few: "запуска", many: "запусков", other: "запусков" })}`,
        speed: (seconds: string) => `${seconds} здесь`,
        speed_help: (count: number) => `Половина из последних ${count} запусков на этой машине уложилась в это время.`,
        price: "Цена",
        price_second: (price: string) => `${price} за секунду`,
        price_image: (price: string) => `${price} за картинку`,
        price_run: (price: string) => `${price} за запуск`,
    },
    vi: {
        official: "chính thức",
        runs: (_count: number, shown: string) => `${shown} lần chạy`,
        speed: (seconds: string) => `${seconds} tại đây`,
        speed_help: (count: number) => `Một nửa trong ${count} lần chạy gần nhất trên máy này không lâu hơn mức này.`,
        price: "Giá",
        price_second: (price: string) => `${price} mỗi giây`,
        price_image: (price: string) => `${price} mỗi ảnh`,
        price_run: (price: string) => `${price} mỗi lần chạy`,
    },
});
