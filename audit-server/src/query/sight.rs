//! What of the trail somebody sees.
//!
//! One place for it: whatever is asked goes through [`Sight::narrowed`] before it is looked for, and whatever is found
//! through [`Sight::shown`] before it is handed over.
//!
//! # Who does not see restricted details
//! Sees a mask in their place, and is not told either in which records something stands: a question about details passes
//! restricted records over.
//!
//! # Who sees the records of one tenant
//! Sees those, and nothing from which the number of others follows. The place of a record in its stream is such a thing: of
//! two of one's own, a day apart, it tells how many all tenants had together in between. So `seq`, `prev_hash`
//! and `hash` are zeros, nothing can be asked of them, and where a page goes on, which the arrival number says, is encrypted
//! (XChaCha20-Poly1305, whose nonces may be random). That the records are unchanged is for those to verify who see the
//! whole trail: a chain with most of its links left out proves nothing.
//!
//! # Who sees what is sealed
//! Those who may decrypt, on pages: see [`Opener`]. Files that leave the server, exports, keep the marks.
//!
//! Rejected: to leave the three members out, since programs that read records rely on them; an HMAC in the
//! place of `seq`, which would be one more format for something that is of no use without the rest.

use std::sync::Arc;

use audit_layer::record::{Member, Record};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    ForbiddenValue, InvalidValue,
    cursor::CursorKey,
    masked::{MASK, masked},
};
use crate::{
    Error,
    auth::Tenant,
    filter::{Field, Filter, Opener},
};

/// The most texts of details that who may decrypt asks for: each may have to be looked for in what is sealed.
const MOST_OPENED: usize = 64;

/// What of the trail somebody sees. By default all of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    masks_restricted: bool,
    tenant: Option<(Tenant, Arc<CursorKey>)>,
    opener: Option<Arc<Opener>>,
}

impl Sight {
    /// The same, with or without the details of restricted records.
    #[must_use]
    pub(crate) fn seeing_restricted(self, sees_restricted: bool) -> Self {
        Self { masks_restricted: !sees_restricted, ..self }
    }

    /// The records of that tenant alone, with the key for its cursors.
    #[must_use]
    pub(crate) fn of_tenant(self, tenant: Tenant, key: Arc<CursorKey>) -> Self {
        Self { tenant: Some((tenant, key)), ..self }
    }

    /// The same, with what that opens.
    #[must_use]
    pub(crate) fn opening(self, opener: Arc<Opener>) -> Self {
        Self { opener: Some(opener), ..self }
    }

    /// What opens what is sealed, when that may be seen.
    pub(crate) fn opener(&self) -> Option<&Opener> {
        self.opener.as_deref()
    }

    /// Whether everything could be opened that had to be, to find it or to show it.
    ///
    /// # Errors
    /// When the keyring could not be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.opener().map_or(Ok(()), Opener::check)
    }

    /// Whether it is that of one tenant.
    pub(crate) fn is_of_tenant(&self) -> bool {
        self.tenant.is_some()
    }

    /// The key for cursors, when they are to be encrypted.
    pub(super) fn cursor_key(&self) -> Option<&CursorKey> {
        self.tenant.as_ref().map(|(_, key)| &**key)
    }

    /// The records that are seen at all.
    pub(crate) fn all(&self) -> Filter {
        match &self.tenant {
            Some((tenant, _)) => Filter::member_is_any(Member::Tenant, [tenant.as_str()]),
            None => Filter::ANY,
        }
    }

    /// What is asked, of what is seen. `counted` are members whose values are to be told.
    ///
    /// # Errors
    /// [`ForbiddenValue`] when something is asked that is not to be known.
    pub(crate) fn narrowed(&self, filter: Filter, counted: &[Field]) -> Result<Filter, Error> {
        let asks = |is: &dyn Fn(&Field) -> bool| filter.asks(is) || counted.iter().any(is);
        if self.tenant.is_some() {
            for (member, name) in [(Member::Seq, "seq"), (Member::PrevHash, "prev_hash")] {
                if asks(&|field| *field == Field::Member(member)) {
                    let reason = "it says how many records others have; these credentials see those of one tenant";
                    return Err(ForbiddenValue { name, reason }.into());
                }
            }
        }
        let looks_into_details = filter.looks_into_details() || asks(&Field::is_in_details);
        let passes_over = self.masks_restricted && looks_into_details;
        let filter = if passes_over { filter.and(Filter::unrestricted()) } else { filter };
        let filter = match &self.opener {
            Some(opener) => filter.opening(opener),
            None => filter,
        };
        if filter.opened() > MOST_OPENED {
            let reason = format!("more than {MOST_OPENED} texts of details are too many");
            return Err(InvalidValue { name: "details".to_owned(), reason }.into());
        }
        // First, so that nothing of others is opened.
        Ok(if self.tenant.is_some() { self.all().and(filter) } else { filter })
    }

    /// Whether numbers must be those of records that were looked at: an estimate counts others, too.
    pub(super) fn counts_exactly(&self, filter: &Filter) -> bool {
        self.tenant.is_some() || self.masks_restricted && filter.looks_into_details()
    }

    /// The line as it is shown.
    pub(crate) fn shown(&self, line: Box<str>) -> Box<str> {
        let line = self.shown_sealed(line);
        match &self.opener {
            Some(opener) => opener.opened(line),
            None => line,
        }
    }

    /// The same with what is sealed as it stands there.
    pub(super) fn shown_sealed(&self, line: Box<str>) -> Box<str> {
        let line = match &self.tenant {
            Some((tenant, _)) => unchained(&line, tenant),
            None => line,
        };
        if self.masks_restricted { masked(line) } else { line }
    }

    /// Whether the record is seen at all.
    pub(crate) fn sees(&self, record: &Record<'_>) -> bool {
        let own = |(tenant, _): &(Tenant, _)| record.tenant.as_deref() == Some(tenant.as_str());
        self.tenant.as_ref().is_none_or(own)
    }

    /// The line as it is shown, if the record is one that is seen. Nobody but who sees all sees what is none.
    pub(crate) fn shown_if_seen(&self, line: Box<str>) -> Option<Box<str>> {
        let seen = self.tenant.is_none() || Record::parse(&line).is_ok_and(|it| self.sees(&it));
        seen.then(|| self.shown(line))
    }
}

