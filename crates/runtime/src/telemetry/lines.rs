//! Writes the output lines of the process: a bounded queue leads to a separate thread.
//!
//! A pipe whose reader stalls blocks the thread that writes to it, possibly for hours. Here that thread has no other work,
//! and queueing a line never blocks. A line that does not fit into the queue is dropped and counted. When the queue has
//! emptied again, one line reports the loss. This module knows no log format and no metric.
//!
//! The crate tracing-appender comes close. But its queue is bounded in lines (128,000) instead of bytes, which can exceed a
//! pod's memory limit. At exit it waits one second, too short for a slow reader, and then prints to a standard output that
//! may be stuck as well. It does not count lines that could not be written.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait: some ten thousand lines, and a small part of a pod's memory limit.
const ROOM: usize = 4 << 20;
/// The approximate cost of a line beside its text: its place in the queue and its allocation.
const OVERHEAD: usize = 64;
/// Bytes per write, so that a slow reader shows progress often.
const CHUNK: usize = 8 << 10;
/// Between two attempts on a non-blocking stream that is full; a terminal shared with another program may be one.
const RETRY: Duration = Duration::from_millis(10);
/// At exit, a reader that takes nothing for this long counts as stuck.
const STILL: Duration = Duration::from_secs(1);
/// At exit, the longest wait for a slow reader.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The queue to one stream. A line is written, or dropped and counted.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: Sender<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes that are queued or being written.
    waiting: AtomicUsize,
    /// Lines dropped because the queue was full.
    queue_full: AtomicU64,
    /// Lines that could not be written.
    not_written: AtomicU64,
    /// Chunks written. Locked by the thread and by [`Lines::close`], never by a caller with a line.
    chunks: Mutex<u64>,
    progress: Condvar,
}

impl Lines {
    /// Starts a thread that writes to `out`. When lines were lost, the queue has emptied and the last write succeeded, it
    /// calls `report` with the number of lines lost since the last call.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(
        name: &str,
        out: impl Write + Send + 'static,
        report: impl FnMut(u64) + Send + 'static,
    ) -> io::Result<Lines> {
        let (queue, inbox) = channel();
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            out,
            shared: Arc::clone(&shared),
            report,
            reported: 0,
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || writer.run(&inbox))?;
        Ok(Lines { queue, shared })
    }

    /// Queues one line, which includes its newline. Never blocks.
    pub(super) fn line(&self, text: &[u8]) {
        self.within(ROOM, text);
    }

    fn within(&self, room: usize, text: &[u8]) {
        let cost = text.len() + OVERHEAD;
        let fits = |waiting: usize| waiting.checked_add(cost).filter(|sum| *sum <= room);
        let taken = self
            .shared
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_err() {
            self.shared.queue_full.fetch_add(1, Ordering::Relaxed);
        } else if self.queue.send(text.to_vec()).is_err() {
            self.shared.waiting.fetch_sub(cost, Ordering::Relaxed);
            self.shared.not_written.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines dropped so far because the queue was full.
    pub(super) fn queue_full(&self) -> u64 {
        self.shared.queue_full.load(Ordering::Relaxed)
    }

    /// Lines so far that could not be written: a full disk, a closed pipe.
    pub(super) fn not_written(&self) -> u64 {
        self.shared.not_written.load(Ordering::Relaxed)
    }

    /// Waits until every queued line is written, as long as the reader makes progress.
    pub(super) fn close(&self) {
        self.close_within(STILL, MAX_WAIT);
    }

    fn close_within(&self, still: Duration, longest: Duration) {
        let end = Instant::now() + longest;
        let mut chunks = self.shared.chunks();
        while self.shared.waiting.load(Ordering::Relaxed) > 0 {
            let before = *chunks;
            let patience = still.min(end.saturating_duration_since(Instant::now()));
            let waited = self.shared.progress.wait_timeout_while(chunks, patience, |now| {
                *now == before && self.shared.waiting.load(Ordering::Relaxed) > 0
            });
            let timed_out;
            (chunks, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
            if timed_out.timed_out() {
                return;
            }
        }
    }
}

impl Shared {
    fn chunks(&self) -> MutexGuard<'_, u64> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of [`Lines`]: tracing-subscriber writes each with one call.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a Lines,
    room: usize,
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.lines.within(self.room, text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            room: ROOM,
        }
    }

    /// The last quarter of the queue is for warnings and errors, so that a flood of denials does not displace them.
    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        let room = if *meta.level() <= Level::WARN {
            ROOM
        } else {
            ROOM / 4 * 3
        };
        Line { lines: self, room }
    }
}

/// The thread's own state.
struct Writer<O, F> {
    out: O,
    shared: Arc<Shared>,
    report: F,
    /// Of the lost lines, those already reported.
    reported: u64,
}

impl<O: Write, F: FnMut(u64)> Writer<O, F> {
    /// Until every sender is gone.
    fn run(mut self, inbox: &Receiver<Vec<u8>>) {
        while let Ok(mut batch) = inbox.recv() {
            let mut ends = vec![batch.len()];
            while batch.len() < CHUNK {
                let Ok(next) = inbox.try_recv() else { break };
                batch.extend_from_slice(&next);
                ends.push(batch.len());
            }
            let done = self.write(&batch);
            let lost = ends.iter().filter(|end| **end > done).count();
            self.shared.not_written.fetch_add(lost as u64, Ordering::Relaxed);
            self.finish(batch.len() + ends.len() * OVERHEAD);
            if lost == 0 {
                self.report_losses();
            }
        }
    }

    /// Returns how many bytes were written before a failure.
    fn write(&mut self, batch: &[u8]) -> usize {
        let mut done = 0;
        while done < batch.len() {
            let chunk = batch.get(done..batch.len().min(done + CHUNK)).unwrap_or_default();
            match self.out.write(chunk) {
                Ok(0) => break,
                Ok(written) => {
                    done += written;
                    *self.shared.chunks() += 1;
                    self.shared.progress.notify_all();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
                Err(_) => break,
            }
        }
        done
    }

    fn finish(&self, cost: usize) {
        let _chunks = self.shared.chunks();
        self.shared.waiting.fetch_sub(cost, Ordering::Relaxed);
        self.shared.progress.notify_all();
    }

    fn report_losses(&mut self) {
        if self.shared.waiting.load(Ordering::Relaxed) > 0 {
            return;
        }
        let lost = self.shared.queue_full.load(Ordering::Relaxed) + self.shared.not_written.load(Ordering::Relaxed);
        if lost > self.reported {
            (self.report)(lost - self.reported);
            self.reported = lost;
        }
    }
}

#[cfg(test)]
mod tests;
