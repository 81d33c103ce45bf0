//! A condition on a sealed value: what it says, for who may open it.

use std::{cmp::Ordering, fmt, sync::Arc};

use audit_layer::record::Record;

use super::{Field, Opener, Text};

/// A text that stands sealed under this name.
#[derive(Clone)]
pub(crate) struct SealedText {
    pub(crate) field: Field,
    pub(crate) text: Text,
    pub(crate) opener: Arc<Opener>,
}

impl SealedText {
    pub(super) fn is_in(&self, record: &Record<'_>) -> bool {
        self.opener.is_in(record, &self.field.to_string(), self.text.as_str())
    }

    fn parts(&self) -> (&Field, &Text) {
        (&self.field, &self.text)
    }
}

impl fmt::Debug for SealedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(f)
    }
}

// With whose help it is opened does not change the question.
impl PartialEq for SealedText {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for SealedText {}

impl PartialOrd for SealedText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SealedText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}
