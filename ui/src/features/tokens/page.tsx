// Not made yet.
export function TokensPage() {
    return <p>TokensPage</p>;
}
