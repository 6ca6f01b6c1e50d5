use std::task::Context;
use std::time::Duration;

use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::mpsc;

use super::*;

const MAX: usize = 1000;

/// A body whose pieces this test sends one by one. It breaks on request, and ends when the sender is dropped.
struct Piecewise(mpsc::UnboundedReceiver<Result<Vec<u8>, ()>>);

impl http_body::Body for Piecewise {
    type Data = Bytes;
    type Error = ();

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| piece.map(|data| Frame::data(Bytes::from(data)))))
    }
}

type Sends = mpsc::UnboundedSender<Result<Vec<u8>, ()>>;

fn piecewise() -> (Sends, Piecewise) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Piecewise(receiver))
}

/// A body of equal pieces, all available at once.
fn pieces(count: usize, size: usize) -> Piecewise {
    let (sender, body) = piecewise();
    for piece in 0..count {
        sender.send(Ok(vec![piece as u8; size])).unwrap();
    }
    body
}

async fn read_all<B: http_body::Body<Data = Bytes>>(
    body: B,
    content_length: Option<u64>,
    budget: &Budget,
) -> Result<Body<'_>, BodyError> {
    read(
        body,
        content_length,
        &Sender::unknown(),
        &Limits {
            discard: 5000,
            ..Limits::default()
        },
        budget,
        MAX,
    )
    .await
}

