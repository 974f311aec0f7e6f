// Not made yet.
export function BatchPage() {
    return <p>BatchPage</p>;
}
