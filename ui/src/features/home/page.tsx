// Not made yet.
export function HomePage() {
    return <p>HomePage</p>;
}
