//! Reading one request body: at most so large, in so much time and so quickly, out of a budget that all requests share. Knows
//! no content; the first bytes of a body that was too large are kept for a caller who can still answer from them.
//!
//! Where the budget is short the slowest bodies are asked to make room, those of connections that have shown nothing first
//! (`eviction`), and what is read here waits for it a little.

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

/// How much of a body that is too large is kept.
pub const PREFIX: usize = 4 * 1024;

/// The least that is held for a body whose sender is serious: who has sent [`SERIOUS`] of it gets that at once, so that most
/// bodies are joined in one piece of memory. What a client announces costs nothing until it is sent; otherwise a few
/// connections that announce 20 MiB and send nothing would use up the budget.
const FIRST_HOLD: usize = 64 * 1024;
const SERIOUS: usize = 8 * 1024;

/// How long a second is in [`Limits::body_rate`].
const RATE_PERIOD: Duration = Duration::from_secs(1);
/// A timer that fires later than this says that the process stood still, as in a paused or throttled container.
const LATE: Duration = Duration::from_millis(100);

/// How long a body waits for those that were asked to make room for it.
const ROOM_PATIENCE: Duration = Duration::from_millis(250);

/// After so long others are asked, too.
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
        /// Its size in bytes: as announced, or as counted when all of it came; `None` when neither is known.
        length: Option<u64>,
        /// Its first [`PREFIX`] bytes.
        prefix: Bytes,
    },
    /// The budget has no room now, or this body was slow where others needed its room: answer 503 with `Retry-After: 1`.
    #[error("too many request bodies at once")]
    Busy,
    /// It came at less than [`Limits::body_rate`]: answer 503 with `Retry-After: 1`, since a network that loses packets looks
    /// like this, too, and an API server then has time for another try.
    #[error("the request body arrived too slowly")]
    TooSlow,
    /// It did not come within [`Limits::body`].
    #[error("the request body did not arrive in time")]
    TimedOut,
    /// The connection broke, or the body's framing did.
    #[error("the request body broke off")]
    Broken,
}

/// Reads a body of at most `max` bytes within [`Limits::body`] from now, which is the end of the request's head when it is
/// the first thing a handler does.
///
/// `content_length` is what the request announced, `sender` who sends it. Beyond `max` the rest is read and dropped, up to
/// [`Limits::discard`] bytes and within the same time, so that a client that reads only after it has written gets its
/// answer. A body that arrived in one piece is not copied.
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
                // What it could not send meanwhile is not held against it.
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

/// How much to hold for a body of which so much is there and more is to come.
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

/// Holds `bytes` in all: at once where there is room, or as soon as others have made some.
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
        // Those that were asked before may still be on their way out.
        asked |= sender.ask_for_room(bytes - hold.bytes(), hold.limit(bytes), crowded);
        // A crowded address may be all there is: its requests take turns, and only one that waited in vain gives up.
        if sender.is_ousted() || now >= deadline || !(asked || crowded) {
            break Err(BodyError::Busy);
        }
        // Passing is no failure: others are asked then.
        let _passed = timeout_at(deadline.min(now + ROOM_TICK), freed).await;
    };
    sender.waits_for_room(false);
    sender.holds(hold.bytes());
    grown
}

/// Whether the sender, a stranger, would take more than its address's part of what is left. While less than half of the
/// budget is in use none can.
fn crowds(hold: &Hold<'_>, bytes: usize, sender: &Sender) -> bool {
    let (limit, held) = (hold.limit(bytes), hold.held_by_all());
    held + bytes - hold.bytes() > limit / 2 && sender.would_crowd(bytes, limit, held)
}

fn take_prefix(prefix: &mut BytesMut, data: &[u8]) {
    let room = PREFIX.saturating_sub(prefix.len()).min(data.len());
    prefix.extend_from_slice(&data[..room]);
}

/// Reads and drops the rest, and says how much there was.
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
    // More than we are ready to read is not worth beginning.
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
            // The verdict stands whatever becomes of the rest.
            Err(_) => break,
        }
    }
    BodyError::TooLarge { length, prefix }
}

/// The data of a body, piece by piece, until a deadline, and as long as it comes quickly enough.
struct Frames<'a, B> {
    body: Pin<&'a mut B>,
    sender: &'a Sender,
    deadline: Instant,
    /// See [`Limits::body_rate`].
    rate: usize,
    /// The second that is being counted began here, and brought so much.
    period: Instant,
    counted: usize,
}

impl<B> Frames<'_, B>
where
    B: http_body::Body<Data = Bytes>,
{
    /// The next piece; `None` at the end. Trailers are passed over.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            // What is there already needs no timer.
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

    /// Waits for what is not there yet.
    async fn wait(&mut self) -> Result<Option<Result<http_body::Frame<Bytes>, B::Error>>, BodyError> {
        // A sender that is too slow meets the timer below. Past it already, this process stood still, not the sender.
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

    /// The next frame, or the order to make room.
    async fn frame(&mut self) -> Result<Option<Result<http_body::Frame<Bytes>, B::Error>>, BodyError> {
        poll_fn(|cx| match self.body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            // A request to make room has woken this task.
            Poll::Pending if self.sender.is_ousted() => Poll::Ready(Err(BodyError::Busy)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// A new second begins.
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
