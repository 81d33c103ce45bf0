//! What an event takes from the spans around it.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tests::{Recorded, Trail};
use tracing::{Instrument, field::Empty, instrument::WithSubscriber};
use tracing_subscriber::prelude::*;

const CONTEXT: [&str; 9] = [
    "user_id",
    "username",
    "ip_address",
    "session_id",
    "request_id",
    "correlation_id",
    "trace_id",
    "span_id",
    "tenant",
];

/// Runs a future on a runtime of several threads, with the layer as its subscriber.
fn record_async<F>(future: F) -> Recorded
where
    F: Future<Output = ()> + Send + 'static,
{
    let trail = Trail::in_file();
    let (layer, guard) = trail.open();
    let subscriber = tracing_subscriber::registry().with(layer);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    let task = runtime.spawn(future.with_subscriber(subscriber));
    runtime.block_on(task).unwrap();
    drop(runtime);
    trail.end(guard)
}

#[test]
fn every_context_member_comes_from_a_span() {
    let record = Recorded::one(|| {
        let _span = tracing::info_span!(
            "request",
            user_id = "u-1",
            username = %"john",
            ip_address = ?std::net::Ipv4Addr::LOCALHOST,
            session_id = 7,
            request_id = "req-1",
            correlation_id = "c-1",
            trace_id = "t-1",
            span_id = "s-1",
            tenant = "acme",
        )
        .entered();
        tracing::info!(target: "audit", "hello");
    });
    let found: Vec<_> = CONTEXT.iter().map(|name| record[name].as_str().unwrap()).collect();
    assert_eq!(found, ["u-1", "john", "127.0.0.1", "7", "req-1", "c-1", "t-1", "s-1", "acme"]);
}

#[test]
fn a_span_gives_its_context_and_nothing_else() {
    let record = Recorded::one(|| {
        let _span = tracing::info_span!(
            "request",
            user_id = "u-1",
            action = "x",
            status = "denied",
            severity = "critical",
            resource = "r",
            duration_us = 1,
            data_classification = "public",
            regulatory_flags.SOX = true,
            details = "{\"a\":1}",
            method = "GET",
        )
        .entered();
        tracing::info!(target: "audit", "hello");
    });
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["severity"], "info");
    for member in ["action", "status", "resource", "duration_us", "data_classification"] {
        assert!(record.get(member).is_none(), "{member}");
    }
    assert!(record.get("regulatory_flags").is_none() && record.get("details").is_none());
}

#[test]
fn the_innermost_span_wins_and_the_event_wins_over_all() {
    let recorded = Recorded::from(|| {
        let _outer =
            tracing::info_span!("outer", user_id = "outer", request_id = "outer", tenant = "outer")
                .entered();
        let _inner =
            tracing::info_span!("inner", user_id = "inner", request_id = "inner").entered();
        tracing::info!(target: "audit", user_id = "own", "inside");
        tracing::info!(target: "audit", user_id = "", "empty is absent");
    });
    let record = recorded.saying("inside");
    assert_eq!(record["user_id"], "own");
    assert_eq!(record["request_id"], "inner");
    assert_eq!(record["tenant"], "outer");
    assert!(record.get("details").is_none(), "nothing is said twice: {record}");
    assert_eq!(recorded.saying("empty is absent")["user_id"], "inner");
}

#[test]
fn an_empty_member_of_an_inner_span_does_not_hide_the_outer_ones() {
    let record = Recorded::one(|| {
        let _outer = tracing::info_span!("outer", user_id = "outer").entered();
        let _inner = tracing::info_span!("inner", user_id = "", request_id = Empty).entered();
        tracing::info!(target: "audit", "hello");
    });
    assert_eq!(record["user_id"], "outer");
    assert!(record.get("request_id").is_none());
}

#[test]
fn of_two_equal_names_in_one_span_the_last_wins_and_the_name_is_listed() {
    let record = Recorded::one(|| {
        let _span = tracing::info_span!("request", user_id = "first", user_id = "last").entered();
        tracing::info!(target: "audit", "hello");
    });
    assert_eq!(record["user_id"], "last");
    assert_eq!(record["details"], json!({"duplicates": ["user_id"]}));
}

