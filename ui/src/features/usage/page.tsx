// Not made yet.
export function UsagePage() {
    return <p>UsagePage</p>;
}
