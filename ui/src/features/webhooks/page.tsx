// Not made yet.
export function WebhooksPage() {
    return <p>WebhooksPage</p>;
}
