//! Why there is no export, or only a part of one.

/// As many exports run as may.
#[derive(Debug, thiserror::Error)]
#[error("as many exports run as may: try again when one has ended, or raise max_exports")]
pub struct ExportsBusy;

/// No export has the id that was asked for, or it was too long ago.
#[derive(Debug, thiserror::Error)]
#[error(
    "no export has this id, or it was forgotten: the server keeps the last 1000 until it stops"
)]
pub struct ExportNotFound;

/// Behind an export that ran, the trail became another one.
#[derive(Debug, thiserror::Error)]
#[error("the trail was replaced by another while it was exported: begin anew")]
pub struct TrailReplaced;
