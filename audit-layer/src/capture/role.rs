//! What a field is to the record: decided by its name, once for each callsite.

use crate::record::{Member, SetBy};

/// What a field is to the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// A member of the record that events may set.
    Member(Member),
    /// A member of `details` under that name.
    Detail(Box<str>),
    /// A member of `regulatory_flags` under that name.
    Flag(Box<str>),
}

impl Role {
    pub(super) fn of(field: &str) -> Self {
        if let Some(flag) = field.strip_prefix("regulatory_flags.").filter(|name| !name.is_empty())
        {
            return Self::Flag(flag.into());
        }
        if let Some(detail) = field.strip_prefix("details.").filter(|name| !name.is_empty()) {
            return Self::Detail(detail.into());
        }
        match Member::from_name(field) {
            Some(member) if member.set_by() != SetBy::Layer => Self::Member(member),
            _ => Self::Detail(field.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_layers_own_is_a_detail() {
        assert_eq!(Role::of("seq"), Role::Detail("seq".into()));
        assert_eq!(Role::of("hash"), Role::Detail("hash".into()));
        assert_eq!(Role::of("user_id"), Role::Member(Member::UserId));
        assert_eq!(Role::of("details"), Role::Member(Member::Details));
        assert_eq!(Role::of("details.method"), Role::Detail("method".into()));
        assert_eq!(Role::of("http.method"), Role::Detail("http.method".into()));
        assert_eq!(Role::of("regulatory_flags.SOX"), Role::Flag("SOX".into()));
    }
}