#[test]
fn context_is_gone_with_its_span() {
    let recorded = Recorded::from(|| {
        {
            let _span = tracing::info_span!("request", user_id = "u-1").entered();
            tracing::info!(target: "audit", "inside");
        }
        tracing::info!(target: "audit", "outside");
    });
    assert_eq!(recorded.saying("inside")["user_id"], "u-1");
    assert!(recorded.saying("outside").get("user_id").is_none());
}

#[test]
fn context_that_is_recorded_late_counts_from_then_on() {
    let recorded = Recorded::from(|| {
        let span = tracing::info_span!("request", user_id = Empty, request_id = "req-1");
        let _entered = span.enter();
        tracing::info!(target: "audit", "before");
        span.record("user_id", "u-1");
        tracing::info!(target: "audit", "after");
        span.record("user_id", "u-2");
        tracing::info!(target: "audit", "changed");
        span.record("user_id", "");
        tracing::info!(target: "audit", "taken back");
    });
    assert!(recorded.saying("before").get("user_id").is_none());
    assert_eq!(recorded.saying("after")["user_id"], "u-1");
    assert_eq!(recorded.saying("changed")["user_id"], "u-2");
    assert!(recorded.saying("taken back").get("user_id").is_none());
    for record in recorded.events() {
        assert_eq!(record["request_id"], "req-1");
        assert!(record.get("details").is_none(), "{record}");
    }
}

#[test]
fn context_that_is_recorded_late_reaches_child_spans_that_are_open_already() {
    let record = Recorded::one(|| {
        let parent = tracing::info_span!("request", user_id = Empty);
        let child = tracing::info_span!(parent: &parent, "child", request_id = "req-1");
        let _entered = child.enter();
        let _plain = tracing::info_span!("no context at all", method = "GET").entered();
        parent.record("user_id", "u-1");
        tracing::info!(target: "audit", "hello");
    });
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["request_id"], "req-1");
}

#[test]
fn a_parent_that_is_named_gives_its_context_and_a_root_takes_none() {
    let recorded = Recorded::from(|| {
        let other = tracing::info_span!("other", user_id = "other");
        let _span = tracing::info_span!("request", user_id = "u-1").entered();
        tracing::info!(target: "audit", parent: &other, "of another");
        tracing::info!(target: "audit", parent: None, "of nobody");
    });
    assert_eq!(recorded.saying("of another")["user_id"], "other");
    assert!(recorded.saying("of nobody").get("user_id").is_none());
}

#[test]
fn spans_of_other_targets_and_of_debug_level_give_context() {
    // As tower-http's TraceLayer makes them.
    let record = Recorded::one(|| {
        let _span = tracing::debug_span!(
            target: "tower_http::trace::make_span",
            "request",
            method = "GET",
            request_id = "req-1",
        )
        .entered();
        let _plain = tracing::info_span!("no context at all", method = "GET").entered();
        tracing::info!(target: "audit", "hello");
    });
    assert_eq!(record["request_id"], "req-1");
    assert!(record.get("details").is_none());
}

#[test]
fn the_level_of_spans_that_give_context_can_be_chosen() {
    let emit = || {
        let _span = tracing::trace_span!("request", user_id = "u-1").entered();
        tracing::info!(target: "audit", "hello");
    };
    let record = Trail::in_file().with(|b| b.context_level(tracing::Level::TRACE)).record(emit);
    assert_eq!(record.only()["user_id"], "u-1");
    let record = Trail::in_file().with(|b| b.context_level(tracing::Level::INFO)).record(emit);
    assert!(record.only().get("user_id").is_none());
}

#[test]
fn a_span_without_context_is_not_even_seen() {
    let trail = Trail::in_file();
    let (layer, guard) = trail.open();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        assert!(tracing::info_span!("plain", method = "GET").is_disabled());
        assert!(tracing::trace_span!("fine", user_id = "u-1").is_disabled());
        assert!(!tracing::info_span!("context", user_id = Empty).is_disabled());
        assert!(!tracing::info_span!(target: "audit::x", "audit").is_disabled());
    });
    assert!(trail.end(guard).events().iter().all(|record| record["message"] == "audit"));
}

#[test]
fn json_is_no_context() {
    // A member that is text cannot take an object; it is kept where the span's own record is.
    let recorded = Recorded::from(|| {
        let ids = vec![1, 2];
        let outer = tracing::info_span!("outer", user_id = "u-1").entered();
        let inner =
            tracing::info_span!("inner", user_id = audit_layer::val(&ids), request_id = Empty);
        let _inner = inner.enter();
        tracing::info!(target: "audit", "before");
        inner.record("request_id", "req-1");
        tracing::info!(target: "audit", "after");
        drop(outer);
    });
    for message in ["before", "after"] {
        let record = recorded.saying(message);
        assert_eq!(record["user_id"], "u-1", "{message}");
        assert!(record.get("details").is_none(), "{message}: {record}");
    }
}

