//! Records as somebody sees them who does not see everything.

use audit_layer::record::Record;

use crate::filter::RESTRICTED;

/// What stands for details that are not shown.
pub(super) const MASK: &str = r#"{"masked":true}"#;

/// The line with a mask for its details, when it is classified as restricted. It is no longer the line
/// that the hash is of.
///
/// A line that is no record has no details that could be told apart from the rest, and is masked whole.
pub(super) fn masked(line: Box<str>) -> Box<str> {
    // Most are not, and a search is quicker than a parser. What Redis holds may be written in another way.
    if !line.contains(RESTRICTED) && !line.contains("\\u") {
        return line;
    }
    let Ok(record) = Record::parse(&line) else { return MASK.into() };
    let Some(details) =
        record.details.filter(|_| record.data_classification.as_deref() == Some(RESTRICTED))
    else {
        return line;
    };
    let details = details.get();
    // It is a part of the line, so that its address says where.
    let from = details.as_ptr().addr().saturating_sub(line.as_ptr().addr());
    match (line.get(..from), line.get(from + details.len()..)) {
        (Some(before), Some(behind)) => format!("{before}{MASK}{behind}").into(),
        _ => MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(members: &str) -> String {
        format!(
            r#"{{"category":"data",{members}"event_type":"data.read","id":"i","level":"INFO","logger":"audit","prev_hash":"0","seq":1,"severity":"info","stream":"s","timestamp":"t","v":1,"hash":"0"}}"#
        )
    }

    fn seen(members: &str) -> String {
        masked(line(members).into()).into()
    }

    #[test]
    fn of_restricted_records_the_details_alone_are_masked() {
        let shown = seen(r#""data_classification":"restricted","details":{"iban":"DE02"},"#);
        assert_eq!(shown, line(r#""data_classification":"restricted","details":{"masked":true},"#));
        // An escape says the same.
        let shown = seen(r#""data_classification":"r\u0065stricted","details":{"iban":"DE02"},"#);
        assert!(!shown.contains("iban"), "{shown}");
    }

    #[test]
    fn others_are_as_they_were() {
        for members in [
            "",
            r#""data_classification":"restricted","#,
            r#""data_classification":"confidential","details":{"data_classification":"restricted"},"#,
            r#""details":{"a":"\"data_classification\":\"restricted\""},"#,
        ] {
            assert_eq!(seen(members), line(members));
        }
    }
}
