//! What `verify_installed` says of a subscriber, and what is recorded through it.

use std::path::Path;

use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, filter, fmt, layer::Context, prelude::*, registry::LookupSpan,
};

/// Silences everybody, which a layer without a filter of its own can do.
struct Silencer;

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Silencer {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        event.metadata().target() != "audit"
    }
}

pub(crate) fn run(directory: &Path, how: &str) {
    let level = match how {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    };
    let (layer, guard) = crate::builder(directory).level(level).build().unwrap();
    // To standard error, so that standard output is what we say here.
    macro_rules! fmt {
        () => {
            fmt::layer().with_writer(std::io::stderr)
        };
    }
    let registry = tracing_subscriber::registry();
    match how {
        "alone" | "off" | "error" => registry.with(layer).init(),
        "beside-fmt" => registry.with(layer).with(fmt!()).init(),
        "global-env" => {
            registry.with(layer).with(fmt!()).with(EnvFilter::from_default_env()).init();
        }
        "fmt-env" => {
            registry.with(layer).with(fmt!().with_filter(EnvFilter::from_default_env())).init();
        }
        "none" => drop(layer),
        "another" => {
            drop(layer);
            registry.with(fmt!()).init();
        }
        "another-audit-layer" => {
            drop(layer);
            let (other, other_guard) = crate::builder(&directory.join("other")).build().unwrap();
            registry.with(other).init();
            println!("{:?}", guard.verify_installed().map_err(|error| error.to_string()));
            return crate::end(other_guard);
        }
        "target" => {
            let not_audit = filter::filter_fn(|metadata| metadata.target() != "audit");
            registry.with(layer).with(not_audit).init();
        }
        "around-layer" => registry.with(layer.with_filter(LevelFilter::WARN)).init(),
        "silencer" => registry.with(layer).with(Silencer).init(),
        other => panic!("no subscriber {other:?}"),
    }
    println!("{:?}", guard.verify_installed().map_err(|error| error.to_string()));
    let _span = tracing::info_span!("request", user_id = "u-1").entered();
    for event in 0..100 {
        tracing::info!(target: "audit", event, "hello");
    }
    crate::end(guard);
}