#[tokio::test]
async fn a_body_in_one_piece_is_not_copied() {
    let budget = Budget::new(MAX);
    let sent = Bytes::from(vec![7; 600]);
    let body = read_all(Full::new(sent.clone()), Some(600), &budget).await.unwrap();
    assert_eq!(body.as_ptr(), sent.as_ptr());
    assert_eq!((&body[..], budget.held()), (&sent[..], 600));
    drop(body);
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn pieces_are_joined_and_only_their_size_stays_held() {
    let budget = Budget::new(10 * MAX);
    for content_length in [Some(900), None] {
        let body = read_all(pieces(9, 100), content_length, &budget).await.unwrap();
        assert_eq!(body.len(), 900);
        assert!(
            body.chunks(100)
                .enumerate()
                .all(|(piece, data)| data.iter().all(|byte| *byte == piece as u8))
        );
        assert_eq!(budget.held(), 900);
    }
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn an_empty_body_is_a_body() {
    let budget = Budget::new(0);
    assert!(read_all(Empty::new(), Some(0), &budget).await.unwrap().is_empty());
    // Chunked and empty: at most this much is reserved while the size is unknown.
    let budget = Budget::new(MAX);
    assert!(read_all(pieces(0, 0), None, &budget).await.unwrap().is_empty());
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn exactly_the_limit_is_allowed_and_one_more_is_not() {
    let budget = Budget::new(10 * MAX);
    for content_length in [Some(MAX as u64), None] {
        assert_eq!(
            read_all(pieces(10, 100), content_length, &budget).await.unwrap().len(),
            MAX
        );
    }
    let (sender, body) = piecewise();
    for size in [500, 500, 1] {
        sender.send(Ok(vec![1; size])).unwrap();
    }
    drop(sender);
    let error = read_all(body, None, &budget).await.unwrap_err();
    assert!(
        matches!(error, BodyError::TooLarge { length: Some(1001), ref prefix } if prefix.len() == 1001),
        "{error:?}"
    );
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_too_large_announcement_is_judged_by_its_first_4_kib_and_holds_nothing() {
    let budget = Budget::new(0);
    let error = read_all(pieces(50, 100), Some(5000), &budget).await.unwrap_err();
    let BodyError::TooLarge { length, prefix } = error else {
        panic!("{error:?}")
    };
    assert_eq!((length, prefix.len()), (Some(5000), PREFIX));
    assert_eq!((prefix[99], prefix[100], prefix[4095]), (0, 1, 40));
}

#[tokio::test]
async fn the_rest_is_read_so_that_the_client_can_read_its_answer() {
    let (sender, body) = piecewise();
    let reading = tokio::spawn(async move {
        read_all(body, Some(4500), &Budget::new(MAX))
            .await
            .map(|body| body.len())
    });
    for _ in 0..44 {
        sender.send(Ok(vec![1; 100])).unwrap();
    }
    tokio::task::yield_now().await;
    assert!(!reading.is_finished(), "100 bytes are still to come");
    sender.send(Ok(vec![1; 100])).unwrap();
    drop(sender);
    assert!(matches!(
        reading.await.unwrap(),
        Err(BodyError::TooLarge { length: Some(4500), .. })
    ));
}

#[tokio::test]
async fn what_is_far_too_large_is_not_read_to_its_end() {
    let budget = Budget::new(10 * MAX);
    // Announced beyond the bound: answered after the prefix.
    let (sender, body) = piecewise();
    sender.send(Ok(vec![1; 5000])).unwrap();
    let error = read_all(body, Some(1_000_000), &budget).await.unwrap_err();
    assert!(matches!(
        error,
        BodyError::TooLarge {
            length: Some(1_000_000),
            ..
        }
    ));
    // Not announced: dropped up to the bound, so its size stays unknown.
    let mut body = pieces(1000, 100);
    let error = read_all(&mut body, None, &budget).await.unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { length: None, .. }));
    assert!(body.0.len() > 900);
}

/// Sends `bytes` every 100 ms, for as long as the receiver exists.
fn drip(sender: Sends, bytes: usize) {
    tokio::spawn(async move {
        while sender.send(Ok(vec![1; bytes])).is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

/// The outcome for a body of 20 MiB sent at this rate, and after how long.
async fn outcome_of(bytes: usize) -> (BodyError, Duration) {
    let (sender, body) = piecewise();
    let start = Instant::now();
    drip(sender, bytes);
    let (limits, budget, max) = (Limits::default(), Budget::new(64 << 20), 20 << 20);
    let read = read(body, Some(max as u64), &Sender::unknown(), &limits, &budget, max).await;
    assert_eq!(budget.held(), 0);
    (read.unwrap_err(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_body_has_a_least_rate_from_its_first_second_on_and_ten_seconds_in_all() {
    let (error, after) = outcome_of(100).await;
    assert_eq!((error, after.as_secs()), (BodyError::TooSlow, 1));
    // Below and above 16 KiB a second.
    assert_eq!(outcome_of(1_400).await.0, BodyError::TooSlow);
    let (error, after) = outcome_of(2_000).await;
    assert_eq!((error, after.as_secs()), (BodyError::TimedOut, 10));
}

#[tokio::test(start_paused = true)]
async fn what_came_quickly_and_stops_is_given_up_after_a_second() {
    let (sender, body) = piecewise();
    sender.send(Ok(vec![1; 17 << 20])).unwrap();
    let (start, limits, budget) = (Instant::now(), Limits::default(), Budget::new(64 << 20));
    let read = read(body, Some(20 << 20), &Sender::unknown(), &limits, &budget, 20 << 20).await;
    assert_eq!(read.unwrap_err(), BodyError::TooSlow);
    assert_eq!(start.elapsed().as_secs(), 1);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_too_large_body_that_drips_keeps_its_verdict() {
    let (sender, body) = piecewise();
    sender.send(Ok(vec![1; PREFIX])).unwrap();
    let error = read_all(body, Some(4999), &Budget::new(MAX)).await.unwrap_err();
    assert!(
        matches!(error, BodyError::TooLarge { length: Some(4999), .. }),
        "{error:?}"
    );
    drop(sender);
}

#[tokio::test]
async fn a_broken_body_is_told_from_a_slow_one() {
    let (sender, body) = piecewise();
    sender.send(Ok(vec![1; 10])).unwrap();
    sender.send(Err(())).unwrap();
    assert_eq!(
        read_all(body, Some(500), &Budget::new(MAX)).await.unwrap_err(),
        BodyError::Broken
    );
}

#[tokio::test]
async fn an_exhausted_budget_says_busy_at_once_and_a_dropped_body_makes_room() {
    let budget = Budget::new(1500);
    let first = read_all(pieces(10, 100), Some(1000), &budget).await.unwrap();
    let (sender, never) = piecewise();
    sender.send(Ok(vec![1; 501])).unwrap();
    assert_eq!(read_all(never, Some(1000), &budget).await.unwrap_err(), BodyError::Busy);
    assert_eq!(budget.held(), 1000);
    drop(first);
    assert_eq!(
        read_all(pieces(10, 100), Some(1000), &budget).await.unwrap().len(),
        1000
    );
}

#[tokio::test]
async fn an_announcement_costs_nothing_until_it_is_sent() {
    let max = 20 << 20;
    let budget = Budget::new(64 << 20);
    let (sender, body) = piecewise();
    let reading = tokio::spawn({
        let budget = budget.clone();
        async move {
            let read = read(
                body,
                Some(max as u64),
                &Sender::unknown(),
                &Limits::default(),
                &budget,
                max,
            )
            .await;
            read.map(|body| body.len())
        }
    });
    let mut sent = 0;
    for (piece, most) in [(1, 2), (1, 4), (8 << 10, FIRST_HOLD), (10 << 20, max)] {
        sender.send(Ok(vec![1; piece])).unwrap();
        sent += piece;
        while budget.held() < sent {
            tokio::task::yield_now().await;
        }
        assert!(budget.held() <= most, "{} of {sent}", budget.held());
    }
    sender.send(Ok(vec![1; max - sent])).unwrap();
    drop(sender);
    assert_eq!(reading.await.unwrap(), Ok(max));
}

#[tokio::test]
async fn running_out_of_budget_half_way_gives_everything_back() {
    let budget = Budget::new(FIRST_HOLD + 100);
    let body = read(
        pieces(10, FIRST_HOLD / 2),
        None,
        &Sender::unknown(),
        &Limits::default(),
        &budget,
        1 << 20,
    )
    .await;
    assert_eq!(body.unwrap_err(), BodyError::Busy);
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn trailers_are_passed_over() {
    let (sender, body) = piecewise();
    sender.send(Ok(b"data".to_vec())).unwrap();
    drop(sender);
    let body = body.with_trailers(std::future::ready(Some(Ok(http::HeaderMap::new()))));
    assert_eq!(&*read_all(body, None, &Budget::new(MAX)).await.unwrap(), b"data");
}
