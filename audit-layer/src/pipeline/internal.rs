//! Records that the layer itself makes, as frames.

use serde_json::{Value as Json, json};

use crate::{
    clock,
    journal::{
        DropCause, Gap,
        frame::{Entries, Frame, Header, Key},
        recovery::Found,
    },
    record::{Classification, EventType, Head, Member, Severity, format_timestamp},
    sink::Trimmed,
};

/// An event of the layer's own.
pub(super) fn frame(
    event_type: EventType,
    severity: Severity,
    status: &str,
    message: &str,
    details: &Json,
) -> Frame {
    let (time, observed_at, id) = clock::stamp();
    let mut bytes = Vec::with_capacity(512);
    Header { time, observed_at, id, callsite: 0 }.push(&mut bytes);
    let mut entries = Entries::new(&mut bytes);
    entries.str(Key::Member(Member::EventType), event_type.as_str());
    entries.str(Key::Member(Member::Severity), severity.as_str());
    entries.str(Key::Member(Member::Status), status);
    entries.str(Key::Member(Member::Message), message);
    entries.str(Key::Member(Member::DataClassification), Classification::Internal.as_str());
    entries.with_text(Key::Member(Member::Details), |text| {
        text.push(&details.to_string());
        text.mark_json();
    });
    Frame::new(&bytes)
}

/// Events that were dropped. `after` is the last record before the first of them; the record of
/// the gap itself comes after the last.
pub(super) fn gap(cause: DropCause, gap: &Gap, after: u64) -> Frame {
    frame(
        EventType::SystemAuditGap,
        Severity::Error,
        "failure",
        &format!("{} events were not recorded: {cause}", gap.count),
        &json!({
            "cause": cause.as_str(),
            "count": gap.count,
            "first_at": format_timestamp(gap.first_at),
            "last_at": format_timestamp(gap.last_at),
            "after_seq": after,
        }),
    )
}

/// Records that one sink did not get, or will never have.
pub(crate) fn skipped(sink: &str, count: u64, first: u64, last: u64) -> Frame {
    frame(
        EventType::SystemAuditGap,
        Severity::Warning,
        "failure",
        &format!("the {sink} sink fell behind and skipped {count} records"),
        &json!({
            "cause": "sink_behind",
            "sink": sink,
            "count": count,
            "first_seq": first,
            "last_seq": last,
        }),
    )
}

/// What an earlier process had accepted and no sink had, if anything.
pub(crate) fn recovered(found: &Found, head: Head) -> Option<Frame> {
    let count = found.last_seq.saturating_sub(head.seq);
    if count == 0 && found.torn_bytes == 0 && found.set_aside.is_empty() {
        return None;
    }
    let aside: Vec<_> = found.set_aside.iter().map(|path| path.display().to_string()).collect();
    let sound = aside.is_empty();
    Some(frame(
        EventType::SystemAuditRecovered,
        if sound { Severity::Info } else { Severity::Error },
        if sound { "success" } else { "failure" },
        &format!("{count} events of a process that was cut off were recovered from its journal"),
        &json!({
            "count": count,
            "first_seq": head.seq + 1,
            "last_seq": found.last_seq.max(head.seq),
            "torn_bytes": found.torn_bytes,
            "set_aside": aside,
        }),
    ))
}

/// A new stream takes the place of one that cannot be gone on with; `why` says what became of it.
pub(crate) fn stream_opened(predecessor: &str, why: &str) -> Frame {
    frame(
        EventType::SystemStreamOpened,
        Severity::Warning,
        "success",
        why,
        &json!({ "predecessor": predecessor }),
    )
}

/// Records that a sink removed or lost.
pub(super) fn trimmed(trimmed: &Trimmed) -> Frame {
    let expected = trimmed.reason == "rotation";
    let mut details = json!({
        "sink": trimmed.sink,
        "what": trimmed.what,
        "reason": trimmed.reason,
    });
    for (end, position) in [("first", &trimmed.first), ("last", &trimmed.last)] {
        if let Some((stream, seq)) = position {
            details[format!("{end}_stream")] = json!(stream);
            details[format!("{end}_seq")] = json!(seq);
        }
    }
    frame(
        EventType::SystemAuditTrimmed,
        if expected { Severity::Info } else { Severity::Warning },
        if expected { "success" } else { "failure" },
        &format!("{} of the {} sink is gone: {}", trimmed.what, trimmed.sink, trimmed.reason),
        &details,
    )
}

/// A thread of the application panicked.
pub(crate) fn panicked(message: &str, location: Option<&str>, thread: Option<&str>) -> Frame {
    let mut details = json!({ "panic": true });
    for (name, text) in [("location", location), ("thread", thread)] {
        if let Some(text) = text {
            details[name] = json!(text);
        }
    }
    frame(EventType::ErrorException, Severity::Error, "error", message, &details)
}

/// The wall clock jumped by that many microseconds.
pub(super) fn clock_step(step_us: i64) -> Frame {
    frame(
        EventType::SystemClockStep,
        Severity::Warning,
        "success",
        &format!(
            "the wall clock was set {} by {} µs",
            if step_us < 0 { "back" } else { "forward" },
            step_us.unsigned_abs()
        ),
        &json!({ "step_us": step_us }),
    )
}
