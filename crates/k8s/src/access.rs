//! Authenticates a bearer token and authorizes its user: TokenReview, then SubjectAccessReview, as controller-runtime does
//! for its metrics. Needs `create` on tokenreviews and subjectaccessreviews.
//!
//! This module sends the two requests and caches their results. It knows neither who sent the token nor which page the token
//! protects.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client, Error};
use moka::Expiry;
use moka::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::error_chain;
use super::trouble::Trouble;

/// Longest wait for both answers. Below the 10 s after which a scrape gives up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests at a time, so that invented tokens cannot make us overload the API server.
const CONCURRENCY: usize = 4;
/// Tokens whose answers are cached.
const MAX_REMEMBERED: u64 = 1_000;

/// How long an answer is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// For a token that is allowed. A revoked token still works for this long.
    pub yes: Duration,
    /// For a token that is denied. A newly granted right takes effect after this long.
    pub no: Duration,
}

impl Default for Memory {
    /// controller-runtime's minute and ten seconds.
    fn default() -> Memory {
        Memory {
            yes: Duration::from_secs(60),
            no: Duration::from_secs(10),
        }
    }
}

/// Why the bearer of a token is denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The API server does not know the token.
    #[error("the API server does not accept this token; it may have expired, or be one of another cluster")]
    UnknownToken,
    /// The token is valid, but its user lacks the right.
    #[error(
        "{user} may not {verb} {path}; bind it to a ClusterRole with nonResourceURLs [{path:?}] and verbs [{verb}]"
    )]
    Forbidden {
        /// The user's name, as the API server states it.
        user: String,
        /// The requested path.
        path: &'static str,
        /// The requested verb.
        verb: &'static str,
    },
    /// The API server did not answer.
    #[error("cannot ask the API server who this is: {0}")]
    Unavailable(String),
}

type Answer = Result<(), Denial>;

/// The right to use one verb on one path that is not a resource.
pub struct Access {
    client: Client,
    path: &'static str,
    verb: &'static str,
    /// By the token's hash, so that no token can be stolen from this cache.
    answers: Cache<[u8; 32], Answer>,
    asking: Semaphore,
    trouble: Trouble,
}

impl Access {
    /// The right to `verb` this path, decided by the API server of `client`.
    pub fn new(client: Client, verb: &'static str, path: &'static str, memory: Memory) -> Access {
        Access {
            client,
            path,
            verb,
            answers: Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .expire_after(memory)
                .build(),
            asking: Semaphore::new(CONCURRENCY),
            trouble: Trouble::default(),
        }
    }

    /// Whether the bearer of this token has the right.
    ///
    /// # Errors
    /// Unknown token, no right, or no answer from the API server; the last within some seconds.
    pub async fn check(&self, token: &str) -> Result<(), Denial> {
        let key = hash(token);
        if let Some(answer) = self.answers.get(&key) {
            return answer;
        }
        let asked = timeout(ANSWER_TIMEOUT, self.ask_once(key, token)).await;
        let answer = asked.unwrap_or_else(|_| Err(Denial::Unavailable("it does not answer in time".to_owned())));
        self.log(&answer);
        answer
    }

    async fn ask_once(&self, key: [u8; 32], token: &str) -> Answer {
        // The semaphore is never closed.
        let _turn = self.asking.acquire().await;
        // Check the cache again: another caller may have asked about the same token while this one waited.
        if let Some(answer) = self.answers.get(&key) {
            return answer;
        }
        let answer = self.ask(token).await;
        if !matches!(answer, Err(Denial::Unavailable(_))) {
            self.answers.insert(key, answer.clone());
        }
        answer
    }

    async fn ask(&self, token: &str) -> Answer {
        let user = self.who(token).await?.ok_or(Denial::UnknownToken)?;
        let (path, verb) = (self.path, self.verb);
        let name = user.username.clone().unwrap_or_default();
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                extra: user.extra,
                groups: user.groups,
                uid: user.uid,
                user: user.username,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some(path.to_owned()),
                    verb: Some(verb.to_owned()),
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews = Api::<SubjectAccessReview>::all(self.client.clone());
        let review = reviews
            .create(&PostParams::default(), &review)
            .await
            .map_err(unavailable)?;
        if review.status.is_some_and(|status| status.allowed) {
            Ok(())
        } else {
            Err(Denial::Forbidden { user: name, path, verb })
        }
    }

    /// The token's user; `None` when the API server does not know the token.
    async fn who(&self, token: &str) -> Result<Option<UserInfo>, Denial> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let reviews = Api::<TokenReview>::all(self.client.clone());
        let review = reviews
            .create(&PostParams::default(), &review)
            .await
            .map_err(unavailable)?;
        let status = review.status.unwrap_or_default();
        let known = status.authenticated == Some(true);
        Ok(status.user.filter(|_| known))
    }

    /// Tokens are never logged.
    fn log(&self, answer: &Answer) {
        match answer {
            Err(Denial::Unavailable(reason)) => {
                if self.trouble.failed(reason) {
                    tracing::warn!(path = self.path, reason, "Cannot ask the API server about a token");
                }
            }
            Ok(()) | Err(_) => {
                self.trouble.over();
            }
        }
    }
}

impl Expiry<[u8; 32], Answer> for Memory {
    fn expire_after_create(&self, _: &[u8; 32], answer: &Answer, _: Instant) -> Option<Duration> {
        Some(if answer.is_ok() { self.yes } else { self.no })
    }

    /// A replaced answer starts a new lifetime.
    fn expire_after_update(
        &self,
        key: &[u8; 32],
        answer: &Answer,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, answer, now)
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut key = [0; 32];
    // SHA-256 has the key's length.
    key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    key
}

fn unavailable(error: Error) -> Denial {
    Denial::Unavailable(match error {
        Error::Api(status) if status.code == 403 => format!(
            "dorgu itself may not; a ClusterRole must grant it create on tokenreviews.authentication.k8s.io and \
             subjectaccessreviews.authorization.k8s.io ({})",
            status.message
        ),
        Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => error_chain(&other),
    })
}

#[cfg(test)]
mod tests;
