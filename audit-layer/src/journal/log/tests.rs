use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::journal::{
    reader::{Read, Reader},
    recovery,
};

const CALLSITE: Callsite<'static> = Callsite { number: 7, definition: b"a callsite" };

fn settings(dir: &TempDir, max_bytes: u64) -> Settings {
    let stream = "payments@web-1~k3x9q2".parse().unwrap();
    Settings { directory: dir.path().to_owned(), stream, max_bytes, mode: MODE.get() }
}

thread_local! {
    static MODE: std::cell::Cell<JournalMode> = const { std::cell::Cell::new(JournalMode::Mapped) };
}

#[test]
fn all_of_it_holds_where_the_journal_is_written_and_not_mapped() {
    MODE.set(JournalMode::Written);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(&dir).0.mode(), JournalMode::Written);
    what_is_appended_is_read_in_order_with_what_its_callsites_are();
    a_segment_follows_when_one_is_full_and_defines_its_callsites_again();
    the_next_process_goes_on_behind_the_last_event();
    segments_that_are_done_are_deleted_and_their_room_is_free_again();
    at_its_bound_it_refuses_and_its_own_events_have_a_reserve();
    a_commit_makes_durable_what_came_before_it();
    threads_that_append_get_each_number_once();
    a_torn_end_is_cut_and_counted();
    damage_costs_the_events_that_it_hit_and_each_is_named();
    an_anchor_is_read_back();
}

#[test]
fn a_journal_that_is_closed_takes_no_more_than_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    log.start().unwrap();
    fill(&log, 3, 100);
    log.close();
    log.end();
    assert_eq!(log.append(CALLSITE, &frame(4, 10), Share::Event), Err(Refused::Closed));
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].metadata().unwrap().len() < 8192);
    assert_eq!(events(&read(&open(&dir).0, 1)), [1, 2, 3]);
}

#[test]
fn a_caller_that_may_hold_the_lock_itself_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    let tail = log.tail.lock().unwrap();
    assert_eq!(log.try_append(CALLSITE, &frame(1, 10)), Err(Refused::Dead));
    drop(tail);
    assert_eq!(log.try_append(CALLSITE, &frame(1, 10)), Ok(()));
    assert_eq!(events(&read(&log, 1)), [1]);
}

#[test]
fn events_behind_one_that_was_lost_do_not_become_the_records_that_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    fill(&log, 10, 100);
    let at = DATA_AT + size_of_envelope(CALLSITE.definition.len()) + 4 * size_of_envelope(108);
    log.segments.lock().unwrap()[0].write(at, &[&[0; 8]]).unwrap();
    drop(log);
    let (_, found) = open(&dir);
    assert!(found.reaches_from(1, 4) && found.reaches_from(3, 4));
    assert!(!found.reaches_from(1, 5) && !found.reaches_from(6, 10) && !found.reaches_from(9, 11));
}

/// Opens what is there, as a start of the process does.
fn open(dir: &TempDir) -> (Arc<Log>, Found) {
    let settings = settings(dir, 8 << 20);
    let found = recovery::find(&settings.directory, &settings.stream).unwrap();
    let again = recovery::find(&settings.directory, &settings.stream).unwrap();
    let next = found.last_seq + 1;
    (Arc::new(Log::open(settings, again, next, Some(Hash::ZERO)).unwrap()), found)
}

fn frame(seq: u64, length: usize) -> Vec<u8> {
    let mut frame = (seq as i64).to_le_bytes().to_vec();
    frame.resize(8 + length, seq as u8);
    frame
}

fn fill(log: &Log, count: u64, length: usize) {
    for _ in 0..count {
        let seq = log.next_seq();
        assert_eq!(log.append(CALLSITE, &frame(seq, length), Share::Event), Ok(seq));
    }
}

/// All that a reader meets from a number on, written short.
fn read(log: &Arc<Log>, from: u64) -> Vec<String> {
    let mut reader = Reader::new(Arc::clone(log), from);
    let mut met = Vec::new();
    while let Some(read) = reader.next().unwrap() {
        met.push(match read {
            Read::Segment { .. } => "segment".to_owned(),
            Read::Callsite { number, definition } => {
                assert_eq!((number, definition), (7, CALLSITE.definition));
                "callsite".to_owned()
            }
            Read::Event { seq, frame: bytes } => {
                assert_eq!(bytes, frame(seq, bytes.len() - 8), "event {seq}");
                seq.to_string()
            }
            Read::Lost { seq, time } => format!("lost {seq} before {time}"),
            Read::Elsewhere { first, last } => format!("elsewhere {first} to {last}"),
        });
    }
    met
}

