// What an error says to people: the server's own sentence, or ours when it could not be reached.
import { OfflineError } from "@/api/http";
import { defineMessages, useMessages } from "@/i18n";

const messages = defineMessages({
    en: { no_answer: "The server does not answer. Try again in a moment." },
    ru: { no_answer: "Сервер не отвечает. Попробуйте ещё раз чуть позже." },
    vi: { no_answer: "Máy chủ không phản hồi. Hãy thử lại sau giây lát." },
});

export function useErrorText(): (error: Error) => string {
    const text = useMessages(messages);
    return (error) => (error instanceof OfflineError ? text.no_answer : error.message);
}
