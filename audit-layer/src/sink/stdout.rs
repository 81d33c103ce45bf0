//! Lines on standard output, for containers whose runtime collects it.
//!
//! Best effort: what a full pipe holds up is skipped, never waited for.

use std::io::Write;

use super::{Batch, Delivery, Sink, SinkError, Written};
use crate::record::{Head, StreamName};

#[derive(Debug, Default)]
pub(crate) struct StdoutSink {
    written: u64,
}

impl Sink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn delivery(&self) -> Delivery {
        Delivery::BestEffort
    }

    fn forgets(&self) -> bool {
        true
    }

    fn head(&mut self, _: &StreamName) -> Result<Option<Head>, SinkError> {
        Ok(None)
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        let mut written = Written::default();
        let mut out = std::io::stdout().lock();
        for record in batch.records() {
            if record.seq() <= self.written {
                continue;
            }
            out.write_all(&[record.line, b"\n"].concat())?;
            self.written = record.seq();
            written.new += 1;
        }
        out.flush()?;
        Ok(written)
    }
}