fn events(met: &[String]) -> Vec<u64> {
    met.iter().filter_map(|what| what.parse().ok()).collect()
}

#[test]
fn what_is_appended_is_read_in_order_with_what_its_callsites_are() {
    let dir = tempfile::tempdir().unwrap();
    let (log, found) = open(&dir);
    assert!(found.is_empty());
    fill(&log, 3, 10);
    assert_eq!(read(&log, 1), ["segment", "callsite", "1", "2", "3"]);
    assert_eq!(read(&log, 3), ["segment", "callsite", "3"]);
}

#[test]
fn a_segment_follows_when_one_is_full_and_defines_its_callsites_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    // Some 30 of these fill the 2 MiB of a segment.
    fill(&log, 100, 60_000);
    let met = read(&log, 1);
    assert_eq!(events(&met), (1..=100).collect::<Vec<_>>());
    let segments = met.iter().filter(|what| *what == "segment").count();
    assert!(segments > 1);
    assert_eq!(met.iter().filter(|what| *what == "callsite").count(), segments);
    assert_eq!(events(&read(&log, 77)), (77..=100).collect::<Vec<_>>());
}

#[test]
fn the_next_process_goes_on_behind_the_last_event() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir).0, 5, 100);
    let (log, found) = open(&dir);
    assert_eq!((found.last_seq, found.torn_bytes), (5, 0));
    fill(&log, 2, 100);
    assert_eq!(events(&read(&log, 1)), [1, 2, 3, 4, 5, 6, 7]);
    // And one that appended nothing leaves nothing behind that disturbs.
    drop(log);
    let (log, found) = open(&dir);
    assert_eq!(found.last_seq, 7);
    assert_eq!(events(&read(&log, 6)), [6, 7]);
}

#[test]
fn segments_that_are_done_are_deleted_and_their_room_is_free_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    fill(&log, 100, 60_000);
    let (before, _) = log.bytes();
    let end = log.oldest_ends_at().unwrap();
    log.retire(end - 1);
    assert_eq!(log.bytes().0, before, "one event is still needed");
    log.retire(end);
    assert_eq!(log.bytes().0, before - log.segment_bytes);
    let met = read(&log, 1);
    assert_eq!(met[1..3], ["callsite".to_owned(), format!("elsewhere 1 to {end}")]);
    log.retire(u64::MAX);
    assert_eq!(log.bytes().0, log.segment_bytes, "the one that is written stays");
}

#[test]
fn at_its_bound_it_refuses_and_its_own_events_have_a_reserve() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir, 2 << 20);
    let log = Log::open(settings, Found::default(), 1, None).unwrap();
    let frame = frame(1, 60_000);
    let mut taken = 0;
    while log.append(CALLSITE, &frame, Share::Event).is_ok() {
        taken += 1;
    }
    assert!((20..40).contains(&taken), "{taken}");
    assert_eq!(log.append(CALLSITE, &frame, Share::Note), Ok(taken + 1));
    assert!(log.bytes().0 > log.bytes().1);
    log.retire(taken);
    assert_eq!(log.append(CALLSITE, &frame, Share::Event), Ok(taken + 2));
}

#[test]
fn what_never_fits_is_refused_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    assert_eq!(
        log.append(CALLSITE, &vec![0; MAX_PAYLOAD + 1], Share::Event),
        Err(Refused::TooLong)
    );
    fill(&log, 1, MAX_PAYLOAD - 8);
}

#[test]
fn a_commit_makes_durable_what_came_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    let until = || Instant::now() + Duration::from_secs(60);
    log.commit(0, until()).unwrap();
    fill(&log, 100, 60_000);
    log.commit(100, until()).unwrap();
    assert_eq!(log.durable_seq(), 100);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let seq = log.append(CALLSITE, &frame(0, 10), Share::Event).unwrap();
                    log.commit(seq, until()).unwrap();
                    assert!(log.durable_seq() >= seq);
                }
            });
        }
    });
    log.end();
}