/// Where in the chain a record stands.
#[derive(Deserialize)]
struct Chained<'l> {
    #[serde(borrow)]
    seq: &'l RawValue,
    prev_hash: &'l RawValue,
    hash: &'l RawValue,
    #[serde(borrow)]
    tenant: Option<std::borrow::Cow<'l, str>>,
}

/// The line with zeros for what tells its place in the chain. One that is not the tenant's, which none is that was looked
/// for, is not shown at all.
fn unchained(line: &str, of: &Tenant) -> Box<str> {
    const HASH: &str = r#""0000000000000000000000000000000000000000000000000000000000000000""#;
    let Ok(chained) = serde_json::from_str::<Chained<'_>>(line) else { return MASK.into() };
    if chained.tenant.as_deref() != Some(of.as_str()) {
        return MASK.into();
    }
    let mut zeros = [(chained.seq, "0"), (chained.prev_hash, HASH), (chained.hash, HASH)].map(
        |(value, zeros)| {
            // It is a part of the line, so that its address says where.
            let from = value.get().as_ptr().addr().saturating_sub(line.as_ptr().addr());
            (from, value.get().len(), zeros)
        },
    );
    zeros.sort_unstable();
    let mut shown = String::with_capacity(line.len());
    let mut at = 0;
    for (from, length, zeros) in zeros {
        let Some(before) = line.get(at..from) else { return MASK.into() };
        shown.push_str(before);
        shown.push_str(zeros);
        at = from + length;
    }
    shown.push_str(line.get(at..).unwrap_or_default());
    shown.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sight() -> Sight {
        Sight::default().of_tenant("acme".parse().unwrap(), Arc::new(CursorKey::new([7; 32])))
    }

    fn line(tenant: &str, chain: [&str; 3]) -> String {
        let [prev_hash, seq, hash] = chain;
        format!(
            r#"{{"category":"data","details":{{"seq":5,"tenant":"other"}},"event_type":"data.read","id":"i","level":"INFO","logger":"audit","prev_hash":"{prev_hash}","seq":{seq},"severity":"info","stream":"s",{tenant}"timestamp":"t","v":1,"hash":"{hash}"}}"#
        )
    }

    #[test]
    fn the_place_in_the_chain_is_zeros_and_the_rest_as_it_was() {
        let (a, b, zero) = ("a".repeat(64), "b".repeat(64), "0".repeat(64));
        let of = r#""tenant":"acme","#;
        let shown = sight().shown(line(of, [&a, "4711", &b]).into());
        assert_eq!(&*shown, line(of, [&zero, "0", &zero]));
        // An escape says the same.
        let escaped = r#""t\u0065nant":"acm\u0065","#;
        let shown = sight().shown(line(escaped, [&a, "4711", &b]).into());
        assert_eq!(&*shown, line(escaped, [&zero, "0", &zero]));
    }

    #[test]
    fn what_is_not_the_tenants_is_not_shown() {
        for tenant in [
            "",
            r#""tenant":"other","#,
            r#""tenant":null,"#,
            r#""tenant":"Acme","#,
            r#""tenant":"acme ","#,
            r#""tenant":"acme","tenant":"other","#,
        ] {
            let line = line(tenant, ["a", "1", "b"]);
            assert_eq!(&*sight().shown(line.clone().into()), MASK, "{tenant}");
            assert_eq!(sight().shown_if_seen(line.clone().into()), None, "{tenant}");
            assert_eq!(&*Sight::default().shown(line.clone().into()), line);
        }
        assert_eq!(&*sight().shown("no record".into()), MASK);
    }

    #[test]
    fn of_the_place_in_the_chain_nothing_can_be_asked() {
        for member in [Member::Seq, Member::PrevHash] {
            let is = Filter::Is(Field::Member(member), crate::filter::Test::Present);
            for filter in [is.clone(), is.clone().negated(), Filter::Any(vec![Filter::ANY, is])] {
                assert!(sight().narrowed(filter.clone(), &[]).is_err());
                assert!(Sight::default().narrowed(filter, &[]).is_ok());
            }
            assert!(sight().narrowed(Filter::ANY, &[Field::Member(member)]).is_err());
        }
        let narrowed = sight().narrowed(Filter::ANY, &[]).unwrap();
        assert_eq!(narrowed, sight().all().and(Filter::ANY));
    }
}
