//! Reads one request body within a size limit, a deadline, a minimum rate, and a budget of memory that all requests share.
//! This module knows nothing of the content. The first bytes of a body that is too large are kept for a caller that can
//! still answer from them.
//!
//! Where the budget is used up, the slowest other bodies are evicted, first those of unproven connections (`eviction`). The
//! body that needs memory waits a short time for it.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout_at};

use super::budget::Hold;
pub use super::budget::{Budget, SMALL};
use super::limits::Limits;
use super::sender::Sender;

/// How much is kept of a body that is too large.
pub const PREFIX: usize = 4 * 1024;

/// The first amount reserved for a body of which [`SERIOUS`] bytes have arrived, so that most bodies are joined in one
/// allocation. An announced length reserves nothing until bytes arrive; otherwise a few connections that announce 20 MiB and
/// send nothing would use up the budget.
const FIRST_HOLD: usize = 64 * 1024;
const SERIOUS: usize = 8 * 1024;

/// The length of a second in [`Limits::body_rate`].
const RATE_PERIOD: Duration = Duration::from_secs(1);
/// A timer that fires later than this shows that the process stood still, as in a paused or throttled container.
const LATE: Duration = Duration::from_millis(100);

/// How long a body waits for the evicted ones to release memory.
const ROOM_PATIENCE: Duration = Duration::from_millis(250);

/// How often a waiting body evicts more.
const ROOM_TICK: Duration = Duration::from_millis(10);

/// A whole request body. Holds its part of the budget until dropped.
#[derive(Debug)]
pub struct Body<'b> {
    bytes: Bytes,
    _hold: Hold<'b>,
}

impl Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than allowed.
    #[error("the request body is too large")]
    TooLarge {
        /// Its size in bytes, announced or counted. `None` when neither is known.
        length: Option<u64>,
        /// Its first [`PREFIX`] bytes.
        prefix: Bytes,
    },
    /// The budget has no room now, or this body was slow while others needed its memory. Answer 503 with `Retry-After: 1`.
    #[error("too many request bodies at once")]
    Busy,
    /// It arrived at less than [`Limits::body_rate`]. Answer 503 with `Retry-After: 1`: a network that loses packets causes
    /// this, too, and an API server then has time to retry.
    #[error("the request body arrived too slowly")]
    TooSlow,
    /// It did not arrive within [`Limits::body`].
    #[error("the request body did not arrive in time")]
    TimedOut,
    /// The connection or the body's framing broke.
    #[error("the request body broke off")]
    Broken,
}

/// Reads a body of at most `max` bytes within [`Limits::body`] from now. When this is the first thing a handler does, now is
/// the end of the request's head.
///
/// `content_length` is what the request announced, `sender` the connection that sends it. Beyond `max` the rest is read and
/// dropped, up to [`Limits::discard`] bytes and within the same time, so that a client that reads only after it has written
/// gets its answer. A body that arrived in one piece is not copied.
///
/// # Errors
/// See [`BodyError`].
pub async fn read<'b, B>(
    body: B,
    content_length: Option<u64>,
    sender: &Sender,
    limits: &Limits,
    budget: &'b Budget,
    max: usize,
) -> Result<Body<'b>, BodyError>
where
    B: http_body::Body<Data = Bytes>,
{
    let read = read_all(body, content_length, sender, limits, budget, max).await;
    sender.holds(0);
    read
}

async fn read_all<'b, B>(
    body: B,
    content_length: Option<u64>,
    sender: &Sender,
    limits: &Limits,
    budget: &'b Budget,
    max: usize,
) -> Result<Body<'b>, BodyError>
where
    B: http_body::Body<Data = Bytes>,
{
    let began = Instant::now();
    let mut frames = Frames {
        body: pin!(body),
        sender,
        deadline: began + limits.body,
        rate: limits.body_rate,
        period: began,
        counted: 0,
    };

    if content_length.is_some_and(|length| length > max as u64) {
        let mut prefix = BytesMut::with_capacity(PREFIX);
        while prefix.len() < PREFIX {
            let Some(data) = frames.next().await? else { break };
            take_prefix(&mut prefix, &data);
            // What this piece holds beyond the prefix is dropped here.
        }
        return Err(too_large(frames, prefix, content_length, 0, limits.discard).await);
    }

    let announced = content_length.and_then(|length| usize::try_from(length).ok());
    let mut hold = budget.hold_nothing(announced);
    let Some(first) = frames.next().await? else {
        return whole(Bytes::new(), hold, sender).await;
    };
    if first.len() <= max && (announced == Some(first.len()) || frames.at_end()) {
        return whole(first, hold, sender).await;
    }
    let mut bytes = Vec::new();
    let mut piece = first;
    loop {
        let needed = bytes.len() + piece.len();
        if needed > max {
            let mut prefix = BytesMut::with_capacity(PREFIX);
            take_prefix(&mut prefix, &bytes);
            take_prefix(&mut prefix, &piece);
            drop((bytes, piece, hold));
            sender.holds(0);
            return Err(too_large(frames, prefix, content_length, needed as u64, limits.discard).await);
        }
        if needed > hold.bytes() {
            let roomy = roomy(hold.bytes(), needed).min(announced.unwrap_or(max)).max(needed);
            if grow(&mut hold, roomy, sender).await? == Grown::Later {
                // Time spent waiting for memory does not count against the sender.
                frames.resume();
            }
        }
        if needed > bytes.capacity() {
            bytes.reserve_exact(hold.bytes() - bytes.len());
        }
        bytes.extend_from_slice(&piece);
        match frames.next().await? {
            Some(next) => piece = next,
            None => return whole(Bytes::from(bytes), hold, sender).await,
        }
    }
}

