//! Sends many requests to an API server at once. It knows how the API server passes on a webhook's answer; it knows no case.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::warnings::texts;
use crate::cases::Answer;
use crate::https::Connection;

/// Requests at the same time: enough to keep two cores busy, too few to come near the webhook's timeout of 3 s.
const CONNECTIONS: usize = 8;
/// Before the message of a webhook that refused: of Deployments, and of their Scale.
const DENIED: [&str; 2] = [
    "admission webhook \"validate-deployment.dorgu.io\" denied the request: ",
    "admission webhook \"validate-scale.dorgu.io\" denied the request: ",
];

/// A request; no body is null.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What the API server said.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The webhook's answer, as far as a client sees it: no message when it allowed. A denial by another component is
    /// distinguished by the status in front.
    pub(crate) fn answer(&self) -> Answer {
        let said = self.body["message"].as_str().unwrap_or_default();
        let denied = DENIED.iter().find_map(|entry| said.strip_prefix(entry));
        let message = match (self.succeeded(), denied) {
            (true, _) => String::new(),
            (false, Some(message)) if self.status == 403 => message.to_owned(),
            (false, _) => format!("{} {said}", self.status),
        };
        Answer {
            allowed: self.succeeded(),
            message,
            warnings: self.warnings.clone(),
        }
    }
}

/// All replies, in the order of the requests, which are sent in no order.
pub(crate) fn ask_all(proxy: &str, asks: impl IntoIterator<Item = Ask>) -> Vec<Reply> {
    let asks: Vec<Ask> = asks.into_iter().collect();
    let mut replies: Vec<Option<Reply>> = asks.iter().map(|_| None).collect();
    let queue = Arc::new(Mutex::new(asks.into_iter().enumerate()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut workers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (proxy, queue) = (proxy.to_owned(), Arc::clone(&queue));
            workers.spawn(async move {
                let mut connection = Connection::open(&proxy).await.expect("the proxy listens");
                let mut answered = Vec::new();
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((position, ask)) = next else {
                        return answered;
                    };
                    answered.push((position, one(&mut connection, ask).await));
                }
            });
        }
        while let Some(answered) = workers.join_next().await {
            for (position, reply) in answered.expect("every request gets its reply") {
                replies[position] = Some(reply);
            }
        }
    });
    replies.into_iter().flatten().collect()
}

async fn one(connection: &mut Connection, ask: Ask) -> Reply {
    let body = if ask.body.is_null() {
        String::new()
    } else {
        ask.body.to_string()
    };
    let reply = connection.ask(ask.method, &ask.path, body).await;
    let reply = reply.unwrap_or_else(|error| panic!("{}: {error:#}", ask.path));
    Reply {
        status: reply.status,
        warnings: texts(&reply.headers),
        body: serde_json::from_slice(&reply.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {:?}", ask.path, reply.body)),
    }
}
