//! Places for the figures of what the server does not have yet. Each is called at its time in
//! [`super::run`], with the writer at work; it measures by the same client and prints its lines.

use super::client::Client;

/// How long the read model takes to catch up with the trail from nothing, how large it is, and how
/// far it is behind the writer.
pub(super) fn read_model(_client: &Client) {
    not_built("the read model");
}

/// Every report over the whole history and over a day, its figures held against those of
/// [`query_bench::generator::Expected`].
pub(super) fn reports(_client: &Client) {
    not_built("reports");
}

/// The search for anomalies: whether it finds the seeded episodes of guessed passwords, and how long
/// it takes.
pub(super) fn anomalies(_client: &Client) {
    not_built("anomalies");
}

/// Counts and histograms, over the whole history and under a filter.
pub(super) fn stats(_client: &Client) {
    not_built("stats");
}

/// An export of the whole trail: bytes a second, and what it does to the writer's commits.
pub(super) fn export(_client: &Client) {
    not_built("export");
}

fn not_built(what: &str) {
    eprintln!("not measured, because it is not built: {what}");
}