/// How much to reserve for a body that needs `needed` bytes now while more may follow.
fn roomy(held: usize, needed: usize) -> usize {
    let first = if needed >= SERIOUS { FIRST_HOLD } else { 2 * needed };
    first.max(held.saturating_mul(2))
}

async fn whole<'b>(bytes: Bytes, mut hold: Hold<'b>, sender: &Sender) -> Result<Body<'b>, BodyError> {
    grow(&mut hold, bytes.len(), sender).await?;
    hold.shrink_to(bytes.len());
    Ok(Body { bytes, _hold: hold })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grown {
    AtOnce,
    Later,
}

/// Reserves `bytes` in all: at once where there is room, or as soon as others have released some.
async fn grow(hold: &mut Hold<'_>, bytes: usize, sender: &Sender) -> Result<Grown, BodyError> {
    if !crowds(hold, bytes, sender) && hold.grow_to(bytes).is_ok() {
        sender.holds(bytes);
        return Ok(Grown::AtOnce);
    }
    let waiting = hold.wait();
    sender.waits_for_room(true);
    let deadline = Instant::now() + ROOM_PATIENCE;
    let mut asked = false;
    let grown = loop {
        let freed = waiting.freed();
        let crowded = crowds(hold, bytes, sender);
        if !crowded && hold.grow_to(bytes).is_ok() {
            break Ok(Grown::Later);
        }
        let now = Instant::now();
        // Bodies that were evicted before may not have released their memory yet.
        asked |= sender.ask_for_room(bytes - hold.bytes(), hold.limit(bytes), crowded);
        // Where only the sender's own address is crowded, its requests take turns. One gives up only after waiting in vain.
        if sender.is_ousted() || now >= deadline || !(asked || crowded) {
            break Err(BodyError::Busy);
        }
        // A timeout is no failure: the loop then evicts others.
        let _passed = timeout_at(deadline.min(now + ROOM_TICK), freed).await;
    };
    sender.waits_for_room(false);
    sender.holds(hold.bytes());
    grown
}

/// Whether the sender has shown nothing and would hold more than its address's share of what is left. While less than half of
/// the budget is in use, no sender does.
fn crowds(hold: &Hold<'_>, bytes: usize, sender: &Sender) -> bool {
    let (limit, held) = (hold.limit(bytes), hold.held_by_all());
    held + bytes - hold.bytes() > limit / 2 && sender.would_crowd(bytes, limit, held)
}

fn take_prefix(prefix: &mut BytesMut, data: &[u8]) {
    let room = PREFIX.saturating_sub(prefix.len()).min(data.len());
    prefix.extend_from_slice(&data[..room]);
}

/// Reads and drops the rest, and returns how much there was.
async fn too_large<B>(
    mut frames: Frames<'_, B>,
    prefix: BytesMut,
    announced: Option<u64>,
    mut counted: u64,
    discard: u64,
) -> BodyError
where
    B: http_body::Body<Data = Bytes>,
{
    let prefix = prefix.freeze();
    // An announced length above the bound is not read at all.
    let hopeless = announced.is_some_and(|length| length > discard);
    let mut length = announced;
    let mut dropped = 0;
    while !hopeless && dropped <= discard {
        match frames.next().await {
            Ok(Some(data)) => {
                dropped += data.len() as u64;
                counted += data.len() as u64;
            }
            Ok(None) => {
                length = length.or(Some(counted));
                break;
            }
            // The body is too large whatever happens to the rest.
            Err(_) => break,
        }
    }
    BodyError::TooLarge { length, prefix }
}

/// The frames of a body until a deadline, as long as they arrive quickly enough.
struct Frames<'a, B> {
    body: Pin<&'a mut B>,
    sender: &'a Sender,
    deadline: Instant,
    /// See [`Limits::body_rate`].
    rate: usize,
    /// Start of the second that is being counted, and the bytes counted in it.
    period: Instant,
    counted: usize,
}

impl<B> Frames<'_, B>
where
    B: http_body::Body<Data = Bytes>,
{
    /// The next piece, `None` at the end. Trailers are skipped.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            // A frame that has already arrived needs no timer.
            let there = poll_fn(|cx| Poll::Ready(self.body.as_mut().poll_frame(cx))).await;
            let frame = match there {
                Poll::Ready(frame) => frame,
                Poll::Pending => self.wait().await?,
            };
            match frame {
                None => return Ok(None),
                Some(Err(_broken)) => return Err(BodyError::Broken),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.counted += data.len();
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Waits for a frame that has not arrived yet.
    async fn wait(&mut self) -> Result<Option<Result<http_body::Frame<Bytes>, B::Error>>, BodyError> {
        // The timer below ends a sender that is too slow. If the period is already over here, this process stood still, not the
        // sender.
        if self.counted >= self.rate || Instant::now() >= self.period + RATE_PERIOD {
            self.resume();
        }
        loop {
            let too_slow = self.period + RATE_PERIOD;
            match timeout_at(self.deadline.min(too_slow), self.frame()).await {
                Ok(frame) => return frame,
                Err(_elapsed) if too_slow >= self.deadline => return Err(BodyError::TimedOut),
                Err(_elapsed) if Instant::now() >= too_slow + LATE => self.resume(),
                Err(_elapsed) => return Err(BodyError::TooSlow),
            }
        }
    }

    /// The next frame, or `Busy` when this body is evicted.
    async fn frame(&mut self) -> Result<Option<Result<http_body::Frame<Bytes>, B::Error>>, BodyError> {
        poll_fn(|cx| match self.body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            // The eviction has woken this task.
            Poll::Pending if self.sender.is_ousted() => Poll::Ready(Err(BodyError::Busy)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Starts a new second.
    fn resume(&mut self) {
        self.period = Instant::now();
        self.counted = 0;
    }

    fn at_end(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests;
