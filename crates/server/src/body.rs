//! Reading one request body: at most so large, in so much time, out of a budget that all requests share. Knows no
//! content; the first bytes of a body that was too large are kept for a caller who can still answer from them.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout_at};

pub use super::budget::Budget;
use super::budget::Hold;
use super::limits::Limits;

/// How much of a body that is too large is kept.
pub const PREFIX: usize = 4 * 1024;

/// What is held for a body before its bytes come. What a client announces costs nothing until it is sent; otherwise a
/// few connections that announce 20 MiB and send nothing would use up the budget.
const FIRST_HOLD: usize = 64 * 1024;

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
    /// The budget has no room now: answer 503 with `Retry-After: 1`.
    #[error("too many request bodies at once")]
    Busy,
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
/// `content_length` is what the request announced. Beyond `max` the rest is read and dropped, up to [`Limits::discard`]
/// bytes and within the same time, so that a client that reads only after it has written gets its answer. A body that
/// arrived in one piece is not copied.
///
/// # Errors
/// See [`BodyError`].
pub async fn read<'b, B>(
    body: B,
    content_length: Option<u64>,
    limits: &Limits,
    budget: &'b Budget,
    max: usize,
) -> Result<Body<'b>, BodyError>
where
    B: http_body::Body<Data = Bytes>,
{
    let deadline = Instant::now() + limits.body;
    let mut frames = Frames {
        body: pin!(body),
        deadline,
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

    let mut hold = budget.hold_nothing();
    let announced = content_length.and_then(|length| usize::try_from(length).ok());
    hold.grow_to(announced.unwrap_or(FIRST_HOLD).min(FIRST_HOLD).min(max))
        .map_err(|_| BodyError::Busy)?;

    let Some(first) = frames.next().await? else {
        return whole(Bytes::new(), hold);
    };
    if first.len() <= max && (announced == Some(first.len()) || frames.at_end()) {
        return whole(first, hold);
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
            return Err(too_large(frames, prefix, content_length, needed as u64, limits.discard).await);
        }
        if needed > hold.bytes() {
            let roomy = hold.bytes().saturating_mul(2).min(announced.unwrap_or(max)).max(needed);
            hold.grow_to(roomy).map_err(|_| BodyError::Busy)?;
        }
        if needed > bytes.capacity() {
            bytes.reserve_exact(hold.bytes() - bytes.len());
        }
        bytes.extend_from_slice(&piece);
        match frames.next().await? {
            Some(next) => piece = next,
            None => return whole(Bytes::from(bytes), hold),
        }
    }
}

fn whole(bytes: Bytes, mut hold: Hold<'_>) -> Result<Body<'_>, BodyError> {
    hold.grow_to(bytes.len()).map_err(|_| BodyError::Busy)?;
    hold.shrink_to(bytes.len());
    Ok(Body { bytes, _hold: hold })
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

/// The data of a body, piece by piece, until a deadline.
struct Frames<'a, B> {
    body: Pin<&'a mut B>,
    deadline: Instant,
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
                Poll::Pending => {
                    let frame = poll_fn(|cx| self.body.as_mut().poll_frame(cx));
                    let in_time = timeout_at(self.deadline, frame).await;
                    in_time.map_err(|_elapsed| BodyError::TimedOut)?
                }
            };
            match frame {
                None => return Ok(None),
                Some(Err(_broken)) => return Err(BodyError::Broken),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn at_end(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests;