#[test]
fn context_survives_await_and_a_change_of_thread() {
    let recorded = record_async(async {
        let span = tracing::info_span!("request", user_id = "u-1", ip_address = Empty);
        async {
            tracing::info!(target: "audit", "first");
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tracing::Span::current().record("ip_address", "10.0.0.9");
            tracing::info!(target: "audit", "second");
        }
        .instrument(span)
        .await;
        tracing::info!(target: "audit", "after");
    });
    assert_eq!(recorded.saying("first")["user_id"], "u-1");
    assert_eq!(recorded.saying("second")["user_id"], "u-1");
    assert_eq!(recorded.saying("second")["ip_address"], "10.0.0.9");
    assert!(recorded.saying("after").get("user_id").is_none());
}

#[test]
fn a_hundred_tasks_on_four_threads_keep_their_contexts_apart() {
    let recorded = record_async(async {
        let tasks: Vec<_> = (0..100)
            .map(|task| {
                let span = tracing::info_span!(
                    "request",
                    user_id = task,
                    request_id = format!("req-{task}")
                );
                tokio::spawn(
                    async move {
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                            tracing::info!(target: "audit", task);
                        }
                        // A task of a task takes the span along, when it is told to.
                        let inner = async move { tracing::info!(target: "audit", task) };
                        tokio::spawn(inner.in_current_span().with_current_subscriber())
                            .await
                            .unwrap();
                    }
                    .instrument(span)
                    .with_current_subscriber(),
                )
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let events = recorded.events();
    assert_eq!(events.len(), 600);
    for record in events {
        let task = &record["details"]["task"];
        assert_eq!(record["user_id"], task.to_string());
        assert_eq!(record["request_id"], format!("req-{task}"));
    }
}

#[test]
fn a_span_without_context_around_a_task_needs_the_current_span_beside_it() {
    // Nobody enables `job`: for `tracing` it is no span at all, and knows no parent.
    let recorded = record_async(async {
        async {
            let work = async { tracing::info!(target: "audit", "both") };
            let both = work.instrument(tracing::info_span!("job")).in_current_span();
            tokio::spawn(both.with_current_subscriber()).await.unwrap();
        }
        .instrument(tracing::info_span!("request", user_id = "u-1"))
        .await;
    });
    assert_eq!(recorded.saying("both")["user_id"], "u-1");
}

#[test]
fn a_span_without_context_that_another_layer_enables_hands_on_its_parents() {
    let trail = Trail::in_file();
    let (layer, guard) = trail.open();
    let other = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let subscriber = tracing_subscriber::registry().with(layer).with(other);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let request = async {
        let work = async { tracing::info!(target: "audit", "inside the job") };
        let job = work.instrument(tracing::info_span!("job"));
        tokio::spawn(job.with_current_subscriber()).await.unwrap();
    };
    // The span is made where the subscriber is in force.
    let task = async { request.instrument(tracing::info_span!("request", user_id = "u-1")).await };
    runtime.block_on(runtime.spawn(task.with_subscriber(subscriber))).unwrap();
    drop(runtime);
    assert_eq!(trail.end(guard).saying("inside the job")["user_id"], "u-1");
}

#[test]
fn an_instrumented_function_gives_its_arguments_as_context() {
    #[tracing::instrument]
    fn handle(user_id: &str, tenant: String, amount: u32) {
        let _ = amount;
        tracing::info!(target: "audit", "of arguments");
        let _ = tenant;
    }
    #[tracing::instrument(skip_all, fields(user_id = %secret.len(), request_id))]
    fn skipped(secret: &str) {
        tracing::Span::current().record("request_id", "req-1");
        tracing::info!(target: "audit", "of fields");
    }
    #[tracing::instrument(skip(password), fields(session_id = "s-1"))]
    async fn asynchronous(username: &str, password: &str) {
        tokio::task::yield_now().await;
        let _ = password;
        tracing::info!(target: "audit", "of an async function");
    }
    let recorded = Recorded::from(|| {
        handle("u-1", "acme".to_owned(), 5);
        skipped("secret");
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(asynchronous("john", "secret"));
    });
    let of = |message: &str| -> Vec<Value> {
        let record = recorded.saying(message);
        CONTEXT.iter().map(|name| record.get(*name).cloned().unwrap_or(json!(null))).collect()
    };
    let n = Value::Null;
    assert_eq!(
        of("of arguments"),
        [&json!("u-1"), &n, &n, &n, &n, &n, &n, &n, &json!("acme")].map(Clone::clone)
    );
    assert_eq!(
        of("of fields"),
        [&json!("6"), &n, &n, &n, &json!("req-1"), &n, &n, &n, &n].map(Clone::clone)
    );
    assert_eq!(
        of("of an async function"),
        [&n, &json!("john"), &n, &json!("s-1"), &n, &n, &n, &n, &n].map(Clone::clone)
    );
    assert!(recorded.lines.iter().all(|line| !line.contains("secret")));
}

#[test]
fn two_layers_in_one_subscriber_both_take_the_context() {
    let (a, b) = (Trail::in_file(), Trail::in_file());
    let (layer_a, guard_a) = a.open();
    let (layer_b, guard_b) = b.open();
    let subscriber = tracing_subscriber::registry().with(layer_a).with(layer_b);
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("request", user_id = "u-1", tenant = Empty);
        let _entered = span.enter();
        span.record("tenant", "acme");
        tracing::info!(target: "audit", "hello");
    });
    for (trail, guard) in [(a, guard_a), (b, guard_b)] {
        let record = trail.end(guard).only();
        assert_eq!(record["user_id"], "u-1");
        assert_eq!(record["tenant"], "acme");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enter(usize),
    /// Leaves the span that was entered that long ago, wherever it is in the stack.
    Exit(usize),
    Record(usize, bool, u8),
    Emit,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..4).prop_map(Step::Enter),
        2 => (0_usize..4).prop_map(Step::Exit),
        2 => (0_usize..4, any::<bool>(), any::<u8>()).prop_map(|(s, u, v)| Step::Record(s, u, v)),
        4 => Just(Step::Emit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn however_spans_are_entered_left_and_recorded_into_an_event_takes_what_it_should(
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        // Span 1 is in span 0, and span 3 in span 1.
        const PARENTS: [Option<usize>; 4] = [None, Some(0), None, Some(1)];
        let mut expected = Vec::new();
        let recorded = Recorded::from(|| {
            let spans: Vec<tracing::Span> = {
                let mut spans: Vec<tracing::Span> = Vec::new();
                for parent in PARENTS {
                    let parent = parent.and_then(|parent| spans[parent].id());
                    spans.push(tracing::info_span!(parent: parent, "s", user_id = Empty, tenant = Empty));
                }
                spans
            };
            let mut values = [[None; 2]; 4];
            // Each with whether it was on the stack already when it was entered.
            let mut stack: Vec<(usize, bool, tracing::span::Entered<'_>)> = Vec::new();
            for step in &steps {
                match *step {
                    Step::Enter(span) => {
                        let again = stack.iter().any(|(other, ..)| *other == span);
                        stack.push((span, again, spans[span].enter()));
                    }
                    Step::Exit(ago) if ago < stack.len() => {
                        let span = stack[stack.len() - 1 - ago].0;
                        // Of a span that was entered more than once, the last entry is left first.
                        let last = stack.iter().rposition(|(other, ..)| *other == span);
                        drop(stack.remove(last.unwrap()));
                    }
                    Step::Exit(_) => {}
                    Step::Record(span, user, value) => {
                        let name = if user { "user_id" } else { "tenant" };
                        spans[span].record(name, value);
                        values[span][usize::from(user)] = Some(value);
                    }
                    Step::Emit => {
                        let found = |which: usize| {
                            let current = stack.iter().rev().find(|(_, again, _)| !again);
                            let mut next = current.map(|(span, ..)| *span);
                            while let Some(span) = next {
                                if let Some(value) = values[span][which] {
                                    return json!(value.to_string());
                                }
                                next = PARENTS[span];
                            }
                            Value::Null
                        };
                        expected.push((found(1), found(0)));
                        tracing::info!(target: "audit", "an event");
                    }
                }
            }
        });
        let found: Vec<_> = recorded
            .events()
            .iter()
            .map(|record| (record["user_id"].clone(), record["tenant"].clone()))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
