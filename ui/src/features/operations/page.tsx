// Not made yet.
export function OperationsPage() {
    return <p>OperationsPage</p>;
}