#[test]
fn threads_that_append_get_each_number_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    log.append(CALLSITE, &[7; 500], Share::Event).unwrap();
                }
            });
        }
    });
    let mut reader = Reader::new(log, 1);
    let mut expected = 1;
    while let Some(read) = reader.next().unwrap() {
        if let Read::Event { seq, .. } = read {
            assert_eq!(seq, expected);
            expected += 1;
        }
    }
    assert_eq!(expected, 8001);
}

#[test]
fn a_torn_end_is_cut_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir).0, 5, 100);
    let path = &super::super::segment::list(dir.path()).unwrap()[0];
    let bytes = std::fs::read(path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // The last byte never arrived.
    let mut torn = bytes;
    torn[used] ^= 1;
    std::fs::write(path, torn).unwrap();
    let (log, found) = open(&dir);
    assert_eq!(found.last_seq, 4);
    assert!(found.torn_bytes > 100, "{found:?}");
    fill(&log, 1, 100);
    assert_eq!(events(&read(&log, 1)), [1, 2, 3, 4, 5]);
}

#[test]
fn damage_costs_the_events_that_it_hit_and_each_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir).0, 9, 100);
    let path = &super::super::segment::list(dir.path()).unwrap()[0];
    let mut bytes = std::fs::read(path).unwrap();
    let at = |bytes: &[u8], seq: u64| {
        let frame = frame(seq, 100);
        bytes.windows(frame.len()).position(|part| part == frame).unwrap()
    };
    // The payload of the third, the head of the sixth.
    let (third, sixth) = (at(&bytes, 3), at(&bytes, 6));
    bytes[third + 50] ^= 1;
    bytes[sixth - 20] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let (log, found) = open(&dir);
    assert_eq!(found.last_seq, 9);
    let met = read(&log, 1);
    assert_eq!(events(&met), [1, 2, 4, 5, 7, 8, 9]);
    assert!(met.contains(&"lost 3 before 4".to_owned()), "{met:?}");
    assert!(met.contains(&"lost 6 before 7".to_owned()), "{met:?}");
}

#[test]
fn a_damaged_header_has_a_copy_and_without_it_the_file_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir).0, 3, 100);
    let path = super::super::segment::list(dir.path()).unwrap()[0].clone();
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[..512].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(open(&dir).1.last_seq, 3);
    for path in super::super::segment::list(dir.path()).unwrap() {
        std::fs::remove_file(path).unwrap();
    }
    bytes[..2048].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let settings = settings(&dir, 8 << 20);
    let found = recovery::find(&settings.directory, &settings.stream).unwrap();
    assert_eq!((found.last_seq, found.set_aside.len(), found.is_empty()), (0, 1, false));
    assert!(found.set_aside[0].exists());
}

#[test]
fn numbers_that_only_the_sinks_know_are_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir).0, 3, 100);
    let settings = settings(&dir, 8 << 20);
    let found = recovery::find(&settings.directory, &settings.stream).unwrap();
    let log = Arc::new(Log::open(settings, found, 8, None).unwrap());
    fill(&log, 2, 100);
    let met = read(&log, 1);
    assert_eq!(events(&met), [1, 2, 3, 8, 9]);
    assert!(met.contains(&"elsewhere 4 to 7".to_owned()), "{met:?}");
}

#[test]
fn an_anchor_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    fill(&log, 1, 10);
    let mut reader = Reader::new(Arc::clone(&log), 1);
    match reader.next().unwrap() {
        Some(Read::Segment { anchor, .. }) => anchor.set(Hash::of(b"before")),
        other => panic!("{other:?}"),
    }
    drop((reader, log));
    let settings = settings(&dir, 8 << 20);
    let found = recovery::find(&settings.directory, &settings.stream).unwrap();
    assert_eq!(found.beginning(), Some((1, Some(Hash::of(b"before")))));
}

