// Not made yet.
export function PredictionPage() {
    return <p>PredictionPage</p>;
}
