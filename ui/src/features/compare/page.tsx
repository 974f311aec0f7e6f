// Not made yet.
export function ComparePage() {
    return <p>ComparePage</p>;
}
