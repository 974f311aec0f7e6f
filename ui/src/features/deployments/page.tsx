// Not made yet.
export function DeploymentsPage() {
    return <p>DeploymentsPage</p>;
}
