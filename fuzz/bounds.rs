//! Bounds the work that any review may cause.

use std::time::{Duration, Instant};

use allocation_counter::measure;

/// A review is answered at most this late, by a build that checks every access to memory.
const LATEST: Duration = Duration::from_millis(50);
/// What may be in memory beside the review: 10,000 containers are judged, and one may be written in three bytes.
const ROOM: u64 = 16 << 20;

/// Holds an answer to its bounds: four times the review's size and [`ROOM`], and [`LATEST`].
pub fn hold(review: &[u8], answer: impl Fn(&[u8])) {
    let memory = measure(|| answer(review)).bytes_max;
    assert!(
        memory <= 4 * review.len() as u64 + ROOM,
        "{memory} bytes for a review of {}",
        review.len()
    );
    // Other processes may have kept the machine busy.
    let in_time = (0..5).any(|_| {
        let start = Instant::now();
        answer(review);
        start.elapsed() <= LATEST
    });
    assert!(in_time, "not answered in {LATEST:?}");
}