#[test]
fn segments_that_begin_alike_have_each_an_anchor_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir).0, 3, 10);
    // Two processes that ended before they recorded anything.
    for _ in 0..2 {
        let settings = settings(&dir, 8 << 20);
        let found = recovery::find(&settings.directory, &settings.stream).unwrap();
        drop(Log::open(settings, found, 4, None).unwrap());
    }
    let settings = settings(&dir, 8 << 20);
    let found = recovery::find(&settings.directory, &settings.stream).unwrap();
    let log = Arc::new(Log::open(settings, found, 4, None).unwrap());
    fill(&log, 2, 10);
    assert_eq!(log.anchored_segment_for(5).unwrap().header.index, 0);
    let mut reader = Reader::new(Arc::clone(&log), 1);
    while let Some(read) = reader.next().unwrap() {
        if let Read::Segment { first_seq: 4, anchor, .. } = read {
            anchor.set(Hash::of(b"the third"));
        }
    }
    let segment = log.anchored_segment_for(5).unwrap();
    assert_eq!((segment.header.index, segment.header.first_seq), (3, 4));
    assert_eq!(segment.anchor().unwrap(), Some(Hash::of(b"the third")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_bytes_are_damaged_no_event_is_invented_and_every_sound_one_is_kept(
        lengths in prop::collection::vec(0_usize..300, 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(&dir);
        for length in &lengths {
            log.append(CALLSITE, &frame(log.next_seq(), *length), Share::Event).unwrap();
        }
        drop(log);
        let path = &super::super::segment::list(dir.path()).unwrap()[0];
        let mut bytes = std::fs::read(path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        // Where each envelope is, head and payload.
        let mut places = Vec::new();
        let mut at = DATA_AT as usize + size_of_envelope(CALLSITE.definition.len()) as usize;
        for length in &lengths {
            let size = size_of_envelope(8 + length) as usize;
            places.push(at..at + 24 + 8 + length);
            at += size;
        }
        let mut hit = Vec::new();
        for (index, change) in &damage {
            let at = DATA_AT as usize + index.index(used - DATA_AT as usize);
            bytes[at] ^= change;
            hit.push(at);
        }
        std::fs::write(path, bytes).unwrap();
        let (log, found) = open(&dir);
        let sound: Vec<u64> = places
            .iter()
            .zip(1..)
            // Two changes of one byte can undo each other.
            .filter(|(place, _)| !hit.iter().any(|at| place.contains(at)))
            .map(|(_, seq)| seq)
            .collect();
        let mut met = Vec::new();
        let mut reader = Reader::new(log, 1);
        while let Some(read) = reader.next().unwrap() {
            if let Read::Event { seq, frame: bytes } = read {
                let length = lengths[seq as usize - 1];
                prop_assert_eq!(bytes, frame(seq, length));
                met.push(seq);
            }
        }
        prop_assert!(met.is_sorted());
        prop_assert!(sound.iter().all(|seq| met.contains(seq)), "{:?} of {:?}", met, sound);
        prop_assert!(met.iter().all(|seq| *seq <= found.last_seq));
    }
}

#[test]
fn a_segment_that_cannot_be_begun_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    // Where the next one is to be, there is something else.
    let obstacle = dir.path().join("00000000000000000001.journal");
    std::fs::create_dir(&obstacle).unwrap();
    let big = frame(1, 60_000);
    while log.append(CALLSITE, &big, Share::Event).is_ok() {}
    let bytes = log.bytes();
    for _ in 0..10 {
        assert_eq!(log.append(CALLSITE, &big, Share::Event), Err(Refused::Full));
    }
    assert!(log.trouble().unwrap().contains("no segment could be begun"));
    assert_eq!(log.bytes(), bytes);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the segment and the obstacle");
    std::fs::remove_dir(obstacle).unwrap();
    log.append(CALLSITE, &big, Share::Event).unwrap();
    assert_eq!(log.trouble(), None);
}

#[test]
fn what_is_told_at_the_end_finds_room_in_a_journal_that_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(&dir);
    for share in [Share::Event, Share::Note] {
        for length in [60_000, 100] {
            while log.append(CALLSITE, &frame(1, length), share).is_ok() {}
        }
    }
    for _ in 0..10 {
        log.append(CALLSITE, &frame(1, 600), Share::Farewell).unwrap();
    }
}

#[test]
fn trouble_is_over_when_there_is_room_again_also_when_nobody_appends() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, away) = (dir.path().join("journal"), dir.path().join("away"));
    std::fs::create_dir(&journal).unwrap();
    let settings = Settings { directory: journal.clone(), ..settings(&dir, 8 << 20) };
    let log = Arc::new(Log::open(settings, Found::default(), 1, None).unwrap());
    let eventually = |troubled: bool| {
        let until = Instant::now() + Duration::from_secs(60);
        while log.trouble().is_some() != troubled {
            assert!(Instant::now() < until, "never {troubled}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    std::fs::rename(&journal, &away).unwrap();
    log.start().unwrap();
    eventually(true);
    std::fs::rename(&away, &journal).unwrap();
    eventually(false);
    log.end();
}
