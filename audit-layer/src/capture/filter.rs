//! Which events and spans the layer sees.
//!
//! The filter is per-layer: it decides for this layer alone, whatever others want. It depends on
//! nothing but the callsite, so that `tracing` asks once and remembers.

use tracing_core::{LevelFilter, Metadata, subscriber::Interest};
use tracing_subscriber::layer::{Context, Filter};

use crate::record::Member;

/// Whether events of this target are audit events: `audit` itself or a part of it, not `auditor`.
pub(crate) fn is_audit_target(target: &str) -> bool {
    match target.strip_prefix("audit") {
        Some(rest) => rest.is_empty() || rest.starts_with("::"),
        None => false,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct AuditFilter {
    /// Audit events and spans of this level and graver are recorded.
    pub(crate) level: LevelFilter,
    /// Spans of this level and graver give context.
    pub(crate) context_level: LevelFilter,
}

impl AuditFilter {
    /// Whether a span or event of this callsite becomes a record.
    pub(crate) fn records(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && is_audit_target(metadata.target())
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        self.records(metadata)
            || metadata.is_span()
                && *metadata.level() <= self.context_level
                && metadata
                    .fields()
                    .iter()
                    .any(|field| Member::from_name(field.name()).is_some_and(Member::is_context))
    }
}

impl<S> Filter<S> for AuditFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.max(self.context_level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_audit_and_its_parts_are_audit_targets() {
        assert!(is_audit_target("audit") && is_audit_target("audit::payments"));
        for other in ["auditor", "audit:x", "Audit", "my_audit", ""] {
            assert!(!is_audit_target(other), "{other}");
        }
    }
}
