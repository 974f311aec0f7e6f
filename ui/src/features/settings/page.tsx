// Not made yet.
export function SettingsPage() {
    return <p>SettingsPage</p>;
}
