//! Tests of the queue against streams that stall, fail, or are merely slow.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

/// What a stream does with one write.
enum Takes {
    All,
    Fails,
    WouldBlock,
}

/// A stream of which every write waits for the test's permission.
struct Gate {
    permits: Receiver<Takes>,
    written: Sender<Vec<u8>>,
}

impl Write for Gate {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self.permits.recv() {
            Ok(Takes::All) => {
                self.written.send(text.to_vec()).unwrap();
                Ok(text.len())
            }
            Ok(Takes::Fails) => Err(io::Error::other("as asked")),
            Ok(Takes::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            // The test is over.
            Err(_) => Ok(text.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Gated {
    lines: Lines,
    permits: Sender<Takes>,
    written: Receiver<Vec<u8>>,
    reports: Receiver<u64>,
    /// Whether a write may already happen.
    permitted: Cell<bool>,
}

impl Gated {
    fn new() -> Gated {
        let (permits, permitted) = channel();
        let (writes, written) = channel();
        let (report, reports) = channel();
        let gate = Gate {
            permits: permitted,
            written: writes,
        };
        let lines = Lines::start("gated", gate, move |lost| report.send(lost).unwrap()).unwrap();
        Gated {
            lines,
            permits,
            written,
            reports,
            permitted: Cell::new(false),
        }
    }

    /// Lets everything queued be written, and returns it.
    fn flow(&self) -> Vec<u8> {
        let mut all = Vec::new();
        while self.lines.shared.waiting.load(Ordering::Relaxed) > 0 {
            if !self.permitted.replace(true) {
                self.permits.send(Takes::All).unwrap();
            }
            if let Ok(text) = self.written.recv_timeout(Duration::from_millis(5)) {
                self.permitted.set(false);
                all.extend(text);
            }
        }
        all
    }
}

/// Fills the queue, and returns how many lines of this length were accepted.
fn fill(lines: &Lines, line: &[u8]) -> usize {
    let mut accepted = 0;
    while lines.queue_full() == 0 {
        lines.line(line);
        accepted += 1;
    }
    accepted - 1
}

#[test]
fn a_full_queue_drops_and_counts_without_waiting_and_one_report_follows_when_it_has_emptied() {
    let gated = Gated::new();
    let line = [b'x'; 1000];
    let accepted = fill(&gated.lines, &line);
    assert!(accepted * line.len() > ROOM / 2, "{accepted} lines fill it");
    for _ in 0..9 {
        gated.lines.line(&line);
    }
    assert_eq!(gated.lines.queue_full(), 10);
    assert!(gated.reports.try_recv().is_err(), "nothing flows yet");

    let written = gated.flow();
    assert_eq!(written.len(), accepted * line.len());
    assert_eq!(gated.reports.recv_timeout(TIMEOUT), Ok(10));
    gated.lines.line(b"again\n");
    assert_eq!(gated.flow(), b"again\n");
    assert!(gated.reports.try_recv().is_err(), "nothing was lost since");
}

#[test]
fn a_line_larger_than_the_queue_is_dropped_and_counted() {
    let gated = Gated::new();
    gated.lines.line(&vec![b'x'; ROOM]);
    assert_eq!(gated.lines.queue_full(), 1);
    gated.lines.line(b"next\n");
    assert_eq!(gated.flow(), b"next\n");
}

#[test]
fn a_flood_of_denials_leaves_room_for_warnings() {
    let gated = Gated::new();
    let denials = {
        let lines = gated.lines.clone();
        tracing_subscriber::fmt().with_writer(lines).finish()
    };
    tracing::subscriber::with_default(denials, || {
        while gated.lines.queue_full() == 0 {
            tracing::info!(padding = "x".repeat(1000), "Denied");
        }
        tracing::warn!("Something is wrong");
        tracing::error!("Something is broken");
    });
    assert_eq!(gated.lines.queue_full(), 1);
    let written = String::from_utf8(gated.flow()).unwrap();
    assert!(written.contains("Something is wrong") && written.contains("Something is broken"));
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_reported_after_the_next_that_can() {
    let gated = Gated::new();
    gated.lines.line(b"lost\n");
    gated.permits.send(Takes::Fails).unwrap();
    gated.lines.close_within(TIMEOUT, TIMEOUT);
    assert_eq!(gated.lines.not_written(), 1);
    assert!(gated.reports.try_recv().is_err(), "it would be lost as well");
    gated.lines.line(b"kept\n");
    assert_eq!(gated.flow(), b"kept\n");
    assert_eq!(gated.reports.recv_timeout(TIMEOUT), Ok(1));
}

#[test]
fn a_stream_that_would_block_is_tried_again() {
    let gated = Gated::new();
    gated.lines.line(b"late\n");
    gated.permits.send(Takes::WouldBlock).unwrap();
    assert_eq!(gated.flow(), b"late\n");
    assert_eq!(gated.lines.not_written(), 0);
}

#[test]
fn closing_waits_for_a_slow_reader_and_loses_no_line() {
    struct Slow(Arc<Mutex<usize>>);
    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            // As on a slow disk.
            std::thread::sleep(Duration::from_millis(20));
            *self.0.lock().unwrap() += text.len();
            Ok(text.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let written = Arc::new(Mutex::new(0));
    let lines = Lines::start("slow", Slow(Arc::clone(&written)), |_| {}).unwrap();
    let text = vec![b'x'; CHUNK];
    for _ in 0..20 {
        lines.line(&text);
    }
    // Longer than the reader may stall.
    lines.close_within(Duration::from_millis(200), TIMEOUT);
    assert_eq!(*written.lock().unwrap(), 20 * CHUNK);
}

#[test]
fn closing_gives_up_on_a_reader_that_stands_still_and_on_one_that_takes_for_ever() {
    let gated = Gated::new();
    gated.lines.line(b"stuck\n");
    let still = Duration::from_millis(50);
    let began = Instant::now();
    gated.lines.close_within(still, TIMEOUT);
    assert!(began.elapsed() >= still && began.elapsed() < TIMEOUT);
    let began = Instant::now();
    gated.lines.close_within(TIMEOUT, still);
    assert!(began.elapsed() < TIMEOUT, "{:?}", began.elapsed());
}
